"""Semantic view synthesis (GNeSF, Table 1): scores maps, fields and segmented renderings in held-out views.

Some frames of each sequence are held out from maps, fields and votes. Every method renders classes into their cameras,
or colours that the 2-D segmenter then labels, and is scored against their images and, if they have any, label images;
all pooled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from torch.nn.functional import interpolate

from sem_field_ros.errors import DataError, SegmenterError
from sem_field_ros.evaluation.baselines import MapColors, NearestImage, WarpedImages
from sem_field_ros.evaluation.image_metrics import psnr, ssim
from sem_field_ros.evaluation.map_evaluation import true_index
from sem_field_ros.evaluation.metrics import Confusion
from sem_field_ros.evaluation.results import IMAGES, Row, label_rows
from sem_field_ros.evaluation.sequence_evaluation import Scope
from sem_field_ros.evaluation.shared_maps import SharedMaps, with_depth
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.scene import MapGuided, OnlineView
from sem_field_ros.segmentation.segmenter import ClassProbabilities, Segmenter
from sem_field_ros.surface import RenderedView, known

_SSIM_SIDE = 11  # pixels: smaller images have none
MAP_COLORS, WARPED, NEAREST = "map colours", "warped images", "nearest image"  # renderers of colour alone


@dataclass(frozen=True)
class HeldOutView:
    """One held-out view for a picture: its image, true class indices [h, w] if it is labelled, every method's view."""

    color: np.ndarray
    truth: np.ndarray | None
    renderings: Mapping[str, RenderedView]


class ViewTally:
    """Scores of one method over any number of held-out views: classes, and colours if it renders them."""

    def __init__(self, classes: int) -> None:
        self.views, self.covered = Confusion(classes), Confusion(classes)
        self.psnr: list[float] = []
        self.ssim: list[float] = []
        self.covered_psnr: list[float] = []

    def add(self, rendering: RenderedView, truth: np.ndarray | None, color: np.ndarray) -> None:
        """Score a rendering against class indices [h, w], if there are any, and the image [h, w, 3] uint8 RGB."""
        if rendering.labels is not None and truth is not None:
            self.views.add(truth, rendering.labels)
            self.covered.add(np.where(rendering.covered, truth, -1), rendering.labels)
        if rendering.rgb is not None:
            self.psnr.append(psnr(rendering.rgb, color))
            if min(color.shape[:2]) >= _SSIM_SIDE:
                self.ssim.append(ssim(rendering.rgb, color))
            if rendering.covered.any():
                self.covered_psnr.append(psnr(rendering.rgb, color, rendering.covered))


