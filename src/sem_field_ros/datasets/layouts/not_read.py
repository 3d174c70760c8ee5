"""What people bring that is not read: files and folders by name, with what to do instead."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.datasets.files.names import BAG_SUFFIXES
from sem_field_ros.datasets.tum import ASSOCIATIONS

_FILES = {
    (".oni",): "an OpenNI recording: play it with the driver and record a bag",
    (".svo", ".svo2"): "a recording of a ZED camera: play it with its ROS wrapper and record a bag",
    (".mkv",): "a video or Azure Kinect recording: play it with the driver and record a bag",
    (".klg",): "a log of Kintinuous or ElasticFusion: convert it to PNG files with a trajectory",
    (".r3d",): "a Record3D archive: unpack it (it is a ZIP file) and name the folder",
    (".zip", ".tgz", ".gz", ".tar", ".7z"): "an archive: unpack it and name the folder",
    (".mp4", ".mov", ".avi"): "a video without camera poses: extract its frames and estimate poses, e.g. with COLMAP",
    (
        ".ply",
        ".pcd",
        ".las",
        ".obj",
        ".glb",
    ): "a mesh or point cloud, not a recording: `sem-field view --ply` shows PLY",
    (".h5", ".hdf5"): "an HDF5 file: export its frames as images",
}


def advice_on(path: Path) -> str | None:
    """What a file or folder is that no reader takes, and what to do; None if nothing is known of it."""
    if path.is_file():
        known = (advice for suffixes, advice in _FILES.items() if path.suffix.lower() in suffixes)
        return next(known, f"neither a sequence folder nor a bag ({', '.join(BAG_SUFFIXES)})")
    if any((path / name).is_file() for name in ("rgb.txt", ASSOCIATIONS)):
        return (
            "a sequence in TUM's layout without groundtruth.txt: camera poses are needed, e.g. of a SLAM in TUM format"
        )
    if (path / "lowres_wide").is_dir():
        return "a video of ARKitScenes without lowres_wide.traj: download that, too"
    if (path / "iphone").is_dir():
        return "a scene of ScanNet++ without iphone/pose_intrinsic_imu.json: download that, too"
    if any(path.glob("images/scene_cam_*")):
        return "a scene of Hypersim: its HDF5 images are not read; export colour, depth and poses as images and text"
    return None
