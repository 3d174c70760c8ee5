"""Labelled images of many scenes in memory, for training and validating the segmenter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.errors import DataError, FrameError, SemFieldError
from sem_field_ros.labels import LabelSet

TRAINING, VALIDATION, TEST = "training", "validation", "test"
FOLDERS = {TRAINING: ("training", "train"), VALIDATION: ("validation", "val"), TEST: ("test",)}
MIN_LABELLED = 0.2  # share of a training image that must be labelled


@dataclass(frozen=True)
class LabelledFrame:
    """One image with its labels.

    name   `scene/stem`         color  [H, W, 3] uint8 RGB         index  [H, W] int8 class index, -1 unlabelled
    """

    name: str
    color: np.ndarray
    index: np.ndarray


def scenes_of(data: Sequence[Path], split: str) -> list[Path]:
    """Sequence folders DATA/SPLIT/SCENE of all of `data`, sorted by name.

    The folder of a split is called training or train, validation or val.
    Raises DataError if there are none, or two of one name.
    """
    folders = [folder / name for folder in data for name in FOLDERS[split]]
    colors = [color for folder in folders for color in folder.glob("[!.]*/color") if any(color.iterdir())]
    if not colors:
        where = data[0] / FOLDERS[split][-1]
        raise DataError(f"no scene in {where}: expected SCENE/color, SCENE/label ... (see sem-field generate homes)")
    scenes = {color.parent.name: color.parent for color in colors}
    if len(scenes) < len(colors):
        raise DataError(f"two scenes of one name in {', '.join(map(str, data))} ({split}): rename one")
    return [scenes[name] for name in sorted(scenes)]


def read_frames(
    scenes: Iterable[Path],
    labels: LabelSet,
    *,
    only: Sequence[str] | None = None,
    on_progress: Callable[[], None] | None = None,
    on_lost: Callable[[str], None] = lambda line: None,
) -> list[LabelledFrame]:
    """Read the labelled frames of scenes with their labels converted to the set `labels`.

    only         names of the frames to read, None = all; frames without a label image are left out
    on_progress  called once per scene
    on_lost      called with one line if frames were left out that cannot be read
    Raises DataError if a frame of `only` is gone or cannot be read.
    """
    wanted = None if only is None else set(only)
    frames: list[LabelledFrame] = []
    problems: list[str] = []
    for scene in scenes:
        frames += _frames_of(scene, labels, wanted, problems)
        if on_progress:
            on_progress()
    if problems:
        on_lost(f"{len(problems)} frames or labels cannot be read and are left out, e.g. {problems[0]}")
    missing = set() if wanted is None else wanted - {frame.name for frame in frames}
    if missing:
        raise DataError(f"{len(missing)} frames that the run began with are gone or unreadable, e.g. {min(missing)}")
    if not frames:
        raise DataError("no frame has a label image with a class of the label set")
    return frames


def _frames_of(scene: Path, labels: LabelSet, wanted: set[str] | None, problems: list[str]) -> list[LabelledFrame]:
    frames: list[LabelledFrame] = []
    try:
        sequence = FolderSequence(scene)
    except SemFieldError:
        return frames  # the generator has begun it and written no whole frame yet
    if sequence.labels is None:
        return frames
    regroup = np.append(sequence.labels.regroup(labels), -1).astype(np.int8)  # the last is for unlabelled pixels
    for i in range(len(sequence)):
        try:
            files = sequence.read_files(i)
        except (DataError, FrameError) as error:
            problems.append(str(error))  # damaged, or the generator is writing it
            continue
        name = f"{scene.name}/{files.name}"
        if wanted is not None and name not in wanted:
            continue
        if files.labels is None or files.labels.shape != files.color.shape[:2]:
            continue
        index = regroup[sequence.labels.to_index(files.labels)]
        if (index >= 0).mean() >= MIN_LABELLED or wanted is not None:
            frames.append(LabelledFrame(name, files.color, index))
    problems += sequence.label_problems.values()
    return frames


def photographs(folders: Iterable[Path]) -> tuple[LabelledFrame, ...]:
    """Images below folders as frames without any label. Raises DataError where a folder has none or one is damaged."""
    frames: list[LabelledFrame] = []
    for folder in folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
        if not paths:
            raise DataError(f"{folder}: no .jpg or .png below it")
        for path in paths:
            color = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if color is None:
                raise DataError(f"{path} cannot be read as an image")
            index = np.full(color.shape[:2], -1, np.int8)
            frames.append(LabelledFrame(f"{folder.name}/{path.stem}", np.ascontiguousarray(color[..., ::-1]), index))
    return tuple(frames)


def evenly(frames: Sequence[LabelledFrame], most: int) -> list[LabelledFrame]:
    """At most `most` of the frames, evenly spread."""
    step = max(len(frames) / most, 1.0)
    return [frames[int(i * step)] for i in range(int(len(frames) / step))]


def class_shares(frames: Sequence[LabelledFrame], classes: int) -> np.ndarray:
    """Share of each class in the labelled pixels of each frame, [N, C]; zeros for a frame without labels."""
    counts = np.stack([np.bincount(f.index.reshape(-1) + 1, minlength=classes + 1)[1:] for f in frames])
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def repeat_factors(shares: np.ndarray, threshold: float = 0.02) -> np.ndarray:
    """How often to draw each frame per round, [N] >= 1: frames with rare classes more often.

    Gupta et al. 2019 (LVIS, arXiv:1908.03195), equation of Sec. 5.1, with pixels in place of images:
    r_c = max(1, sqrt(threshold / share of c)), r_frame = max of r_c over the classes that fill 1% of it.
    """
    overall = shares.mean(axis=0)
    factors = np.maximum(1.0, np.sqrt(threshold / np.maximum(overall, 1e-9)))
    factors = np.where(overall > 0, np.minimum(factors, 5.0), 1.0)
    return np.where(shares > 0.01, factors, 1.0).max(axis=1)


def loss_weights(shares: np.ndarray, power: float) -> np.ndarray:
    """Weight of each class in the loss, [C]: (mean share / share)^power, at most 4, scaled to a mean of 1 over pixels.

    power 0 weighs all pixels alike, as calibrated probabilities need; 0.5 lifts rare classes.
    """
    overall = shares.mean(axis=0)
    present = overall > 0
    mean = overall[present].mean()
    weights = np.where(present, np.minimum((mean / np.maximum(overall, 1e-9)) ** power, 4.0), 1.0)
    return weights / float((weights * overall).sum() / overall.sum())


def common_width(frames: Sequence[LabelledFrame]) -> int:
    """The most frequent width of the images, pixels."""
    widths, counts = np.unique([frame.color.shape[1] for frame in frames], return_counts=True)
    return int(widths[counts.argmax()])


class DrawOrder:
    """Sample number n -> frame. Each round draws every frame once, or by its repeat factor, in random order."""

    def __init__(self, factors: np.ndarray, seed: int) -> None:
        self._factors, self._seed = factors, seed
        self._round = -1
        self._order = np.zeros(0, np.int64)
        self._size = int(np.ceil(factors.sum()))

    def frame_of(self, n: int) -> int:
        """Index of the frame of sample n; depends on n and the seed alone."""
        number, place = divmod(n, self._size)
        if number != self._round:
            self._order, self._round = self._drawn(number), number
        return int(self._order[place])

    def _drawn(self, number: int) -> np.ndarray:
        """Systematic sampling: a frame of factor 2.3 is drawn two or three times; the total is always the same."""
        rng = np.random.default_rng((self._seed, 1, number))
        ends = np.cumsum(self._factors) * (self._size / self._factors.sum())
        order = np.searchsorted(ends, np.arange(self._size) + rng.random(), side="right")
        return rng.permutation(np.minimum(order, len(self._factors) - 1))
