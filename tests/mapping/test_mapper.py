"""The mapper: which frames become keyframes, and what stays when the segmenter fails."""

from __future__ import annotations

import pytest

from sem_field_ros.errors import SegmenterError
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.mapper import Mapper, settled
from sem_field_ros.segmentation.external import ExternalSegmenter
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

CONFIG = MapConfig(min_weight=1.0, keyframe_distance_m=0.1, keyframe_interval_s=5.0)


class WallSegmenter:
    labels = LABELS
    fails = False

    def segment(self, frame):
        if self.fails:
            raise SegmenterError("no weights")
        return wall_probabilities(frame)


def test_keyframes_after_motion_or_time():
    mapper = Mapper(CONFIG, WallSegmenter())
    second = 1_000_000_000
    steps = [(0.0, 0), (0.05, 1), (0.11, 2), (0.12, 3), (0.12, 7), (0.12, 8), (0.12, 1)]
    taken = [mapper.register_frame(wall_frame(x, stamp_ns=t * second)).keyframe for x, t in steps]
    assert taken == [True, False, True, False, True, False, True]  # the last: the clock jumped back by 7 s
    assert mapper.map.stats()["keyframes"] == 4 and mapper.map.stats()["frames"] == 7


def test_result_carries_probabilities_and_timings():
    result = Mapper(CONFIG, WallSegmenter()).register_frame(wall_frame())
    assert result.probabilities is not None and result.probabilities.values.shape == (2, 60, 80)
    assert set(result.timings_ms) == {"integrate", "segment", "fuse"}


def test_geometry_survives_a_failing_segmenter():
    segmenter = WallSegmenter()
    segmenter.fails = True
    mapper = Mapper(CONFIG, segmenter)
    with pytest.raises(SegmenterError):
        mapper.register_frame(wall_frame())
    assert len(mapper.map.surface()) > 100


def test_without_segmenter_it_maps_geometry():
    mapper = Mapper(CONFIG, None, LABELS)
    assert not mapper.register_frame(wall_frame()).keyframe
    assert (mapper.map.surface().labels == -1).all()
    mapper.reset()
    assert len(mapper.map.surface()) == 0


def test_label_images_are_not_corrected_unless_asked_for() -> None:
    external, other = ExternalSegmenter(LABELS), WallSegmenter()
    assert settled(MapConfig(context="auto"), external).context == "none"
    assert settled(MapConfig(context="auto"), other).context == "auto"
    assert settled(MapConfig(context="auto"), None).context == "auto"
    assert settled(MapConfig(context="rooms"), external).context == "rooms"
    assert Mapper(MapConfig(context="auto"), external).map.context is None
