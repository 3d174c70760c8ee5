"""Keyframes of a GSNeRF scene: images kept as they came, encodings made when they are first needed, then cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sem_field_ros.fields.common.views import SourceViews
from sem_field_ros.fields.common.window import image_of_width, nearest_pixels, nearest_views
from sem_field_ros.fields.gsnerf.encoded import EncodedViews
from sem_field_ros.fields.gsnerf.model import Gsnerf
from sem_field_ros.fields.gsnerf.source_depth import enlarged_depth
from sem_field_ros.fields.gsnerf.warping import Neighbours
from sem_field_ros.fields.gsnerf.window import NOISE, ORDER, PATCH
from sem_field_ros.frame import PosedFrame
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.patches import normalised_patches
from sem_field_ros.geometry.poses import inverse, motion_between
from sem_field_ros.scene import Renderable
from sem_field_ros.segmentation.segmenter import ClassProbabilities

PREDICTED, SENSOR, MAP = "predicted", "sensor", "map"  # where depth comes from
_KEPT = 64  # encodings; those unused for longest are made again when needed
_MIN_BASELINE_M = 0.02  # rotation alone shows no depth
_BASELINE_M, _APART_DEG = 0.2, 20.0  # of neighbours: the best distance, and an angle that is as bad as e times it


@dataclass(frozen=True)
class Keyframe:
    """image [h, w, 3] uint8 RGB, its camera and pose; classes [C, h', w'] uint8 (255 = 1) or None; depth or None."""

    image: np.ndarray
    camera: Intrinsics
    T_world_camera: np.ndarray
    classes: Tensor | None
    depth: np.ndarray | None

    @property
    def memory_bytes(self) -> int:
        """Memory of image, classes and depth."""
        classes = 0 if self.classes is None else self.classes.numel()
        return int(self.image.nbytes + classes + (0 if self.depth is None else self.depth.nbytes))


@dataclass(frozen=True)
class Encoding:
    """One keyframe's part of EncodedViews; `neighbours`: how many views its depth was predicted from."""

    features: Tensor
    patches: Tensor
    classes: Tensor
    depth: Tensor
    volume: Tensor
    known: bool
    neighbours: int

    @property
    def memory_bytes(self) -> int:
        """Memory of the tensors."""
        return sum(t.nbytes for t in (self.features, self.patches, self.classes, self.depth, self.volume))


