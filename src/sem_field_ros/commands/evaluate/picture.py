"""`sem-field evaluate picture`: a PNG of two or more fusions side by side, in the views where they differ most."""

from __future__ import annotations

import argparse
from pathlib import Path

from sem_field_ros.commands.argument_types import add_segmenter, positive
from sem_field_ros.errors import SettingError
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments

HELP = "draw maps of the same views by several fusions side by side, where they differ most"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("sequence", type=Path, metavar="SEQ", help="sequence folder, .sens file or bag")
    add_segmenter(parser, "homes")
    add(
        "--fusions", nargs="+", default=["bayesian", "gnesf"], metavar="FUSION[:CELL_M][+CONTEXT]",
        help="what is compared, e.g. bayesian:0 gnesf+rooms: fusions, each with its own --smoothing-cell-m after a "
        "colon and its own --context after a plus (default bayesian gnesf)",
    )  # fmt: skip
    add("--rows", type=positive, default=4, metavar="N", help="views that are shown (default 4)")
    add("--width", type=positive, default=240, metavar="PIXELS", help="of a view (default 240)")
    add("--every", type=positive, default=1, metavar="N", help="use every N-th frame (default 1)")
    add("--max-frames", type=positive, metavar="N", help="at most N frames (default: all)")
    add("--out", type=Path, required=True, metavar="PNG", help="file to write")
    add_settings_arguments(parser, MapConfig, skip=("fusion",))
    parser.set_defaults(evaluate=run)


def run(args: argparse.Namespace) -> int:
    """Map with every fusion, render every frame's view, draw."""
    from sem_field_ros.datasets.open_sequence import open_sequence

    if len(args.fusions) < 2:
        raise SettingError(f"--fusions needs at least two to compare, got {' '.join(args.fusions)}")
    sequence = open_sequence(args.sequence)  # before the slow imports, which a wrong path need not wait for

    import cv2
    from rich.progress import track

    from sem_field_ros.atomic import atomic_write
    from sem_field_ros.errors import DataError
    from sem_field_ros.evaluation.comparison import compare_view, draw_comparison, most_different
    from sem_field_ros.evaluation.variants import variant_of
    from sem_field_ros.frame import PosedFrame
    from sem_field_ros.mapping.mapper import Mapper
    from sem_field_ros.mapping.sequence_mapping import read_frames
    from sem_field_ros.segmentation.registry import make_segmenter

    config = settings_from_arguments(MapConfig, args, fusion=MapConfig.fusion)
    configs = {text: variant_of(config, text) for text in args.fusions}
    segmenter = make_segmenter(args.segmenter, label_width=config.label_width, source=sequence.labels)
    mappers = {text: Mapper(chosen, segmenter) for text, chosen in configs.items()}
    frames = [f for f in read_frames(sequence, args.every, args.max_frames) if isinstance(f, PosedFrame)]
    if not frames:
        raise DataError(f"sequence {sequence.name} has no readable frame")
    for frame in track(frames, f"mapping {sequence.name}"):
        for mapper in mappers.values():
            mapper.register_frame(frame)
    scenes = {name: mapper.map for name, mapper in mappers.items()}
    views = [
        compare_view(frame, sequence.labels, segmenter.labels, scenes, args.width)
        for frame in track(frames, "rendering")
    ]
    picture = draw_comparison([views[i] for i in most_different(views, args.rows)], segmenter.labels)
    with atomic_write(args.out) as file:
        file.write(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
    print(f"{args.out}: {picture.shape[1]}x{picture.shape[0]}")
    return 0
