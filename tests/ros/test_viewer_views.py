"""The viewer's panel `View from here` in a real browser: asks the view renderer for the view of the page's camera."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sem_field_msgs.srv import RenderView
from std_msgs.msg import Header

from sem_field_ros.camera_stream.camera_info import intrinsics_from_msg
from sem_field_ros.geometry.camera import project
from sem_field_ros.geometry.poses import inverse, pose_from_quaternion, transform_points
from sem_field_ros.ros.images import image_to_msg, labels_to_msg
from sem_field_ros.viewer.browser import find_browser
from tests.ros.conftest import RosHarness
from tests.ros.test_viewer import FLOOR, LABELS, VIEWER, Page, Robot, page  # noqa: F401 (a fixture)
from tests.viewer.pictures import close_notices, pixels_of, scene_of

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium: `apt install chromium` to test the viewer")

SHOWN = (40, 230, 120)  # what the renderer answers
PAGE_WIDTH = 800


class Renderer:
    """A view renderer that answers with one colour and one class."""

    def __init__(self, ros: RosHarness) -> None:
        self.node = ros.node("view_renderer")
        self.requests: list[RenderView.Request] = []
        self.success = True
        self._service = self.node.create_service(RenderView, "~/render_view", self._answer)

    def _answer(self, request: RenderView.Request, response: RenderView.Response) -> RenderView.Response:
        self.requests.append(request)
        size = request.camera_info.height, request.camera_info.width
        response.success = self.success
        response.message = "rendered 40x30, enlarged" if self.success else "no keyframe shows anything in this view"
        if self.success:
            response.rgb = image_to_msg(np.full((*size, 3), SHOWN, np.uint8), Header(), "rgb8")
            response.labels = labels_to_msg(np.full(size, 1, np.uint8), Header())
            response.class_ids, response.class_names = [1, 4], ["floor", "big sofa"]
            response.coverage, response.time_s = 0.75, 0.2
        return response


def button(name: str) -> str:
    return f"[...document.querySelectorAll('button')].find(b => b.innerText.trim() === '{name}')"


def until_panel_has(page: Page, color: Any, tolerance: int = 12) -> None:  # noqa: F811
    """Wait until a good part of the page, its panel included, has a colour (of a JPEG)."""
    page.ros.spin_until(
        lambda: pixels_of(scene_of(page.browser, PAGE_WIDTH), color, tolerance).sum() > 2000, 20, f"an image of {color}"
    )


def drag(page: Page) -> None:  # noqa: F811
    """Turn the page's camera with the mouse."""
    for kind, x in (("mousePressed", 100), ("mouseMoved", 140), ("mouseMoved", 180), ("mouseReleased", 180)):
        page.browser.command("Input.dispatchMouseEvent", type=kind, x=x, y=400, button="left", clickCount=1)
        page.ros.spin_for(0.05)


def test_the_view_of_the_pages_camera_is_shown_beside_the_map(ros: RosHarness, page: Page) -> None:  # noqa: F811
    robot = Robot(ros)
    robot.show(LABELS, FLOOR)
    ros.start(VIEWER, port=18080, show="points", query_timeout_s=2.0)
    page.open()
    page.until_text("floor 1,600", "switch on Follow, or press Render")
    close_notices(page.browser)
    page.click(button("Render"))
    page.until_text("no view renderer running", "render_views:=true")

    renderer = Renderer(ros)
    ros.spin_for(1.0)
    page.click(button("Render"))
    page.until_text("rendered 40x30, enlarged (0.20 s); 75 % of it known")
    until_panel_has(page, SHOWN)
    (request,) = renderer.requests
    assert request.pose.header.frame_id == "map" and request.camera_info.width == 320
    pose, camera = pose_of(request), intrinsics_from_msg(request.camera_info)
    pixels, z = project(transform_points(inverse(pose), np.array([[1.5, 1.5, 0.0]])), camera)
    assert z[0] > 1 and 0 < pixels[0, 0] < 320 and 0 < pixels[0, 1] < camera.height, "the map is in this view"

    page.click(page.box("View labels"))
    floor = np.array(LABELS.classes[0].color)
    until_panel_has(page, np.round(0.4 * np.array(SHOWN) + 0.6 * floor).astype(int))
    page.click(page.box("View labels"))

    page.click(page.box("Follow"))
    ros.spin_until(lambda: len(renderer.requests) == 2, 10, "Follow asks at once")
    drag(page)
    ros.spin_until(lambda: len(renderer.requests) >= 3, 10, "and again when the camera has moved")
    ros.spin_for(1.5)
    count = len(renderer.requests)
    assert count <= 6, "not once for every move of the mouse"
    assert np.abs(pose_of(renderer.requests[-1]) - pose).max() > 0.05
    ros.spin_for(1.0)
    assert len(renderer.requests) == count, "a camera that rests is not rendered again"
    renderer.success = False
    page.click(button("Render"))
    page.until_text("no view: no keyframe shows anything in this view")
    assert "Traceback" not in ros.output()


def pose_of(request: RenderView.Request) -> np.ndarray:
    p, q = request.pose.pose.position, request.pose.pose.orientation
    return pose_from_quaternion(np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w]))
