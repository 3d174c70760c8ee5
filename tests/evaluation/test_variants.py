"""Maps that are compared, by a short text."""

from __future__ import annotations

import pytest

from sem_field_ros.errors import SettingError
from sem_field_ros.evaluation.variants import variant_of, with_contexts
from sem_field_ros.mapping.config import MapConfig

CONFIG = MapConfig(smoothing_cell_m=0.1, context="none")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("bayesian", ("bayesian", 0.1, "none")),
        ("gnesf:0", ("gnesf", 0.0, "none")),
        ("majority:0.3+rooms", ("majority", 0.3, "rooms")),
        ("confidence+auto", ("confidence", 0.1, "auto")),
    ],
)
def test_texts(text: str, wanted: tuple[str, float, str]) -> None:
    found = variant_of(CONFIG, text)
    assert (found.fusion, found.smoothing_cell_m, found.context) == wanted


def test_texts_that_are_none() -> None:
    for text, message in (
        ("bayesian:x", "bayesian:x: 'x' must be a length in metres"),
        ("bayesian+kitchen", "context must be one of none, auto, rooms, got 'kitchen'"),
        ("best", "fusion must be one of"),
    ):
        with pytest.raises(SettingError, match=message):
            variant_of(CONFIG, text)


def test_every_fusion_with_every_context() -> None:
    assert with_contexts(["a", "b"], ["none", "rooms"]) == ["a+none", "a+rooms", "b+none", "b+rooms"]
    assert with_contexts(("a",), []) == ["a"]
