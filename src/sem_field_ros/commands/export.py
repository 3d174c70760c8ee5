"""`sem-field export`: mesh and cloud of a saved map as PLY and GLB, for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.commands.saved_maps import map_name, open_saved_map
from sem_field_ros.exit_codes import DONE
from sem_field_ros.geometry.axes import AXES, PLUS_SPELLINGS, axis_vector

if TYPE_CHECKING:
    import numpy as np

    from sem_field_ros.mapping.submaps import Submaps

HELP = "write mesh and cloud of a saved map as PLY and GLB"
FORMATS = ("ply", "glb")
ALL_FORMATS, AUTO = "all", "auto"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("map", type=Path, metavar="DIR/NAME", help="a saved map, or its NAME.semmap.json")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for NAME_mesh.ply, NAME_cloud.ply ... (default: the map's)"
    )
    parser.add_argument(
        "--format", default=ALL_FORMATS, choices=(ALL_FORMATS, *FORMATS), help="which files (default all)"
    )
    parser.add_argument(
        "--color", default="label", choices=("label", "rgb"),
        help="colours that other programs show: of the classes, or of the camera; the files hold both (default label)",
    )  # fmt: skip
    parser.add_argument(
        "--up-axis", default=AUTO, choices=(AUTO, *AXES), type=lambda text: PLUS_SPELLINGS.get(text, text),
        help="which way is up in the map: GLB is turned upright, PLY keeps the map's coordinates (default auto: z, "
        "unless the camera's path says otherwise)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Load the map, write the files."""
    saved = open_saved_map(args.map)

    from sem_field_ros.measurements import size_text
    from sem_field_ros.results.export import write_glb, write_ply

    mesh = saved.surface()
    out, name = args.out or args.map.parent, map_name(args.map)
    for kind in FORMATS if args.format == ALL_FORMATS else (args.format,):
        for part, surface in (("mesh", mesh), ("cloud", mesh.cloud())):
            path = out / f"{name}_{part}.{kind}"
            if kind == "ply":
                write_ply(path, surface, saved.labels, args.color)
            else:
                write_glb(path, surface, saved.labels, args.color, up=_up(args.up_axis, saved))
            triangles = f", {len(surface.faces)} triangles" if part == "mesh" else ""
            print(f"{path}: {len(surface)} vertices{triangles}, {size_text(path.stat().st_size)}")
    return DONE


def _up(axis: str, saved: Submaps) -> np.ndarray:
    """Unit vector [3]: which way is up in the map."""
    from sem_field_ros.geometry.viewpoints import estimate_up

    if axis != AUTO:
        return axis_vector(axis)
    return estimate_up(saved.surface().normals, saved.camera_poses)
