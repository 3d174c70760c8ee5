"""From a click to the text of the panel: at once what the cloud knows, then the probabilities that were asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sem_field_ros.viewer.inspection import HINT, WAITING, Answer, InspectedPoint, PointInspector, PointProbabilities
from sem_field_ros.viewer.picking import Ray

RAY = Ray.through((0, 0, 5), (0, 0, -1))
CHAIR = InspectedPoint(np.array([1.0, -2.0, 0.5]), 7, "chair", (10, 20, 30), 0.834, "map")
SHARES = PointProbabilities(
    ("wall", "chair", "sofa", "a", "b", "c", "never"), np.array([0.1, 0.6, 0.2, 0.04, 0.03, 0.03, 0])
)


class Mapper:
    """Keeps the questions until the test answers them."""

    def __init__(self) -> None:
        self.questions: list[tuple[np.ndarray, Callable[[Answer], None]]] = []

    def ask(self, position: np.ndarray, reply: Callable[[Answer], None]) -> None:
        self.questions.append((position, reply))


def test_nothing_clicked_shows_the_hint_and_a_click_beside_the_map_changes_nothing() -> None:
    inspector = PointInspector(lambda ray: None, None, lambda: None)
    assert HINT in inspector.content() and not inspector.update()
    inspector.click(RAY)
    assert not inspector.update() and HINT in inspector.content()


def test_a_click_shows_label_confidence_and_position_at_once_and_the_probabilities_when_they_come() -> None:
    mapper, woken = Mapper(), []
    inspector = PointInspector(lambda ray: CHAIR, mapper.ask, lambda: woken.append(1))
    inspector.click(RAY)
    assert woken and inspector.update() and not inspector.update()
    content = inspector.content()
    for text in ("chair", "id 7", "confidence 0.83", "x 1.000  y -2.000  z 0.500 m, frame map", WAITING):
        assert text in content
    position, reply = mapper.questions[0]
    assert position.tolist() == [1, -2, 0.5]
    woken.clear()
    reply(SHARES)
    assert woken and inspector.update()
    content = inspector.content()
    assert WAITING not in content
    for name, value in (("chair", "0.60"), ("sofa", "0.20"), ("wall", "0.10"), ("a", "0.04"), ("b", "0.03")):
        assert f">{name}</td>" in content and f">{value}</td>" in content
    assert ">c</td>" not in content and "never" not in content  # five at most


def test_only_the_newest_question_is_answered() -> None:
    mapper = Mapper()
    inspector = PointInspector(lambda ray: CHAIR, mapper.ask, lambda: None)
    for _ in range(2):
        inspector.click(RAY)
        inspector.update()
    (_, first), (_, second) = mapper.questions
    first("late")
    assert not inspector.update() and "late" not in inspector.content()
    second("probabilities not available: the mapper is not there")
    assert inspector.update() and "probabilities not available" in inspector.content()
    inspector.clear()
    assert inspector.update() and HINT in inspector.content()
    second(SHARES)
    assert not inspector.update() and HINT in inspector.content()


def test_without_a_source_of_probabilities_there_is_no_word_of_them() -> None:
    bare = InspectedPoint(np.zeros(3), 255, "unlabelled", (64, 64, 64))
    inspector = PointInspector(lambda ray: bare, None, lambda: None)
    inspector.click(RAY)
    assert inspector.update()
    content = inspector.content()
    assert "unlabelled" in content and "id 255" in content and "x 0.000" in content
    assert "probabilit" not in content and "confidence" not in content and "frame" not in content


def test_an_answer_on_the_spot_is_shown_in_the_same_update() -> None:
    inspector = PointInspector(lambda ray: CHAIR, lambda position, reply: reply(SHARES), lambda: None)
    inspector.click(RAY)
    assert inspector.update() and "0.60" in inspector.content() and not inspector.update()


def test_names_are_text_not_markup() -> None:
    named = InspectedPoint(np.zeros(3), 1, "<img src=x>", (0, 0, 0), 0.5, "<b>")
    evil = PointProbabilities(("<script>", "{x}"), np.array([0.5, 0.5]))
    inspector = PointInspector(lambda ray: named, lambda position, reply: reply(evil), lambda: None)
    inspector.click(RAY)
    inspector.update()
    content = inspector.content()
    assert "<img" not in content and "<script" not in content and "&lt;script&gt;" in content and "&lt;b&gt;" in content


def test_the_most_probable_classes_come_first_and_impossible_ones_not_at_all() -> None:
    assert PointProbabilities(("a", "b", "c"), np.array([0.25, 0.746, 0.004])).top() == [("b", 0.746), ("a", 0.25)]
    assert PointProbabilities(("a",), np.zeros(1)).top() == []
