"""`sem-field view`: the live map on a web page; or, without ROS, a saved map, a PLY file or a field of a sequence."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sem_field_ros.camera_stream.topics import MAPPER
from sem_field_ros.commands.argument_types import add_segmenter
from sem_field_ros.exit_codes import DONE
from sem_field_ros.segmentation.registry import DEFAULT_SEGMENTER, default_segmenter
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments, settings_of
from sem_field_ros.viewer.config import ViewerConfig

if TYPE_CHECKING:
    from sem_field_ros.viewer.files import ViewedFile
    from sem_field_ros.viewer.page import ViewerPage

HELP = "show the live map, a saved map, a PLY file or a field of a sequence on a web page"

_POINTS_SHOWN = "!/Points\\s+0(?!,)/.test(document.body.innerText) && /Points\\s+\\d/.test(document.body.innerText)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags: what to show, a picture instead of a page, and the page's settings."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--map", type=Path, metavar="DIR/NAME", help="show a saved map (no ROS needed)")
    source.add_argument("--ply", type=Path, metavar="FILE", help="show a PLY mesh or cloud (no ROS needed)")
    source.add_argument("--seq", type=Path, metavar="SEQ", help="show a field of a sequence (no ROS needed)")
    source.add_argument("--mapper", default=MAPPER, help="the live map of this node (default %(default)s)")
    parser.add_argument(
        "--field", default="warp", help="with --seq: warp, a folder in models, or weights (default %(default)s)"
    )
    default = f"external where there are label images, else {DEFAULT_SEGMENTER}"
    add_segmenter(parser, None, help=f"with --seq: what labels the images (default: {default})")
    parser.add_argument("--label-set", default="", help="label set for names and colours: a name or a YAML file")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="save a picture of the page, by Chromium, and end")
    parser.add_argument("--picture-after-s", type=float, default=4.0, help="wait this long for it (default 4)")
    add_settings_arguments(parser, ViewerConfig)
    parser.add_argument("--ros-args", nargs=argparse.REMAINDER, default=[], help="the rest is for ROS: -r from:=to ...")


def run(args: argparse.Namespace) -> int:
    """Show what was asked for until interrupted, or until the picture is taken."""
    config = settings_from_arguments(ViewerConfig, args)
    if args.map or args.ply or args.seq:
        return _view_file(args, config)
    from sem_field_ros.nodes.viewer import node as viewer

    parameters = [f"{item.name}:={_yaml(getattr(config, item.name))}" for item in settings_of(ViewerConfig)]
    parameters += [f"mapper:={_yaml(args.mapper)}", f"label_set:={_yaml(args.label_set)}"]
    flags = ["--ros-args", *(word for p in parameters for word in ("-p", p)), *args.ros_args]
    take = (lambda page: _take_picture(page, args)) if args.picture else None
    return viewer.main([sys.argv[0], *flags], take)


def _view_file(args: argparse.Namespace, config: ViewerConfig) -> int:
    from sem_field_ros.labels import load_label_set
    from sem_field_ros.viewer.files import open_ply
    from sem_field_ros.viewer.page import ViewerPage

    labels = load_label_set(args.label_set) if args.label_set else None
    path = args.map or args.ply or args.seq
    shown = _open_map(path) if args.map else _open_field(args) if args.seq else open_ply(path)
    about = {"title": path.name, "has_camera": False, "tell": _tell}
    with ViewerPage(config, labels or shown.labels, ask=shown.ask, ask_view=shown.ask_view, **about) as page:
        page.set_frame(shown.frame)
        if shown.names:
            page.set_names(shown.names)
        if shown.path:
            page.set_path(shown.path)
        page.offer_cloud(lambda: shown.cloud)
        page.update_mesh({"file": shown.triangles})
        _tell(f"open {page.url} in a browser; Ctrl-C ends")
        if args.picture:
            _take_picture(page, args)
            return DONE
        threading.Event().wait()
    return DONE


def _open_map(path: Path) -> ViewedFile:
    from sem_field_ros.commands.saved_maps import load_saved_state, map_of
    from sem_field_ros.viewer.files import view_map

    state = load_saved_state(path)
    return view_map(map_of(state), str(state.header.get("frame_id", "map")))


def _open_field(args: argparse.Namespace) -> ViewedFile:
    from sem_field_ros.commands.viewed_field import view_field
    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.fields.common.posed_images import SceneOptions
    from sem_field_ros.fields.registry import open_named
    from sem_field_ros.mapping.config import MapConfig
    from sem_field_ros.mapping.mapper import Mapper
    from sem_field_ros.segmentation.registry import make_segmenter

    sequence = open_sequence(args.seq)
    name = args.segmenter or default_segmenter(sequence.labels)
    segmenter = make_segmenter(name, args.label_set or None, source=sequence.labels)
    scene = open_named(args.field, segmenter.labels, SceneOptions(width=0, depth=True))
    _tell(f"encoding {len(sequence)} frames of {sequence.name} with field '{args.field}', segmenter '{name}'")
    return view_field(sequence, Mapper(MapConfig(min_weight=1.0), segmenter), scene, _tell)


def _tell(line: str) -> None:
    print(line, flush=True)


def _take_picture(page: ViewerPage, args: argparse.Namespace) -> None:
    from sem_field_ros.viewer.browser import Browser

    with Browser(1440, 960) as browser:
        browser.open(page.url)
        browser.wait_for(_POINTS_SHOWN, timeout_s=60.0, what="a map with points; is the mapper running?")
        time.sleep(args.picture_after_s)  # meshes unpack, the view settles
        browser.evaluate("document.querySelectorAll('.mantine-Notification-closeButton').forEach(b => b.click())")
        time.sleep(1.0)
        browser.save_picture(args.picture)
    print(f"saved {args.picture}")


def _yaml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