class NovelViewEvaluation:
    """One segmenter, any number of `maps` and `fields` by name, scored in the held-out views of sequences.

    tallies  by method, in the order of the table     pictures  the middle held-out view of each sequence
    """

    def __init__(
        self,
        segmenter: Segmenter | None,
        maps: Mapping[str, MapConfig],
        fields: Mapping[str, OnlineView],
        hold_out: int,
        labels: LabelSet | None = None,
    ) -> None:
        """Every `hold_out`-th frame is held out; at least 2.

        Without a segmenter only colours are scored, of renderers under their own names; `labels` is needed then.
        """
        found = segmenter.labels if segmenter else labels
        assert found is not None, "either a segmenter or a label set"
        self.segmenter, self.labels = segmenter, found
        self.hold_out = hold_out
        self.problems: list[str] = []
        self.pictures: list[HeldOutView] = []
        self.views = 0
        self._configs, self._fields = maps, fields
        self._tallies: dict[str, ViewTally] = {}

    def add(self, sequence: SequenceReader, scope: Scope, on_progress: Callable[[], None] = lambda: None) -> None:
        """Map the sources of a sequence, score its held-out views. Raises DataError if one of the two is missing."""
        maps = SharedMaps(self._configs, self.labels, votes=self.segmenter is not None)
        renderers: dict[str, OnlineView] = {
            MAP_COLORS: MapColors(maps.first),
            WARPED: WarpedImages(maps.first),
            NEAREST: NearestImage(),
        }
        for field in self._fields.values():
            field.reset()
            if isinstance(field, MapGuided):
                field.use_map(maps.first)
        renderers |= self._fields
        mapped = 0
        config = next(iter(self._configs.values()))
        for frame in with_depth(self._frames(sequence, scope, on_progress, held_out=False), config):
            if frame.depth is None or not frame.depth.any():
                self._note(f"frame {frame.name or frame.stamp_ns} has no valid depth")
                continue
            probabilities = self._segment(frame)
            maps.register(frame, probabilities)
            for renderer in renderers.values():
                renderer.add(frame, probabilities)
            mapped += 1
        if not mapped:
            raise DataError(f"sequence {sequence.name}: none of the frames that are not held out could be mapped")
        self._score(sequence, scope, on_progress, maps, renderers)

    def tallies(self) -> dict[str, ViewTally]:
        """By method, in the order of the table: maps, segmented renderings, fields, the segmenter on the true image."""
        last = [name for name in (IMAGES,) if name in self._tallies]
        return {name: self._tallies[name] for name in [n for n in self._tallies if n != IMAGES] + last}

    # -- parts ------------------------------------------------------------------------------------------------------

    def _frames(
        self, sequence: SequenceReader, scope: Scope, on_progress: Callable[[], None], *, held_out: bool
    ) -> Iterator[PosedFrame]:
        for place, frame in enumerate(read_frames(sequence, scope.every, scope.max_frames)):
            if is_held_out(place, self.hold_out) != held_out:
                continue
            on_progress()
            if isinstance(frame, PosedFrame):
                yield frame
            else:
                self._note(str(frame))

    def _segment(self, frame: PosedFrame) -> ClassProbabilities | None:
        if self.segmenter is None:
            return None
        try:
            return self.segmenter.segment(frame)
        except SegmenterError as error:
            self._note(str(error))
            return None

    def _note(self, problem: str) -> None:
        self.problems.append(problem)

    def _score(
        self,
        sequence: SequenceReader,
        scope: Scope,
        on_progress: Callable[[], None],
        maps: SharedMaps,
        renderers: Mapping[str, OnlineView],
    ) -> None:
        views = []
        for frame in self._frames(sequence, scope, on_progress, held_out=True):
            color, truth = frame.color, None
            if frame.labels is not None and sequence.labels is not None:
                height, width = frame.labels.shape
                color = cv2.resize(frame.color, (width, height), interpolation=cv2.INTER_AREA)
                truth = true_index(frame.labels, sequence.labels, self.labels)
            view = HeldOutView(color, truth, self._renderings(frame, color, maps, renderers))
            for method, rendering in view.renderings.items():
                self._tallies.setdefault(method, ViewTally(len(self.labels))).add(rendering, truth, color)
            views.append(view)
        if not views:
            raise DataError(
                f"sequence {sequence.name}: with one of {self.hold_out} held out, none of its "
                f"{scope.frames_of(sequence)} frames is held out"
            )
        self.views += len(views)
        self.pictures.append(views[len(views) // 2])

    def _renderings(
        self, frame: PosedFrame, color: np.ndarray, maps: SharedMaps, renderers: Mapping[str, OnlineView]
    ) -> dict[str, RenderedView]:
        """Every method's rendering into a held-out camera, at the size of `color`."""
        size = color.shape[:2]
        camera = frame.camera.scaled(size[1], size[0])
        found = {}
        for name, scene in maps.maps.items() if self.segmenter else ():
            view = scene.render(camera, frame.T_world_camera)
            found[name] = RenderedView(view.depth, labels=view.labels, covered=known(view.labels) >= 0)
        for name, renderer in renderers.items():
            rendering = renderer.render(camera, frame.T_world_camera)
            if rendering.labels is not None or self.segmenter is None:
                found[name] = rendering
            picture = PosedFrame(frame.stamp_ns, known(rendering.rgb), camera, frame.T_world_camera, name=frame.name)
            labels = self._labels_of(picture, size)
            if labels is not None:
                found[segmented(name)] = replace(rendering, labels=labels)
        labels = self._labels_of(frame, size)
        if labels is not None:
            found[IMAGES] = RenderedView(labels=labels)
        return found

    def _labels_of(self, frame: PosedFrame, size: tuple[int, int]) -> np.ndarray | None:
        """The segmenter's class indices for an image, at `size`; None if it cannot label it."""
        probabilities = self._segment(frame)
        if probabilities is None:
            return None
        values = interpolate(probabilities.values[None].cpu(), size=size, mode="bilinear", align_corners=False)[0]
        return ClassProbabilities(values).label_index().numpy().astype(np.int16)


def is_held_out(place: int, hold_out: int) -> bool:
    """Whether the frame at `place` is held out: the middle one of every `hold_out`, so that it lies between sources."""
    return place % hold_out == hold_out // 2


def segmented(renderer: str) -> str:
    """The name of the method that segments a renderer's colours."""
    return f"segmenter on {renderer}"


def novel_view_rows(evaluation: NovelViewEvaluation, benchmark: str, segmenter: str) -> list[Row]:
    """All numbers of an evaluation, under `BENCHMARK, novel views/SEGMENTER/CLASSES`, or `BENCHMARK, novel views`."""
    named = f"{benchmark}, novel views" + (f"/{segmenter}/{evaluation.labels.name}" if evaluation.segmenter else "")
    rows = []
    for method, tally in evaluation.tallies().items():
        if tally.views.counts.any():
            rows += label_rows(named, method, "2d", tally.views, evaluation.labels)
        if tally.covered.counts.any():
            rows.append(Row(named, method, "miou_covered_2d", tally.covered.scores().miou))
        for metric, values in (("psnr", tally.psnr), ("psnr_covered", tally.covered_psnr), ("ssim", tally.ssim)):
            if values:
                rows.append(Row(named, method, metric, float(np.mean(values))))
    return rows
