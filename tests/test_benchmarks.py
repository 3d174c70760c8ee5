"""The benchmarks: all can be imported, and the stages that they time are those of the map."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from sem_field_ros.fusion.registry import make_fusion
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.mapping.semantic_map import SemanticMap
from tests.mapping.scene import LABELS, wall_frame, wall_probabilities

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """As scripts they import each other by name."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCHMARKS.glob("*.py")))
def test_it_can_be_imported(name: str) -> None:
    if name == "soak":
        pytest.importorskip("rclpy", reason="needs ROS 2")
    assert importlib.import_module(name).__doc__


def test_every_stage_is_timed() -> None:
    times = importlib.import_module("stage_times")
    semantic_map = SemanticMap(MapConfig(min_weight=1.0), LABELS, make_fusion("bayesian"))
    stages = times.StageTimes(semantic_map)
    semantic_map.integrate(wall_frame())
    semantic_map.vote(wall_frame(), wall_probabilities(wall_frame()))
    semantic_map.update_surface()
    spent = stages.take()
    assert {"integrate", "surface", *times.VOTING, "smooth"} == set(spent) and min(spent.values()) > 0
    assert stages.take() == {}
