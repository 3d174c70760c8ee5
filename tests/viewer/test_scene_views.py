"""Views of a scene in the viewer's own process: answered once, in time, with one line where there is none."""

from __future__ import annotations

import queue
import time

import numpy as np
import pytest

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.labels import load_label_set
from sem_field_ros.surface import RenderedView
from sem_field_ros.viewer.rendered_view import ShownView, ViewAnswer
from sem_field_ros.viewer.scene_views import SceneViews

LABELS = load_label_set("scannet20")
CAMERA = Intrinsics(260, 260, 159.5, 119.5, 320, 240)


class Scene:
    """One colour and class, or nothing, in a time per pixel."""

    def __init__(self, per_pixel: float = 0.0, known: bool = True, error: Exception | None = None) -> None:
        self.per_pixel, self.known, self.error = per_pixel, known, error

    def render(self, camera: Intrinsics, T_world_camera: np.ndarray) -> RenderedView:
        if self.error is not None:
            raise self.error
        size = camera.height, camera.width
        time.sleep(self.per_pixel * size[0] * size[1])
        index = np.full(size, LABELS.index_of("chair") if self.known else -1, np.int16)
        return RenderedView(rgb=np.full((*size, 3), 90, np.uint8), labels=index)


def ask(views: SceneViews) -> ViewAnswer:
    answers: queue.Queue[ViewAnswer] = queue.Queue()
    views.ask(CAMERA, np.eye(4), answers.put)
    answer = answers.get(timeout=20)
    time.sleep(0.05)
    assert answers.empty()
    return answer


def test_a_view_has_the_size_that_was_asked_for_and_ids_of_the_label_set() -> None:
    answer = ask(SceneViews(Scene(), LABELS))
    assert isinstance(answer, ShownView) and answer.rgb.shape == (240, 320, 3)
    assert np.unique(answer.label_ids).tolist() == [5] and answer.names[5] == "chair"
    assert answer.text.startswith("rendered 320x240 (") and answer.text.endswith("100 % of it known")


def test_a_slow_scene_is_coarser() -> None:
    views = SceneViews(Scene(per_pixel=1e-5), LABELS, deadline_s=0.3)  # 0.8 s for all pixels
    for _ in range(2):
        start = time.monotonic()
        answer = ask(views)
        assert isinstance(answer, ShownView) and "rendered 320x240" not in answer.text
        assert answer.rgb.shape == (240, 320, 3) and time.monotonic() - start < 0.7


@pytest.mark.parametrize(
    ("scene", "line"),
    [
        (Scene(known=False), "no view: nothing is known of what is in this view"),
        (Scene(error=RuntimeError("out of memory")), "no view: RuntimeError: out of memory"),
    ],
)
def test_no_view_is_one_line(scene: Scene, line: str) -> None:
    assert ask(SceneViews(scene, LABELS)) == line
