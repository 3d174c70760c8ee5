"""A synthetic room as an RGB-D-label sequence: the same seed gives the same room, trajectory and noise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import LabelSet, load_label_set
from sem_field_synth.rendering.depth_noise import noisy_depth
from sem_field_synth.rooms.layout import Room, build_room
from sem_field_synth.rooms.render import FAST, Quality, RoomRenderer

_START_NS = 100_000_000_000  # recordings never start at stamp zero
_NO_INSTANCE = 255
_SWEEP_DEG = 300.0  # how far the camera turns around the room


@dataclass(frozen=True)
class RoomConfig:
    """One synthetic recording. `noise` switches the depth sensor model and the colour camera's noise."""

    seed: int = 0
    frames: int = 8
    width: int = 80
    height: int = 60
    rate_hz: float = 10.0
    noise: bool = True
    quality: Quality = field(default=FAST)


class SyntheticRoom:
    """A SequenceReader over a room made from a seed; frames are ray cast when they are read.

    Frames carry colour, depth, ScanNet-20 label ids, and `extra["instance"]` ([h, w] uint8, 255 = none). The world
    frame has z up and its origin in a corner of the room, metres.
    """

    def __init__(self, config: RoomConfig | None = None) -> None:
        self.config = config or RoomConfig()
        self.name = f"room{self.config.seed}"
        self.labels: LabelSet = load_label_set("scannet20")
        self.room: Room = build_room(self.config.seed)
        self.renderer = RoomRenderer(self.room, self.labels)
        w, h = self.config.width, self.config.height
        self.camera = Intrinsics(0.82 * w, 0.82 * w, (w - 1) / 2, (h - 1) / 2, w, h)  # 63 degrees wide

    def __len__(self) -> int:
        return self.config.frames

    def __iter__(self) -> Iterator[PosedFrame]:
        return (self.frame(i) for i in range(self.config.frames))

    def frame(self, i: int) -> PosedFrame:
        """Render frame `i`."""
        c = self.config
        T = self.pose(i)
        rng = np.random.default_rng([c.seed, 2, i])
        depth, label, instance = self.renderer.geometry(self.camera, T)
        color = self.renderer.color(self.camera, T, rng, c.quality)
        if c.noise:
            color = _camera_noise(color, rng)
            depth = noisy_depth(depth, rng)
        return PosedFrame(
            stamp_ns=_START_NS + round(i * 1e9 / c.rate_hz),
            color=color,
            camera=self.camera,
            T_world_camera=T,
            depth=depth,
            labels=self.labels.to_id(label),
            name=f"{i:06d}",
            extra={"instance": np.where(instance < 0, _NO_INSTANCE, instance).astype(np.uint8)},
        )

    def pose(self, i: int) -> np.ndarray:
        """T_world_camera of frame `i`: a hand-held walk around the middle, looking across the room."""
        c = self.config
        rng = np.random.default_rng([c.seed, 3])
        phase = rng.uniform(0, 2 * np.pi, 8)
        start = rng.uniform(0, 2 * np.pi)
        along = i / max(c.frames - 1, 1)
        time = i / c.rate_hz
        angle = start + np.radians(_SWEEP_DEG) * along
        shake = np.sin(2 * np.pi * time * np.array([0.9, 1.3, 1.1, 0.7, 1.0, 1.7, 0.5, 0.8]) + phase)
        middle = self.room.size / 2
        eye = middle + np.array([np.cos(angle), np.sin(angle), 0]) * self.room.size * 0.2
        eye[2] = 1.5 + 0.06 * np.sin(2 * np.pi * along * 3 + phase[0])
        eye += 0.012 * shake[:3]
        yaw = angle + np.pi + np.radians(8 * np.sin(2 * np.pi * along * 4 + phase[1]) + 1.0 * shake[3])
        pitch = np.radians(-15 - 7 * np.sin(2 * np.pi * along * 5 + phase[2]) + 1.0 * shake[4])
        return look_along(eye, yaw, pitch, np.radians(1.5 * shake[5]))


def look_along(eye: np.ndarray, yaw: float, pitch: float, roll: float = 0.0) -> np.ndarray:
    """T_world_camera of an optical frame at `eye` [3], z-up world; angles in radians, pitch up is positive."""
    forward = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    T = np.eye(4)
    T[:3, 0] = np.cos(roll) * right + np.sin(roll) * down
    T[:3, 1] = np.cos(roll) * down - np.sin(roll) * right
    T[:3, 2] = forward
    T[:3, 3] = eye
    return T


def _camera_noise(color: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure that varies slightly from frame to frame, and pixel noise."""
    exposed = color.astype(np.float32) * np.float32(rng.uniform(0.94, 1.06))
    grainy = exposed + rng.normal(scale=1.5, size=color.shape).astype(np.float32)
    return np.clip(grainy + 0.5, 0, 255).astype(np.uint8)
