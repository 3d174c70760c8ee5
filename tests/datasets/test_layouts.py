"""Layouts of apps, SLAM systems and tools: two frames written in each are read back with values known by hand.

Every recording is of the same two views: the camera at x = 0 and 1, looking along the world's x axis (known_view.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from sem_field_ros.datasets.open_sequence import DATASETS, open_sequence
from sem_field_ros.errors import DataError
from sem_field_ros.geometry.poses import T_OPTICAL_OPENGL, inverse, quaternion_from_pose

from . import known_view as view

W, H, F = 64, 48, 50.0
K = np.array([[F, 0, 31.5], [0, F, 23.5], [0, 0, 1]])
OPENGL = [view.pose_at(float(i)) @ T_OPTICAL_OPENGL for i in range(3)]
Y_UP = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])  # z up -> y up


def put(folder: Path, n: int, color: str, depth: str = "", units: float = 1000.0, size=(H, W)) -> None:
    view.write_image(folder / color, view.picture(n, *size))
    if depth:
        view.write_image(folder / depth, np.full((H // 2, W // 2), round((2 + n / 10) * units), np.uint16))


def rows(matrices) -> str:
    return "\n".join(" ".join(f"{v:.9f}" for v in np.ravel(m)) for m in matrices) + "\n"


def poses(count: int = 2) -> list[np.ndarray]:
    return [view.pose_at(float(i)) for i in range(count)]


def transforms_json(folder: Path) -> None:
    frames = []
    for n in range(3):
        put(folder, n, f"images/f_{n}.png", f"depths/f_{n}.png")
        frames.append({"file_path": f"images/f_{n}" + ".png" * (n > 0), "depth_file_path": f"depths/f_{n}.png",
                       "transform_matrix": OPENGL[n].tolist()})  # fmt: skip
    (folder / "images/f_2.png").unlink()
    content = {"fl_x": F, "fl_y": F, "cx": 32, "cy": 24, "w": W, "h": H, "frames": frames}
    view.write_text(folder / "transforms.json", json.dumps(content))


def polycam(folder: Path) -> None:
    for n, T in enumerate(OPENGL):
        stem = f"keyframes/corrected_images/{1_700_000_000_000_000 + n}.jpg"
        put(folder, n, stem, f"keyframes/depth/{1_700_000_000_000_000 + n}.png")
        values = {f"t_{r}{c}": (Y_UP @ T)[r, c] for r in range(3) for c in range(4)}
        values |= {"fx": F, "fy": F, "cx": 32, "cy": 24, "width": W, "height": H}
        view.write_text(folder / f"keyframes/corrected_cameras/{1_700_000_000_000_000 + n}.json", json.dumps(values))
    (folder / "keyframes/depth/1700000000000002.png").unlink()


def record3d(folder: Path) -> None:
    listed = []
    for n, T in enumerate(OPENGL[:2]):
        put(folder, n, f"rgbd/{n}.jpg", f"depth/{n}.png")
        listed.append([*quaternion_from_pose(Y_UP @ T), *(Y_UP @ T)[:3, 3]])
    put(folder, 2, "rgbd/2.jpg")
    view.write_text(
        folder / "metadata", json.dumps({"w": W, "h": H, "K": K.T.ravel().tolist(), "fps": 60, "poses": listed})
    )


def nice_slam(folder: Path) -> None:
    for n in range(2):
        put(folder, n, f"results/frame{n:06d}.jpg", f"results/depth{n:06d}.png", 6553.5)
    put(folder, 2, "results/frame000002.jpg")
    view.write_text(folder / "traj.txt", rows(poses(3)))
    camera = {"w": W, "h": H, "fx": F, "fy": F, "cx": 31.5, "cy": 23.5, "scale": 6553.5}
    view.write_text(folder.parent / "cam_params.json", json.dumps({"camera": camera}))


def colmap(folder: Path) -> None:
    lines = ["# Image list"]
    for n, T in enumerate(poses(3)):
        put(folder, n, f"images/{n:04d}.jpg", f"depth/{n:04d}.png" if n < 2 else "")
        x, y, z, w = quaternion_from_pose(inverse(T))
        t = inverse(T)[:3, 3]
        lines += [f"{n + 1} {w} {x} {y} {z} {t[0]} {t[1]} {t[2]} 1 {n:04d}.jpg", ""]
    view.write_text(folder / "sparse/0/images.txt", "\n".join(lines))
    view.write_text(folder / "sparse/0/cameras.txt", f"# cameras\n1 PINHOLE {W} {H} {F} {F} 32 24\n")


def redwood(folder: Path) -> None:
    text = ""
    for n, T in enumerate(poses()):
        put(folder, n, f"color/{n:05d}.jpg", f"depth/{n:05d}.png")
        text += f"{n} {n} {n + 1}\n" + "\n".join(" ".join(map(str, row)) for row in T) + "\n"
    view.write_text(folder / "trajectory.log", text)
    camera = {"width": W, "height": H, "intrinsic_matrix": K.T.ravel().tolist()}
    view.write_text(folder / "camera.json", json.dumps(camera))


def stray_scanner(folder: Path) -> None:
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    for n, T in enumerate(poses(3)):
        put(folder, n, f"rgb/{n:06d}.png", f"depth/{n:06d}.png" if n < 2 else "")
        sure = np.full((H // 2, W // 2), 2, np.uint8)
        sure[0] = 0
        view.write_image(folder / f"confidence/{n:06d}.png", sure)
        lines.append(", ".join(str(v) for v in (100.5 + n, f"{n:06d}", *T[:3, 3], *quaternion_from_pose(T))))
    view.write_text(folder / "odometry.csv", "\n".join(lines))
    view.write_text(folder / "camera_matrix.csv", "\n".join(",".join(map(str, row)) for row in K))


def arkit_scenes(folder: Path) -> None:
    lines = []
    for n, T in enumerate(poses(3)):
        name = f"41069021_{100 + n / 10:.3f}"
        put(folder, n, f"lowres_wide/{name}.png", f"lowres_depth/{name}.png" if n < 2 else "")
        view.write_text(folder / f"lowres_wide_intrinsics/{name}.pincam", f"{W} {H} {F} {F} 31.5 23.5")
        T_camera_world = inverse(T)
        axis = cv2.Rodrigues(T_camera_world[:3, :3])[0].ravel()
        lines.append(" ".join(str(v) for v in (100 + n / 10 + 0.001, *axis, *T_camera_world[:3, 3])))
    view.write_text(folder / "lowres_wide.traj", "\n".join(lines))


def scannetpp(folder: Path) -> None:
    content = {}
    for n, T in enumerate(poses(3)):
        put(folder, n, f"iphone/rgb/frame_{n:06d}.jpg", f"iphone/depth/frame_{n:06d}.png" if n < 2 else "")
        values = {"timestamp": 5.0 + n, "pose": np.eye(4).tolist(), "aligned_pose": T.tolist(), "intrinsic": K.tolist()}
        content[f"frame_{n:06d}"] = values
    view.write_text(folder / "iphone/pose_intrinsic_imu.json", json.dumps(content))


def bundle_fusion(folder: Path) -> None:
    for n, T in enumerate(poses(3)):
        put(folder, n, f"frame-{n:06d}.color.jpg", f"frame-{n:06d}.depth.png")
        if n < 2:
            view.write_matrix(folder / f"frame-{n:06d}.pose.txt", T)
    matrix = np.eye(4)
    matrix[:3, :3] = K
    view.write_text(folder / "_info.txt", f"m_versionNumber = 4\nm_colorWidth = {W}\nm_colorHeight = {H}\n"
                    f"m_depthShift = 1000\nm_calibrationColorIntrinsic = {rows([matrix])}")  # fmt: skip


def tsdf_fusion(folder: Path) -> None:
    bundle_fusion(folder)
    (folder / "_info.txt").unlink()
    view.write_matrix(folder.parent / "camera-intrinsics.txt", K)


def poses_and_k(folder: Path) -> None:
    for n in range(2):
        put(folder, n, f"images/{n:05d}.png", f"depth/{n:05d}.png")
    view.write_text(folder / "poses.txt", rows(T[:3] for T in poses()))
    view.write_matrix(folder / "K.txt", K)


def rgb_depth_pose(folder: Path) -> None:
    for n, T in enumerate(poses()):
        put(folder, n, f"rgb/{n}.png", f"depth/{n}.png")
        view.write_matrix(folder / f"pose/{n}.txt", T)
    view.write_matrix(folder / "intrinsics.txt", K)


# layout -> how it is written, its name in DATASETS, frames without all their files
LAYOUTS: dict[str, tuple[Callable[[Path], None], str, int]] = {
    "transforms.json": (transforms_json, "transforms-json", 1),
    "Polycam": (polycam, "polycam", 1),
    "Record3D": (record3d, "record3d", 1),
    "NICE-SLAM": (nice_slam, "nice-slam", 1),
    "COLMAP": (colmap, "colmap", 1),
    "Redwood": (redwood, "redwood", 0),
    "Stray Scanner": (stray_scanner, "stray-scanner", 1),
    "ARKitScenes": (arkit_scenes, "arkitscenes", 1),
    "ScanNet++": (scannetpp, "scannetpp", 1),
    "BundleFusion": (bundle_fusion, "7scenes", 1),
    "tsdf-fusion": (tsdf_fusion, "7scenes", 1),
    "poses and K": (poses_and_k, "poses-and-k", 0),
    "rgb depth pose": (rgb_depth_pose, "", 0),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_is_recognised_and_read(layout: str, tmp_path: Path) -> None:
    write, name, missing = LAYOUTS[layout]
    folder = tmp_path / "scene"
    write(folder)
    sequence = open_sequence(folder)
    assert not name or isinstance(sequence, DATASETS[name])
    assert len(sequence) == 2 and sequence.skipped == missing and sequence.has_depth
    frames = list(sequence)
    for n, frame in enumerate(frames):
        np.testing.assert_allclose(frame.T_world_camera, view.pose_at(float(n)), atol=1e-6)
        assert (frame.camera.fx, frame.camera.fy, frame.camera.cx, frame.camera.cy) == pytest.approx((F, F, 31.5, 23.5))
        np.testing.assert_allclose(frame.depth[1:], 2 + n / 10, atol=2e-4)
        assert np.abs(frame.color[3, 3].astype(int) - view.picture(n)[0, 0]).max() < 12
    # half-size depth pixel (5, 21): colour pixel (10.5, 42.5), 0.26 above and 0.22 right of the middle at 1 m
    np.testing.assert_allclose(view.world_point(frames[0], 5, 21), [2, 2 - 2 * 11 / F, 1.5 + 2 * 13 / F], atol=1e-3)
    stamps = sequence.stamps_ns
    assert 0 < stamps[0] < stamps[1]


def test_stamps_and_confidence_of_the_apps(tmp_path: Path) -> None:
    stray_scanner(tmp_path / "stray")
    sequence = open_sequence(tmp_path / "stray")
    assert sequence.stamps_ns == [100_500_000_000, 101_500_000_000] and sequence.times_known
    assert not next(iter(sequence)).depth[0].any()  # confidence 0
    polycam(tmp_path / "polycam")
    assert open_sequence(tmp_path / "polycam").stamps_ns[0] == 1_700_000_000_000_000_000
    record3d(tmp_path / "record3d")
    assert open_sequence(tmp_path / "record3d").stamps_ns == [16_666_667, 33_333_333]


def test_a_camera_of_another_shape_is_refused(tmp_path: Path) -> None:
    nice_slam(tmp_path / "scene")
    (tmp_path / "cam_params.json").unlink()  # the data set's own camera is 1200x680
    with pytest.raises(DataError, match=r"frame000000.jpg is 64x48, its camera for 1200x680"):
        list(open_sequence(tmp_path / "scene"))
    tsdf_fusion(tmp_path / "tsdf")
    (tmp_path / "camera-intrinsics.txt").unlink()
    assert "the Kinect of 7-Scenes is assumed" in open_sequence(tmp_path / "tsdf").notes[0]


def test_record3d_depth_that_is_not_read_is_noted(tmp_path: Path) -> None:
    record3d(tmp_path)
    for file in (tmp_path / "depth").iterdir():
        file.unlink()
    (tmp_path / "rgbd/0.depth").write_bytes(b"bvx2")
    sequence = open_sequence(tmp_path)
    assert len(sequence) == 2 and not sequence.has_depth and "LZFSE" in sequence.notes[0]


def test_icl_nuim_is_turned_over(tmp_path: Path) -> None:
    """Its y axes point up in a left-handed world: the camera 1 m up that moves right is the camera at y = -1."""
    lines, truth = [], ""
    for n in range(3):
        view.write_image(tmp_path / f"rgb/{n}.png", view.picture(n, 480, 640))
        view.write_image(tmp_path / f"depth/{n}.png", np.full((480, 640), 10_000, np.uint16))
        lines.append(f"{n} depth/{n}.png {n} rgb/{n}.png")
        truth += f"{n} {0.1 * n} 1.0 0 0 0.258819 0 0.965926\n" if n else ""  # 30 degrees about y
    view.write_text(tmp_path / "associations.txt", "\n".join(lines))
    view.write_text(tmp_path / "livingRoom0.gt.freiburg", truth)
    sequence = open_sequence(tmp_path)
    assert isinstance(sequence, DATASETS["icl-nuim"]) and len(sequence) == 2 and sequence.skipped == 1
    frame = next(iter(sequence))
    np.testing.assert_allclose(frame.T_world_camera[:3, 3], [0.1, -1, 0], atol=1e-6)
    turned = cv2.Rodrigues(np.array([0, np.radians(30), 0]))[0]
    np.testing.assert_allclose(frame.T_world_camera[:3, :3], turned, atol=1e-5)
    assert (frame.camera.fx, frame.camera.fy, frame.depth[0, 0]) == (481.2, 480, 2)


def test_colmap_lens_and_binary_models(tmp_path: Path) -> None:
    colmap(tmp_path)
    cameras = tmp_path / "sparse/0/cameras.txt"
    cameras.write_text(f"1 SIMPLE_RADIAL {W} {H} {F} 32 24 0.1\n")
    assert open_sequence(tmp_path).read(0).camera.fy == F
    cameras.write_text(f"1 THIN_PRISM {W} {H} {F} 32 24 0.1\n")
    with pytest.raises(DataError, match="camera model THIN_PRISM is none of SIMPLE_PINHOLE"):
        open_sequence(tmp_path)
    for name in ("cameras", "images"):
        (tmp_path / f"sparse/0/{name}.txt").rename(tmp_path / f"sparse/0/{name}.bin")
    with pytest.raises(DataError, match="model_converter --output_type TXT"):
        open_sequence(tmp_path)


@pytest.mark.parametrize(
    ("layout", "file", "content", "says"),
    [
        ("transforms.json", "transforms.json", '{"frames": [{"file_path": "images/f_1.png"}]}', "needs file_path"),
        ("Polycam", "keyframes/corrected_cameras/1700000000000000.json", "{}", "expected fx fy cx cy"),
        ("Record3D", "metadata", '{"w": 1}', "expected w, h, K"),
        ("NICE-SLAM", "traj.txt", "1 2 3", "3 numbers: expected rows of 16"),
        ("Stray Scanner", "odometry.csv", "1.0, 0, 1, 2", "expected timestamp, frame, x"),
        ("ARKitScenes", "lowres_wide.traj", "1 2 3", "expected lines 'seconds rx"),
        ("ScanNet++", "iphone/pose_intrinsic_imu.json", '{"frame_000000": {}}', "needs pose"),
        ("Redwood", "camera.json", "{}", "expected width, height"),
        ("BundleFusion", "_info.txt", "m_colorWidth = x", "expected m_colorWidth"),
        ("poses and K", "poses.txt", "1 2 3", "3 numbers for 2 images"),
    ],
)
def test_what_is_wrong_is_one_line(layout: str, file: str, content: str, says: str, tmp_path: Path) -> None:
    LAYOUTS[layout][0](tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(DataError, match=says) as error:
        list(open_sequence(tmp_path))
    assert "\n" not in str(error.value) and file.rpartition("/")[2] in str(error.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rec.oni", "OpenNI"), ("rec.svo", "ZED"), ("rec.klg", "Kintinuous"), ("scan.r3d", "Record3D archive: unpack"),
        ("seq.zip", "archive: unpack"), ("video.MP4", "video without camera poses"), ("scene.ply", "not a recording"),
        ("a.h5", "HDF5"), ("rec.mkv", "Azure Kinect"), ("notes", "neither a sequence folder nor a bag"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(bytes(64))
    with pytest.raises(DataError, match=rf"{says}.*docs/data.md"):
        open_sequence(tmp_path / name)


def test_sequences_without_poses_and_empty_folders(tmp_path: Path) -> None:
    view.write_text(tmp_path / "a/rgb.txt", "1 rgb/1.png\n")
    view.write_text(tmp_path / "b/associations.txt", "1 rgb/1.png 1 depth/1.png\n")
    for name in "ab":
        with pytest.raises(DataError, match="without groundtruth.txt: camera poses are needed"):
            open_sequence(tmp_path / name)
    for name, says in (("lowres_wide", "without lowres_wide.traj"), ("iphone/rgb", "pose_intrinsic_imu.json")):
        (tmp_path / "c" / name).mkdir(parents=True)
        with pytest.raises(DataError, match=says):
            open_sequence(tmp_path / "c")
        shutil.rmtree(tmp_path / "c")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not a sequence folder.*docs/data.md"):
        open_sequence(tmp_path / "empty")
