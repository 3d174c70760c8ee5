"""The thread that reads ahead for the player: what it skips, and what must end the player instead of stopping it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy")

from sem_field_ros.errors import FrameError
from sem_field_ros.nodes.player.node import SequencePlayer

pytestmark = pytest.mark.timeout(20)  # the fault was a wait without end


class Playing:
    """What SequencePlayer reads of itself while it prepares moments, with a playback of given answers."""

    def __init__(self, *answers: object) -> None:
        self.warnings: list[str] = []
        self._playback = _Playback(answers)

    def get_logger(self) -> SimpleNamespace:
        return SimpleNamespace(warning=self.warnings.append)


class _Playback:
    ahead = 2

    def __init__(self, answers: tuple[object, ...]) -> None:
        self._answers = answers

    def __iter__(self):
        return map(_given, self._answers)


def _given(answer: object) -> object:
    if isinstance(answer, Exception):
        raise answer
    return answer


def test_frames_that_cannot_be_read_are_skipped() -> None:
    playing = Playing("a", FrameError("broken", cause="bad_image"), "b")
    assert list(SequencePlayer._prepared(playing)) == ["a", "b"]
    assert playing.warnings == ["frame left out: broken"]


def test_what_else_goes_wrong_reaches_the_player() -> None:
    moments = SequencePlayer._prepared(Playing("a", RuntimeError("bytes that are no message"), "b"))
    assert next(moments) == "a"
    with pytest.raises(RuntimeError, match="no message"):
        next(moments)
