"""What steers the web viewer; flags of `sem-field view` and parameters of the viewer node come from here."""

from __future__ import annotations

from dataclasses import dataclass

from sem_field_ros.geometry.axes import AXES, PLUS_SPELLINGS
from sem_field_ros.settings import check_settings, setting

COLOR_MODES = ("label", "rgb", "confidence")
SHOWN = ("mesh", "points", "both")
UP_AXES = ("auto", *AXES)


@dataclass(frozen=True)
class ViewerConfig:
    """One viewer page. Rates are upper bounds: the page never does more, and less where a redraw takes long."""

    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 lets other machines in (no password)")
    port: int = setting(
        8080, "port of the web page; the next free one is taken where it is in use", minimum=1, maximum=65535
    )
    show: str = setting("mesh", "what is shown at first; points until there is a mesh", choices=SHOWN)
    color_by: str = setting("label", "colour of points and mesh at first", choices=COLOR_MODES)
    min_confidence: float = setting(0.0, "points less sure of their label than this are hidden", minimum=0, maximum=1)
    point_size_m: float = setting(0.0, "point size, metres; 0 = from the spacing of the points", minimum=0, maximum=1)
    up_axis: str = setting(
        "auto",
        "which way is up in the map frame; auto = z, unless the camera says otherwise",
        choices=UP_AXES,
        spellings=PLUS_SPELLINGS,
    )
    refresh_rate_hz: float = setting(1.0, "cloud and mesh are redrawn at most this often", minimum=0.05, maximum=10)
    camera_rate_hz: float = setting(10.0, "the camera moves at most this often", minimum=0.1, maximum=30)
    image_rate_hz: float = setting(
        2.0, "the camera image changes at most this often; 0 = no image", minimum=0, maximum=15
    )
    image_width: int = setting(320, "images are shrunk to this width, pixels", minimum=16, maximum=1920)
    max_points: int = setting(400_000, "larger clouds are thinned evenly to this many points", minimum=1000)
    max_triangles: int = setting(1_000_000, "mesh beyond this many triangles is left out", minimum=1000)

    def __post_init__(self) -> None:
        check_settings(self)
