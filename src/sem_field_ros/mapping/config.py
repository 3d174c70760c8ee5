"""Settings of a map, as frozen dataclasses: node parameters, command-line flags and YAML come from these fields."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.context.registry import CONTEXT_HELP, CONTEXTS
from sem_field_ros.errors import SettingError
from sem_field_ros.fusion.registry import DEFAULT_FUSION, FUSION_HELP, FUSIONS
from sem_field_ros.geometry.axes import AXES, PLUS_SPELLINGS
from sem_field_ros.settings import check_settings, setting

BACKENDS = ("open3d", "torch")
DEPTH_SOURCES = ("depth", "predicted")
AUTO = "auto"
PREDICTED_TOLERANCE_VOXELS = 5.0  # chosen on validation homes


@dataclass(frozen=True)
class MapConfig:
    """One semantic map. Lengths in metres; defaults need no tuning indoors. Raises SettingError outside the ranges."""

    voxel_size_m: float = setting(
        0.05, "voxel edge length; 0.05 for navigation, 0.02 for manipulation", minimum=0.002, maximum=1.0
    )
    truncation_voxels: float = setting(
        4.0, "signed distances are clamped at this many voxels from the surface", minimum=1.0, maximum=20.0
    )
    depth_min_m: float = setting(0.1, "nearer depth is ignored", minimum=0.0, maximum=100.0)
    depth_max_m: float = setting(
        4.0, "farther depth is ignored; consumer sensors get noisy with distance", minimum=0.01, maximum=200.0
    )
    max_weight: float = setting(
        100.0, "old geometry is replaced by new after about this many frames", minimum=1.0, maximum=10_000.0
    )
    max_blocks: int = setting(
        20_000, "most blocks; beyond it the least recently seen ones are removed", minimum=1, maximum=2_000_000
    )
    map_radius_m: float = setting(
        0.0, "blocks farther than this from the camera are removed; 0 = never", minimum=0.0, maximum=1e6
    )
    depth_source: str = setting(
        "depth",
        "source of depth: a depth camera, or predicted from the colour images of a moving camera",
        choices=DEPTH_SOURCES,
        formerly=("geometry",),
    )
    depth_weights: str = setting(
        "",
        "weights (.safetensors) for `depth_source: predicted`; empty = shipped, plane_sweep = without learning",
        formerly=("geometry_weights",),
    )
    backend: str = setting("open3d", "TSDF implementation", choices=BACKENDS)
    fusion: str = setting(
        DEFAULT_FUSION, f"how the views of a voxel are fused into one label; {FUSION_HELP}", choices=tuple(FUSIONS)
    )
    fusion_weights: str = setting("", "weights (.safetensors) of `fusion: gnesf`; empty = the shipped ones")
    smoothing_cell_m: float = setting(
        0.2,
        "labels are averaged in cells of this size over nearby surface that faces the same way; 0 = no smoothing",
        minimum=0.0,
        maximum=1.0,
        formerly=("context_m",),
    )
    context: str = setting(
        AUTO, f"how labels are corrected by height, shape and surroundings; {CONTEXT_HELP}", choices=tuple(CONTEXTS)
    )
    context_weights: str = setting("", "weights (.safetensors) of the context network; empty = the shipped ones")
    context_strength: float = setting(
        1.0, "factor of the context network's corrections; 0 = none", minimum=0.0, maximum=2.0
    )
    up_axis: str = setting(
        AUTO,
        "axis of the map frame that points up, for heights above the floor; auto: z, unless the camera's poses say "
        "otherwise",
        choices=(AUTO, *AXES),
        spellings=PLUS_SPELLINGS,
    )
    views_per_voxel: int = setting(8, "the K best views of each segmenter that vote on a voxel", minimum=1, maximum=64)
    min_weight: float = setting(
        2.0, "a voxel becomes surface once this many frames have seen it", minimum=1.0, maximum=1000.0
    )
    keyframe_distance_m: float = setting(
        0.1, "a keyframe after this much camera motion, or the rotation below", minimum=0.0, maximum=100.0
    )
    keyframe_angle_deg: float = setting(
        15.0, "a keyframe after this much camera rotation, or the motion above", minimum=0.0, maximum=360.0
    )
    keyframe_interval_s: float = setting(
        5.0,
        "a keyframe at the latest after this time, so that a standing robot maps changes; 0 = never",
        minimum=0.0,
        maximum=3600.0,
    )
    label_width: int = setting(
        160, "class probabilities of keyframes are kept at this image width in pixels", minimum=8, maximum=8192
    )
    device: str = setting("cpu", "torch device of segmenter and map: cpu, cuda, cuda:1 ...")

    @property
    def vote_tolerance_m(self) -> float:
        """A view votes on surface within this distance of its depth image; predicted depth is less exact."""
        return (1.5 if self.depth_source == "depth" else PREDICTED_TOLERANCE_VOXELS) * self.voxel_size_m

    def __post_init__(self) -> None:
        check_settings(self)
        if self.depth_min_m >= self.depth_max_m:
            raise SettingError(f"depth_min_m ({self.depth_min_m}) must be below depth_max_m ({self.depth_max_m})")