class Keyframes:
    """See the module. `classes` of the label set, images reduced to `width` pixels, depth from `source`."""

    def __init__(self, model: Gsnerf, classes: int, width: int, source: str, device: torch.device) -> None:
        self.model, self.source, self.device = model, source, device
        self.map: Renderable | None = None
        self._classes, self._width = classes, width
        self.all: list[Keyframe] = []
        self._encodings: OrderedDict[int, Encoding] = OrderedDict()

    def __len__(self) -> int:
        return len(self.all)

    def clear(self) -> None:
        """Forget all."""
        self.all.clear()
        self._encodings.clear()

    def remove(self, place: int) -> None:
        """Forget the keyframe at `place`; the places of later ones move up by one."""
        del self.all[place]
        kept = ((i, found) for i, found in self._encodings.items() if i != place)
        self._encodings = OrderedDict((i - (i > place), found) for i, found in kept)

    def prepare(self) -> bool:
        """Encode the newest keyframe that has no encoding yet; False if all have one, or as many as are kept."""
        if len(self._encodings) < _KEPT:
            for i in reversed(range(len(self.all))):
                if i not in self._encodings:
                    self._encoding(i)
                    return True
        return False

    @property
    def memory_bytes(self) -> int:
        """Memory of keyframes and encodings."""
        return sum(frame.memory_bytes for frame in self.all) + sum(e.memory_bytes for e in self._encodings.values())

    def add(self, frame: PosedFrame, probabilities: ClassProbabilities | None) -> None:
        """Keep a frame, with the class probabilities of its image if it was segmented."""
        image = image_of_width(frame.color, self._width)
        classes = None if probabilities is None else (probabilities.values * 255 + 0.5).to(torch.uint8).cpu()
        depth = None if frame.depth is None else nearest_pixels(frame.depth, image.shape[:2])
        camera = frame.camera.scaled(image.shape[1], image.shape[0])
        self.all.append(Keyframe(image, camera, frame.T_world_camera, classes, depth))

    def nearest(self, T_world_camera: np.ndarray) -> list[int]:
        """All keyframes with images of the nearest one's size, the nearest to a camera first."""
        order = nearest_views(T_world_camera, [k.T_world_camera for k in self.all], len(self.all))
        return [i for i in order if self.all[i].image.shape == self.all[order[0]].image.shape]

    def encoded(self, chosen: Sequence[int], T_world_local: np.ndarray) -> EncodedViews:
        """Encoded keyframes, in a local frame in which coordinates are small (float32)."""
        parts = [self._encoding(i) for i in chosen]
        frames = [self.all[i] for i in chosen]
        T = np.stack([inverse(frame.T_world_camera) @ T_world_local for frame in frames])
        height, width = frames[0].image.shape[:2]
        views = SourceViews(
            torch.stack([part.features for part in parts]).float(),
            _same_size([part.classes for part in parts]),
            self._tensor(np.stack([frame.camera.matrix for frame in frames])),
            self._tensor(T),
            (width, height),
            torch.stack([part.depth for part in parts]),
        )
        known = torch.tensor([part.known for part in parts], device=self.device)
        volumes = [part.volume.float() for part in parts]
        full = max(volumes, key=lambda v: v.shape[1])
        volume = torch.stack([v if v.shape == full.shape else torch.zeros_like(full) for v in volumes])
        patches = torch.stack([part.patches for part in parts])
        return EncodedViews(views, self._images(chosen), patches, volume, known)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _encoding(self, i: int) -> Encoding:
        found = self._encodings.get(i)
        neighbours = self._neighbours(i) if self._predicts(i) else []
        if found is None or found.neighbours < len(neighbours):
            found = self._encodings[i] = self._encode(i, neighbours)
        self._encodings.move_to_end(i)
        while len(self._encodings) > _KEPT:
            self._encodings.popitem(last=False)
        return found

    def _predicts(self, i: int) -> bool:
        return self.source == PREDICTED

    def _neighbours(self, i: int) -> list[int]:
        """The keyframes that show the depth of keyframe i best: some way off, in a similar direction."""
        T, shape = self.all[i].T_world_camera, self.all[i].image.shape
        costs = []
        for n, other in enumerate(self.all):
            distance, angle = motion_between(other.T_world_camera, T)
            if n != i and other.image.shape == shape and distance > _MIN_BASELINE_M:
                costs.append((abs(np.log(distance / _BASELINE_M)) + np.degrees(angle) / _APART_DEG, n))
        return [n for _, n in sorted(costs)[: self.model.config.neighbours]]

    def _encode(self, i: int, neighbours: list[int]) -> Encoding:
        images = self._images([i, *neighbours])
        pyramid = self.model.encode_images(images)
        size = images.shape[2:]
        frame, config = self.all[i], self.model.config
        volume = images.new_zeros(config.volume, 1, 1, 1)
        depth = images.new_zeros(size)
        known = not self._predicts(i)
        if known:
            depth = self._measured(frame, depth)
        elif neighbours:
            found = self.model.source_depth(pyramid, images, self._cameras(i, neighbours))
            depth, volume = enlarged_depth(found.depth, size), found.feature
        if config.semantics == "decoder":
            classes = self.model.class_maps([level[:1] for level in pyramid])[0]
        elif frame.classes is None:
            classes = images.new_zeros(self._classes, 1, 1)
        else:
            classes = frame.classes.to(self.device).float() / 255
        patches = normalised_patches(images[:1], PATCH, ORDER, NOISE)[0]
        return Encoding(pyramid[0][0].half(), patches, classes, depth, volume.half(), known, len(neighbours))

    def _measured(self, frame: Keyframe, none: Tensor) -> Tensor:
        """The sensor's depth image, or the map's surface in the keyframe's camera; 0 where there is none."""
        if self.source == MAP and self.map is not None:
            depth = self.map.render(frame.camera, frame.T_world_camera).depth
            return none if depth is None else self._tensor(depth)
        return none if frame.depth is None else self._tensor(frame.depth)

    def _cameras(self, i: int, neighbours: list[int]) -> Neighbours:
        frames = [self.all[n] for n in (i, *neighbours)]
        T = np.stack([inverse(f.T_world_camera) @ frames[0].T_world_camera for f in frames[1:]])
        K = self._tensor(np.stack([frame.camera.matrix for frame in frames]))
        return Neighbours(K, self._tensor(T), (frames[0].image.shape[1], frames[0].image.shape[0]))

    def _images(self, chosen: Sequence[int]) -> Tensor:
        stacked = torch.from_numpy(np.stack([self.all[i].image for i in chosen])).permute(0, 3, 1, 2)
        return stacked.to(self.device).float() / 255

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(self.device)


def _same_size(maps: list[Tensor]) -> Tensor:
    """Maps [C, h, w] stacked; those of another size than the largest are resized."""
    size = max((m.shape[1:] for m in maps), key=lambda s: s[0] * s[1])
    return torch.stack([m if m.shape[1:] == size else interpolate(m[None], size)[0] for m in maps])
