"""Settings of the web viewer: the flags of `sem-field view` and parameters of the viewer node."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.geometry.axes import AXES, PLUS_SPELLINGS
from sem_field_ros.settings import check_settings, setting

COLOR_MODES = ("label", "rgb", "confidence")
SHOWN = ("mesh", "points", "both")
AUTO = "auto"  # up axis: z, unless the camera's poses say otherwise


@dataclass(frozen=True)
class ViewerConfig:
    """One viewer page. Rates are upper bounds; slow redraws are made less often."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in (no password)")
    port: int = setting(8080, "port of the web page; if it is in use, the next free one", minimum=1, maximum=65535)
    show: str = setting("mesh", "what is shown at the start; points until there is a mesh", choices=SHOWN)
    color_by: str = setting("label", "colour of points and mesh at the start", choices=COLOR_MODES)
    min_confidence: float = setting(0.0, "points of lower confidence are hidden", minimum=0, maximum=1)
    point_size_m: float = setting(0.0, "point size, metres; 0 = from the spacing of the points", minimum=0, maximum=1)
    up_axis: str = setting(
        AUTO,
        "the axis of the map frame that points up; auto = z, unless the camera's poses show otherwise",
        choices=(AUTO, *AXES),
        spellings=PLUS_SPELLINGS,
    )
    refresh_rate_hz: float = setting(1.0, "cloud and mesh are redrawn at most this often", minimum=0.05, maximum=10)
    camera_rate_hz: float = setting(10.0, "the camera moves at most this often", minimum=0.1, maximum=30)
    image_rate_hz: float = setting(
        2.0, "the camera image changes at most this often; 0 = no image", minimum=0, maximum=15
    )
    image_width: int = setting(320, "images are shrunk to this width, pixels", minimum=16, maximum=1920)
    view_width: int = setting(
        320, "views that are rendered from the browser's camera have this width, pixels", minimum=16, maximum=1920
    )
    max_points: int = setting(400_000, "larger clouds are thinned evenly to this many points", minimum=1000)
    max_triangles: int = setting(1_000_000, "larger meshes are cut to this many triangles", minimum=1000)

    def __post_init__(self) -> None:
        check_settings(self)
