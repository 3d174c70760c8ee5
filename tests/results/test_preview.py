"""preview.png: what is on it, where, and in which colours, for a box room whose picture is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.errors import OutputError
from sem_field_ros.geometry.viewpoints import look_at
from sem_field_ros.labels import LabelClass, LabelSet
from sem_field_ros.results import preview
from sem_field_ros.surface import Surface, merge_surfaces

LABELS = LabelSet(
    "test",
    (
        LabelClass(1, "floor", (0, 200, 0)),
        LabelClass(2, "wall", (0, 0, 220)),
        LabelClass(3, "ceiling", (220, 0, 0)),
        LabelClass(4, "never seen", (200, 200, 0)),
    ),
)


def quad(origin: tuple, a: tuple, b: tuple, label: int, n: int = 12) -> Surface:
    """An n x n grid mesh whose front is the side of a x b, one label; colour (10, 20 * label, 30)."""
    s, t = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n))
    vertices = np.array(origin) + s.reshape(-1, 1) * np.array(a) + t.reshape(-1, 1) * np.array(b)
    i = np.arange(n * n).reshape(n, n)
    first = np.stack([i[:-1, :-1], i[:-1, 1:], i[1:, :-1]], -1).reshape(-1, 3)
    second = np.stack([i[1:, :-1], i[:-1, 1:], i[1:, 1:]], -1).reshape(-1, 3)
    normal = np.cross(a, b) / np.linalg.norm(np.cross(a, b))
    return Surface(
        vertices.astype(np.float32),
        np.tile(normal, (n * n, 1)).astype(np.float32),
        np.full((n * n, 3), (10, 200, 30), np.uint8),
        np.full(n * n, label, np.int16),
        np.ones(n * n, np.float32),
        np.concatenate([first, second]).astype(np.int32),
        np.ones(n * n, bool),
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw a quarter of the pixels, without smoothing."""
    monkeypatch.setattr(preview, "_SCALE", 1)


@pytest.fixture
def room() -> Surface:
    """A closed 4 x 3 x 2.5 m room seen from inside: all normals point inwards."""
    return merge_surfaces(
        [
            quad((0, 0, 0), (4, 0, 0), (0, 3, 0), 0),
            quad((0, 0, 2.5), (0, 3, 0), (4, 0, 0), 2),
            quad((0, 0, 0), (0, 3, 0), (0, 0, 2.5), 1),
            quad((4, 0, 0), (0, 0, 2.5), (0, 3, 0), 1),
            quad((0, 0, 0), (0, 0, 2.5), (4, 0, 0), 1),
            quad((0, 3, 0), (4, 0, 0), (0, 0, 2.5), -1),
        ]
    )


def shows(image: np.ndarray, color: tuple[int, int, int]) -> float:
    """Share of pixels whose colour is a shade of `color` (same direction in RGB, not too dark)."""
    pixels = image.reshape(-1, 3).astype(float)
    length = np.linalg.norm(pixels, axis=1)
    cosine = pixels @ np.array(color) / np.maximum(length * np.linalg.norm(color), 1e-9)
    return float(((cosine > 0.999) & (length > 60)).mean())


def panel(image: np.ndarray, column: int, row: int) -> np.ndarray:
    (width, height), gap = preview._PANEL, preview._GAP
    x, y = gap + column * (width + gap), preview._TITLE_HEIGHT + row * (height + gap)
    return image[y : y + height, x : x + width]


def test_the_room_opens_like_a_dolls_house(room: Surface, tmp_path: Path) -> None:
    path = preview.write_preview(tmp_path / "new" / "preview.png", room, LABELS, title="Room")
    image = cv2.imread(str(path))[..., ::-1]
    for column in (0, 1):
        by_label, by_rgb = panel(image, column, 0), panel(image, column, 1)
        assert shows(by_label, (0, 200, 0)) > 0.1
        assert shows(by_label, (0, 0, 220)) > 0.05
        assert shows(by_label, (220, 0, 0)) == 0  # the ceiling is seen from behind
        assert shows(by_rgb, (10, 200, 30)) > 0.3
        assert shows(by_rgb, (0, 0, 220)) == 0
    assert [p.name for p in path.parent.iterdir()] == ["preview.png"]  # no temporary file stays


@pytest.mark.usefixtures("quick")
def test_the_legend_has_the_classes_present_and_their_shares(room: Surface) -> None:
    rows = preview.label_shares(room, LABELS)
    assert [(name, round(share, 4)) for name, _, share in rows] == [
        ("wall", 0.5), ("floor", 0.1667), ("ceiling", 0.1667), ("unlabelled", 0.1667)
    ]  # fmt: skip
    image = preview.draw_preview(room, LABELS, None, "Room")
    legend = image[:, 2 * preview._PANEL[0] + 3 * preview._GAP :]
    for color, present in ((LABELS.classes[2].color, True), (LABELS.classes[3].color, False)):
        assert ((legend == color).all(axis=-1).sum() >= 300) == present


def test_shares_count_each_point_once(room: Surface) -> None:
    doubled = merge_surfaces([room, quad((0, 0, 0), (4, 0, 0), (0, 3, 0), 0)])
    doubled.owned[len(room) :] = False
    assert preview.label_shares(doubled, LABELS) == preview.label_shares(room, LABELS)


@pytest.mark.usefixtures("quick")
def test_a_cloud_without_faces_is_drawn_as_points(room: Surface) -> None:
    image = preview.draw_preview(room.cloud(), LABELS, None, "Cloud")
    assert shows(panel(image, 0, 0), (0, 200, 0)) > 0.05
    assert shows(panel(image, 0, 0), (220, 0, 0)) == 0


@pytest.mark.usefixtures("quick")
def test_the_camera_path_is_drawn(room: Surface) -> None:
    poses = [look_at(np.array([x, 1.5, 1.2]), np.array([x, 3.0, 1.2]), np.array([0, 0, 1.0])) for x in (1, 2, 3.0)]
    without = preview.draw_preview(room, LABELS, None, "Room")
    with_path = preview.draw_preview(room, LABELS, poses, "Room")
    assert shows(panel(without, 0, 1), preview._PATH) == 0
    assert shows(panel(with_path, 0, 1), preview._PATH) > 0.0002


@pytest.mark.usefixtures("quick")
def test_an_empty_map_gives_a_picture_that_says_so(tmp_path: Path) -> None:
    path = preview.write_preview(tmp_path / "p.png", Surface.empty(), LABELS, [])
    assert cv2.imread(str(path)).shape == (1248, 1948, 3)


@pytest.mark.usefixtures("quick")
def test_a_place_that_cannot_be_written_is_one_clear_line(room: Surface, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        preview.write_preview(tmp_path / "file" / "preview.png", room, LABELS)
