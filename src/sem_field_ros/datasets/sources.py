"""Sources and terms of public data sets, for the error of a reader that does not find its data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sem_field_ros.errors import DataError


@dataclass(frozen=True)
class Source:
    """A data set: name, files of a sequence (or object), address, terms."""

    name: str
    files: str
    url: str
    terms: str


SOURCES = {
    "scannet": Source(
        "ScanNet",
        "color/ depth/ pose/ intrinsic/ as SensReader exports them, a scene of scannet_frames_25k, or a .sens file",
        "http://www.scan-net.org",
        "after signing the ScanNet terms of use: research only, not commercial",
    ),
    "replica": Source(
        "Replica as rendered for Semantic-NeRF",
        "rgb/rgb_0.png, depth/depth_0.png, semantic_class/semantic_class_0.png and traj_w_c.txt",
        "https://github.com/Harry-Zhi/semantic_nerf",
        "Replica research terms: no commercial use",
    ),
    "7scenes": Source(
        "7-Scenes",
        "frame-000000.color.png, .depth.png and .pose.txt, as in chess/seq-01",
        "https://www.microsoft.com/en-us/research/project/rgb-d-dataset-7-scenes/",
        "Microsoft research licence: no commercial use",
    ),
    "tum": Source(
        "TUM RGB-D",
        "rgb.txt, depth.txt, groundtruth.txt, rgb/ and depth/",
        "https://cvg.cit.tum.de/data/datasets/rgbd-dataset",
        "Creative Commons BY 4.0",
    ),
    "2d3ds": Source(
        "Stanford 2D-3D-S",
        "data/rgb, data/depth, data/pose and data/semantic of an area",
        "http://buildingparser.stanford.edu/dataset.html",
        "after accepting its licence form: research only, not commercial",
    ),
    "scenenn": Source(
        "SceneNN",
        "trajectory.log, image/ and depth/ (its playback tool makes them of the .oni file)",
        "https://hkust-vgd.github.io/scenenn",
        "free for education and research",
    ),
    "partnet": Source(
        "PartNet",
        "point_sample/pts-10000.txt, point_sample/label-10000.txt and result.json of a shape",
        "https://partnet.cs.stanford.edu",
        "PartNet and ShapeNet terms: research and education, not commercial",
    ),
    "psb": Source(
        "Princeton segmentation benchmark",
        "off/NAME.off and labels/NAME.txt, or NAME.off with NAME_0.seg",
        "https://segeval.cs.princeton.edu",
        "free for research; the meshes come from the Watertight Track of SHREC 2007",
    ),
}


def missing_data(path: str | Path, source: str, what: str = "") -> DataError:
    """The error for data that are not at `path`: one line with the expected files and where to get them."""
    data = SOURCES[source]
    return DataError(f"{path}: no {data.name} here ({what or data.files}); get it from {data.url} ({data.terms})")
