"""Maps of one scene made by several fusions from the same frames and the same opinion of one segmenter about each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from sem_field_ros.errors import SegmenterError
from sem_field_ros.frame import PosedFrame
from sem_field_ros.labels import LabelSet
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.predicted_depth import make_depth_predictor
from sem_field_ros.mapping.semantic_map import SemanticMap
from sem_field_ros.segmentation.segmenter import ClassProbabilities


class SharedMaps:
    """`maps` by name; they may differ in how they fuse alone: their surfaces are the same. `votes` False: no labels."""

    def __init__(self, configs: Mapping[str, MapConfig], labels: LabelSet, votes: bool = True) -> None:
        self._memory = _LastOpinion(labels)
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
        """Any of them, for what is the same in all: surface, colours, depth."""
        return next(iter(self._mappers.values())).map

    def register(self, frame: PosedFrame, opinion: ClassProbabilities | None) -> None:
        """Map a frame; without an opinion about it only its geometry."""
        self._memory.opinion = opinion
        for mapper in self._mappers.values():
            with contextlib.suppress(SegmenterError):  # no opinion
                mapper.register_frame(frame)


def with_depth(frames: Iterable[PosedFrame], config: MapConfig) -> Iterator[PosedFrame]:
    """What is to be mapped: the frames as they are, or, with `geometry: predicted`, those with predicted depth."""
    predictor = make_depth_predictor(config)
    for given in frames:
        if predictor is None:
            yield given
        elif (frame := predictor.add(given)) is not None:
            yield frame
    yield from predictor.finish() if predictor else []


class _LastOpinion:
    """The segmenter of all mappers of a scene: says again what was said about the frame at hand."""

    def __init__(self, labels: LabelSet) -> None:
        self.labels = labels
        self.opinion: ClassProbabilities | None = None

    def segment(self, frame: PosedFrame) -> ClassProbabilities:
        if self.opinion is None:
            raise SegmenterError(f"nothing is known about frame {frame.name}")
        return self.opinion
