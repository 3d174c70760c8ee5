"""Maps of one scene by several fusions, from the same frames and the same class probabilities of each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper, depth_predictor_for
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.segmenter import ClassProbabilities


class SharedMaps:
    """`maps` by name; they differ only in their fusion: their surfaces are the same. `votes` False: no labels."""

    def __init__(self, configs: Mapping[str, MapConfig], labels: LabelSet, votes: bool = True) -> None:
        self._memory = _LastProbabilities(labels)
        segmenter = self._memory if votes else None
        self._mappers = {
            name: Mapper(config, segmenter, labels, predicts_depth=False) for name, config in configs.items()
        }

    @property
    def maps(self) -> dict[str, SemanticMap]:
        """The maps by the name of their fusion."""
        return {name: mapper.map for name, mapper in self._mappers.items()}

    @property
    def first(self) -> SemanticMap:
        """Any of them, for what all share: surface, colours, depth."""
        return next(iter(self._mappers.values())).map

    def register(self, frame: PosedFrame, probabilities: ClassProbabilities | None) -> None:
        """Map a frame; without class probabilities only its geometry."""
        self._memory.probabilities = probabilities
        for mapper in self._mappers.values():
            with contextlib.suppress(SegmenterError):  # no probabilities
                mapper.register_frame(frame)


def with_depth(frames: Iterable[PosedFrame], config: MapConfig) -> Iterator[PosedFrame]:
    """Frames to map: the given ones, or with `depth_source: predicted` those with predicted depth."""
    predictor = depth_predictor_for(config)
    for given in frames:
        if predictor is None:
            yield given
        elif (frame := predictor.add(given)) is not None:
            yield frame
    yield from predictor.finish() if predictor else []


class _LastProbabilities:
    """The segmenter of all mappers of a scene: repeats the class probabilities of the current frame."""

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        self.probabilities: ClassProbabilities | None = None

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        if self.probabilities is None:
            raise SegmenterError(f"there are no class probabilities of frame {frame.name}")
        return self.probabilities
