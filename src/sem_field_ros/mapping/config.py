"""Everything that steers a map, as frozen dataclasses: node parameters, CLI flags and YAML map onto these fields."""

from __future__ import annotations

from dataclasses import dataclass

FUSIONS = ("bayesian", "majority", "last_wins", "confidence")


@dataclass(frozen=True)
class MapConfig:
    """One semantic map. Lengths in metres; defaults need no tuning indoors."""

    voxel_size_m: float = 0.05  # 5 cm for navigation, 2 cm for manipulation
    truncation_voxels: float = 4.0  # the signed distance is known this far from the surface
    depth_min_m: float = 0.1  # nearer depth is ignored
    depth_max_m: float = 4.0  # farther depth is ignored: consumer sensors get noisy with z^2
    max_weight: float = 100.0  # old geometry gives way to new after about this many frames
    max_blocks: int = 20_000  # block budget: the least recently seen blocks leave beyond it
    map_radius_m: float = 0.0  # blocks farther than this from the camera leave; 0 = keep all within the budget
    backend: str = "open3d"  # TSDF implementation: open3d | torch
    fusion: str = "bayesian"  # one of FUSIONS
    views_per_voxel: int = 8  # K best views that vote on a voxel
    max_keyframes: int = 300  # class probabilities kept for voting; beyond it the least used keyframe is folded in
    keyframe_distance_m: float = 0.1  # a new keyframe after this much motion ...
    keyframe_angle_deg: float = 15.0  # ... or this much rotation
    label_width: int = 160  # class probabilities of keyframes are kept at this image width
    device: str = "cpu"
