"""The viewer node, over real DDS, in a headless Chromium: what people see, and what they switch off."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sem_field_msgs.srv import QueryPoints
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from vision_msgs.msg import LabelInfo
from visualization_msgs.msg import MarkerArray

from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.viewpoints import look_at
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.ros.camera_info import camera_info_to_msg
from sem_field_ros.ros.clouds import surface_to_cloud
from sem_field_ros.ros.images import image_to_msg
from sem_field_ros.ros.label_info import label_info_to_msg
from sem_field_ros.ros.mapper_status import PROCESSING, WARN, MapperStatus, status_message
from sem_field_ros.ros.markers import delete_all_markers, update_to_marker_bytes
from sem_field_ros.ros.qos import image_qos, latched_qos, tf_static_qos
from sem_field_ros.ros.transforms import transform_to_msg
from sem_field_ros.surface import Surface, SurfaceUpdate, merge_surfaces
from sem_field_ros.viewer.browser import Browser, find_browser
from tests.ros.conftest import RosHarness
from tests.viewer.pictures import click_color, close_notices, pixels_of, scene_of

pytestmark = pytest.mark.skipif(find_browser() is None, reason="no Chromium: `apt install chromium` to test the viewer")

LABELS = LabelSet("home", (LabelClass(1, "floor", (90, 170, 90)), LabelClass(4, "big sofa", (40, 90, 200))))
OTHERS = LabelSet("lab", (LabelClass(1, "bench", (200, 120, 20)), LabelClass(4, "robot arm", (150, 30, 160))))
HEADER = Header(frame_id="map", stamp=Time(sec=100))
_SCENE_WIDTH = 470  # pixels of the page left of its panel
VIEWER = "sem_field_ros.nodes.viewer.node"


def plane(corner: tuple[float, float, float], size: float, label: int, count: int = 40) -> Surface:
    """A horizontal square with `label` (class index), triangles up, camera colour grey."""
    x, y = np.meshgrid(np.linspace(0, size, count), np.linspace(0, size, count))
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1) + corner
    at = np.arange(count * count).reshape(count, count)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    number = len(vertices)
    grey = np.tile(np.array([128, 128, 128], np.uint8), (number, 1))
    normals = np.tile(np.float32([0, 0, 1]), (number, 1))
    owned, labels = np.ones(number, bool), np.full(number, label, np.int16)
    confidence = np.full(number, 0.9 if label == 0 else 0.4, np.float32)
    return Surface(vertices.astype(np.float32), normals, grey, labels, confidence, faces.astype(np.int32), owned)


FLOOR, SOFA = plane((0, 0, 0), 3.0, 0), plane((1.5, 1.2, 0.5), 1.2, 1)


class Robot:
    """Publishes what a mapper and a camera publish."""

    def __init__(self, ros: RosHarness) -> None:
        node = self.node = ros.node("semantic_mapper")
        self.cloud = node.create_publisher(PointCloud2, "~/semantic_cloud", latched_qos())
        self.mesh = node.create_publisher(MarkerArray, "~/semantic_mesh", latched_qos())
        self.label_info = node.create_publisher(LabelInfo, "~/label_info", latched_qos())
        self.image = node.create_publisher(Image, "camera/color/image_raw", image_qos("reliable"))
        self.overlay = node.create_publisher(Image, "~/label_overlay", image_qos("reliable"))
        self.camera_info = node.create_publisher(CameraInfo, "camera/color/camera_info", image_qos("reliable"))
        self.tf = node.create_publisher(TFMessage, "/tf_static", tf_static_qos())
        self.diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        node.create_timer(0.2, self._camera)

    def show(self, labels: LabelSet, *surfaces: Surface) -> None:
        """Publish cloud, mesh and names."""
        self.label_info.publish(label_info_to_msg(labels, HEADER))
        self.cloud.publish(surface_to_cloud(merge_surfaces(surfaces), labels, HEADER, "label"))
        self.mesh.publish(update_to_marker_bytes(SurfaceUpdate(dict(enumerate(surfaces)), []), labels, HEADER))

    def reset(self) -> None:
        """Publish an empty map."""
        self.cloud.publish(surface_to_cloud(Surface.empty(), LABELS, HEADER))
        self.mesh.publish(delete_all_markers(HEADER))

    def _camera(self) -> None:
        header = Header(frame_id="camera", stamp=self.node.get_clock().now().to_msg())
        pose = look_at(np.array([1.5, -1.5, 1.5]), np.array([1.5, 1.5, 0]), np.array([0, 0, 1.0]))
        self.tf.publish(TFMessage(transforms=[transform_to_msg("map", "camera", 0, pose)]))
        self.camera_info.publish(camera_info_to_msg(Intrinsics(80, 80, 40, 30, 80, 60), header))
        self.image.publish(image_to_msg(np.full((60, 80, 3), (240, 20, 220), np.uint8), header, "rgb8"))
        self.overlay.publish(image_to_msg(np.full((60, 80, 3), (20, 200, 240), np.uint8), header, "rgb8"))
        timings = {"latency": {"p50": 50.0, "p95": 123.4}}
        status = MapperStatus(frames_mapped=7, timings_ms=timings)
        msg = status_message("semantic_mapper", status, {PROCESSING: (WARN, "warm")})
        msg.header = header
        self.diagnostics.publish(msg)


class Page:
    """A browser on the viewer's page; spins ROS while it waits."""

    def __init__(self, ros: RosHarness, browser: Browser) -> None:
        self.ros, self.browser = ros, browser

    def open(self) -> None:
        """Load (or reload) the page."""
        url = self.ros.spin_until(lambda: re.search(r"http://\S+/", self.ros.output()), 30, "the viewer is up").group()
        self.browser.open(url)

    def until_text(self, *texts: str) -> str:
        """Wait until the page shows each of these texts."""
        self.ros.spin_until(lambda: all(t in self.browser.text() for t in texts), 30, f"the page shows {texts}")
        return self.browser.text()

    def count(self, color: tuple[int, int, int], tolerance: int = 6) -> int:
        """Pixels of (about) this colour in the scene, left of the panel."""
        return int(pixels_of(scene_of(self.browser, _SCENE_WIDTH), color, tolerance).sum())

    def until_count(self, color: tuple[int, int, int], low: int, high: int, tolerance: int = 6) -> None:
        """Wait until that many pixels are of this colour."""
        seen: list[int] = []

        def fits() -> bool:
            seen.append(self.count(color, tolerance))
            return low <= seen[-1] <= high

        try:
            self.ros.spin_until(fits, 20, f"{low}..{high} pixels of {color}")
        finally:
            print(f"pixels of {color}: {seen[-5:]}")

    def box(self, name: str) -> str:
        """JavaScript for the checkbox of the class `name`."""
        found = f"[...document.querySelectorAll('label')].find(l => l.innerText.trim().startsWith('{name}'))"
        return f"document.getElementById({found}.htmlFor)"

    def click(self, element: str) -> None:
        """Press the mouse on an element, given as JavaScript."""
        x, y = self.browser.evaluate(
            f"(() => {{ const e = {element}; e.scrollIntoView({{block: 'center'}});"
            " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        self.browser.click(x, y)


@pytest.fixture
def page(ros: RosHarness):
    with Browser(800, 500) as browser:
        yield Page(ros, browser)


def color_of(page: Page, name: str) -> str:
    return str(page.browser.evaluate(f"getComputedStyle({page.box(name)}).backgroundColor"))


def test_classes_are_seen_and_can_be_switched_off(ros: RosHarness, page: Page, tmp_path: Path) -> None:
    ros.start(VIEWER, port=18080, show="points")  # before the mapper
    page.open()
    robot = Robot(ros)
    robot.show(LABELS, FLOOR, SOFA)

    page.until_text("floor 1,600", "big sofa 1,600", "Points", "3,200", "Latency p95", "123 ms", "warm")
    floor, sofa = LABELS.classes[0].color, LABELS.classes[1].color
    page.until_count(floor, 4_000, 10**6)
    page.until_count(sofa, 1_000, 10**6)
    assert color_of(page, "floor") == f"rgb{floor}" and color_of(page, "big sofa") == f"rgb{sofa}"
    page.until_count((240, 20, 220), 100, 10**6, tolerance=20)  # the camera's image in its frustum
    page.browser.save_picture(tmp_path / "viewer.png")

    page.click(page.box("big sofa"))
    page.until_count(sofa, 0, 0)
    assert page.count(floor) > 4_000
    page.open()  # a reload keeps the switch
    page.until_text("big sofa 1,600")
    page.until_count(floor, 4_000, 10**6)
    assert page.count(sofa) == 0
    page.click(page.box("big sofa"))
    page.until_count(sofa, 1_000, 10**6)
    assert robot.overlay.get_subscription_count() == 0
    page.click(page.box("Labels"))  # over the camera image
    page.until_count((20, 200, 240), 100, 10**6, tolerance=20)
    assert page.count((240, 20, 220), tolerance=20) == 0


def test_the_mesh_the_confidence_threshold_and_a_second_browser(ros: RosHarness, page: Page) -> None:
    robot = Robot(ros)
    robot.show(LABELS, FLOOR, SOFA)
    ros.start(VIEWER, port=18080, min_confidence=0.5)  # after the mapper
    page.open()
    page.until_text("floor 1,600", "1,600 of 3,200")
    shaded = tuple(round(0.97 * c) for c in LABELS.classes[0].color)  # faces up, under the viewer's light
    page.until_count(shaded, 4_000, 10**6, tolerance=10)
    assert page.count(LABELS.classes[1].color, 15) == 0  # the sofa is less sure than 0.5
    with Browser(800, 500) as second:
        other = Page(ros, second)
        other.open()
        other.until_text("floor 1,600")
        other.until_count(shaded, 4_000, 10**6, tolerance=10)
        other.click(other.box("floor"))  # one panel for all
        page.until_count(shaded, 0, 0, tolerance=10)


def test_reset_another_label_set_and_damaged_messages(ros: RosHarness, page: Page) -> None:
    robot = Robot(ros)
    robot.show(LABELS, FLOOR, SOFA)
    ros.start(VIEWER, port=18080, show="both")
    page.open()
    page.until_text("big sofa 1,600")
    robot.reset()
    page.until_text("no labelled points yet")
    page.until_count(LABELS.classes[1].color, 0, 0)

    robot.show(OTHERS, FLOOR, SOFA)
    text = page.until_text("bench 1,600", "robot arm 1,600")
    assert "sofa" not in text
    page.until_count(OTHERS.classes[1].color, 1_000, 10**6)

    broken = surface_to_cloud(FLOOR, LABELS, HEADER)
    broken.point_step = 8
    robot.cloud.publish(broken)
    robot.mesh.publish(update_to_marker_bytes(SurfaceUpdate({0: FLOOR}, []), LABELS, HEADER)[:1000])
    page.until_text("do not fit its point_step")
    robot.show(OTHERS, FLOOR)
    ros.spin_until(lambda: "point_step" not in page.browser.text(), 20, "good messages take the notice away")
    assert "mesh message" not in page.browser.text()


class Answers:
    """A query_points service on a node of its own, which is spun only where it shall answer."""

    def __init__(self, ros: RosHarness, spun: bool) -> None:
        self.node = ros.node("answers") if spun else Node("answers", context=ros.context)
        self.requests: list[QueryPoints.Request] = []
        self.success = True
        self._service = self.node.create_service(QueryPoints, "/semantic_mapper/query_points", self._answer)

    def _answer(self, request: QueryPoints.Request, response: QueryPoints.Response) -> QueryPoints.Response:
        self.requests.append(request)
        response.success, response.message = self.success, "the map is asleep"
        response.class_names, response.class_ids = ["floor", "big sofa", "rug"], [1, 4, 9]
        response.num_classes, response.probabilities = 3, [0.08, 0.71, 0.21]
        return response


@pytest.mark.parametrize("show", ["points", "mesh"])
def test_a_click_shows_label_confidence_and_probabilities(ros: RosHarness, page: Page, show: str) -> None:
    robot, answers = Robot(ros), Answers(ros, spun=True)
    robot.show(LABELS, FLOOR, SOFA)
    ros.start(VIEWER, port=18080, show=show)
    page.open()
    page.until_text("floor 1,600", "click the map to see what a point is")
    close_notices(page.browser)
    shade = 1.0 if show == "points" else 0.97  # faces up, under the viewer's light
    floor, sofa = (tuple(round(shade * c) for c in entry.color) for entry in LABELS.classes)
    page.until_count(sofa, 1_000, 10**6, tolerance=10)

    click_color(page.browser, _SCENE_WIDTH, sofa, tolerance=10)
    text = page.until_text("id 4 · confidence 0.40", "frame map", "0.71", "0.21", "0.08", "rug")
    assert text.index("0.71") < text.index("0.21") < text.index("0.08")
    (request,) = answers.requests
    assert request.header.frame_id == "map" and len(request.points) == 1
    point = request.points[0]
    assert 1.5 <= point.x <= 2.7 and 1.2 <= point.y <= 2.4 and point.z == 0.5
    assert f"x {point.x:.3f} y {point.y:.3f} z 0.500 m" in " ".join(text.split())

    answers.success = False
    click_color(page.browser, _SCENE_WIDTH, floor, tolerance=10)
    page.until_text("id 1 · confidence 0.90", "probabilities not available: the map is asleep")
    page.browser.click(5, 5)  # beside the map: nothing changes
    ros.spin_for(1.0)
    assert len(answers.requests) == 2 and "id 1 · confidence 0.90" in page.browser.text()
    robot.reset()
    page.until_text("click the map to see what a point is")


def test_a_click_without_an_answer_says_so_and_the_page_goes_on(ros: RosHarness, page: Page) -> None:
    robot = Robot(ros)
    robot.show(LABELS, FLOOR, SOFA)
    ros.start(VIEWER, port=18080, show="points", query_timeout_s=2.0, use_sim_time=True)  # and no /clock: paused
    page.open()
    sofa = LABELS.classes[1].color
    close_notices(page.browser)
    page.until_count(sofa, 1_000, 10**6)
    click_color(page.browser, _SCENE_WIDTH, sofa)
    page.until_text("id 4", "probabilities not available: there is no service semantic_mapper/query_points")
    silent = Answers(ros, spun=False)
    ros.spin_for(2.0)  # the viewer finds the service
    click_color(page.browser, _SCENE_WIDTH, sofa)
    page.until_text("id 4", "waiting for the probabilities")
    robot.show(OTHERS, FLOOR, SOFA)
    page.until_text("robot arm 1,600")  # drawing does not wait
    page.until_text("semantic_mapper/query_points did not answer within 2 s")
    silent.node.destroy_node()


def test_nobody_works_for_a_viewer_that_nobody_watches(ros: RosHarness, page: Page) -> None:
    robot = Robot(ros)
    robot.show(LABELS, FLOOR)
    viewer = ros.start(VIEWER, port=18080)
    counts = [robot.cloud.get_subscription_count, robot.mesh.get_subscription_count, robot.image.get_subscription_count]
    ros.spin_until(lambda: robot.label_info.get_subscription_count() == 1, 20, "the viewer listens for names")
    ros.spin_for(1.5)
    assert [count() for count in counts] == [0, 0, 0]
    page.open()
    ros.spin_until(lambda: [count() for count in counts] == [1, 1, 1], 20, "a watched viewer listens")
    page.browser.open("about:blank")
    ros.spin_until(lambda: [count() for count in counts] == [0, 0, 0], 20, "nobody watches any more")
    start = time.monotonic()
    os.kill(viewer.pid, signal.SIGINT)
    assert ros.wait(viewer) == 0 and time.monotonic() - start < 8
    assert "Traceback" not in ros.output()
