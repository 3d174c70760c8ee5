"""`sem-field demo`: a recorded sequence through the real ROS 2 nodes; leaves cloud, mesh, picture and report."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from sem_field_ros.camera_stream.topics import MAPPER, PLAYER, RECORDER, VIEWER
from sem_field_ros.commands.argument_types import add_segmenter
from sem_field_ros.errors import SemFieldError, SettingError
from sem_field_ros.exit_codes import DONE, FAILED, INTERRUPTED
from sem_field_ros.mapping.config import MapConfig
from sem_field_ros.nodes.player.options import PlayerOptions
from sem_field_ros.segmentation.registry import (
    DEFAULT_SEGMENTER,
    SEGMENTER_HELP,
    label_source,
    takes_label_images,
)
from sem_field_ros.settings import add_settings_arguments, settings_from_arguments, settings_of

if TYPE_CHECKING:
    from sem_field_ros.commands.child_processes import Child, StatusLine
    from sem_field_ros.frame import SequenceReader
    from sem_field_ros.nodes.graph import NodeSpec

HELP = "map a recorded sequence through the real ROS 2 nodes; leaves cloud, mesh, picture and report"
_START_S, _SETTLE_S, _WRITE_S = 180.0, 60.0, 180.0  # bounds of the stages before, after and beyond the playing
_FRAME_S = 5.0  # bound of the time a frame takes where the replay waits for the mapper


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags; those of the map itself come from MapConfig."""
    parser.add_argument("--seq", metavar="SEQ", help="sequence folder or bag (default: the bundled sample room)")
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="results (default out/demo)")
    add_segmenter(parser, None, help=f"what labels the images; {SEGMENTER_HELP} (default: {DEFAULT_SEGMENTER})")
    parser.add_argument("--label-set", default="", metavar="NAME", help="classes of the map: a shipped set or a YAML")
    parser.add_argument(
        "--sequence-label-set",
        default="",
        metavar="NAME",
        help="classes of the label images, if not in the data",
    )
    pace = next(item for item in settings_of(PlayerOptions) if item.name == "pace")
    parser.add_argument("--pace", choices=pace.choices, default=pace.default, help=f"{pace.help} (default %(default)s)")
    parser.add_argument(
        "--rate", type=_positive, default=1.0, metavar="X", help="speed of the replay by time stamps (default 1)"
    )
    parser.add_argument("--start-s", type=float, default=0.0, metavar="S", help="skip the first S seconds")
    parser.add_argument("--duration-s", type=float, default=0.0, metavar="S", help="play only S seconds (0: all)")
    parser.add_argument("--view", action="store_true", help="show it on a web page, which stays until Ctrl-C")
    parser.add_argument("--port", type=int, default=8080, help="port of the web page (default 8080)")
    parser.add_argument("--domain-id", type=int, metavar="N", help="ROS domain (default: a private one)")
    parser.add_argument(
        "--timeout-s", type=float, default=0.0, metavar="S", help="give up after S seconds (0: by length)"
    )
    add_settings_arguments(parser, MapConfig)


def run(args: argparse.Namespace) -> int:
    """Play, map, record; 0 when the four files are written, 1 when a node failed, 130 after Ctrl-C."""
    from sem_field_ros.commands.child_processes import StatusLine, fresh_folder, node_environment, private_domain
    from sem_field_ros.commands.demo_summary import RESULTS
    from sem_field_ros.datasets.open_sequence import open_sequence
    from sem_field_ros.resources import resource_path

    if importlib.util.find_spec("rclpy") is None:
        raise SettingError("ROS 2 is not in this shell (no rclpy): run `make setup`, then `source scripts/env.sh`")
    args.seq = args.seq or str(resource_path("samples/living_room"))
    sequence = open_sequence(
        args.seq,
        label_set=args.sequence_label_set or None,
        start_s=args.start_s,
        duration_s=args.duration_s or None,
    )
    fresh_folder(args.out, RESULTS)
    fresh_folder(args.out / "logs", ())
    status = StatusLine()
    with contextlib.ExitStack() as stack:
        domain_id = args.domain_id if args.domain_id is not None else stack.enter_context(private_domain())
        environment = node_environment(domain_id)
        specs = demo_nodes(args, sequence)
        labels = label_source(specs[0].parameters["segmenter"])
        frames = f"{len(sequence)} frames, played {_pace_text(args, sequence)}"
        status.say(f"{sequence.name}: {frames}; {labels} (ROS_DOMAIN_ID={domain_id})")
        if args.view:
            status.say(f"watch it on http://localhost:{args.port}/")
        return _run_nodes(args, specs, environment, status, limit_s=args.timeout_s or _limit_s(args, sequence))


def demo_nodes(args: argparse.Namespace, sequence: SequenceReader) -> list[NodeSpec]:
    """The nodes of the replay graph, mapper first, set up for this run; the recorder is started by itself."""
    from sem_field_ros.nodes.graph import nodes_of

    segmenter = args.segmenter or DEFAULT_SEGMENTER
    given = {"path": args.seq, "rate": str(args.rate), "start_s": str(args.start_s), "segmenter": segmenter}
    given |= {"pace": args.pace, "duration_s": str(args.duration_s), "autostart": "false", "label_set": args.label_set}
    given |= {"view": str(args.view).lower(), "port": str(args.port)}
    config = settings_from_arguments(MapConfig, args)
    mapper: dict[str, Any] = {item.name: getattr(config, item.name) for item in settings_of(MapConfig)}
    source_set = _write_label_set(args.out / "logs" / "sequence_labels.yaml", sequence)
    if takes_label_images(segmenter) and source_set:
        mapper |= {"label_image_set": source_set, "label_set": args.label_set or source_set}
    player = {
        "label_set": source_set,
        "wait_for_subscribers_s": _START_S,
        "publish_depth": config.depth_source == "depth",
        "publish_labels": takes_label_images(segmenter),
    }
    added = {MAPPER: mapper, PLAYER: player}
    return [
        replace(spec, parameters={**spec.parameters, **added.get(spec.executable, {})})
        for spec in nodes_of("replay", given)
    ]


def recorder_node(args: argparse.Namespace, mapper: NodeSpec, mapper_pid: int) -> NodeSpec:
    """The recorder of this run."""
    from sem_field_ros.nodes.graph import NodeSpec

    parameters = {
        "out": str(args.out),
        "sequence": args.seq,
        "sequence_label_set": args.sequence_label_set,
        "start_s": args.start_s,
        "duration_s": args.duration_s,
        "label_set": str(mapper.parameters.get("label_set", "")),
        "mapper_pid": mapper_pid,
        "start_timeout_s": _START_S,
        "settle_timeout_s": _SETTLE_S,
    }
    return NodeSpec(RECORDER, RECORDER, parameters=parameters)


def _write_label_set(path: Path, sequence: SequenceReader) -> str:
    """The sequence's label set as a file that every node can read; empty where it has no labels."""
    from sem_field_ros.atomic import atomic_write
    from sem_field_ros.labels import label_set_to_dict

    if sequence.labels is None:
        return ""
    with atomic_write(path) as file:
        file.write(yaml.safe_dump(label_set_to_dict(sequence.labels), sort_keys=False).encode("utf-8"))
    return str(path)


def _limit_s(args: argparse.Namespace, sequence: SequenceReader) -> float:
    """When to give up: twice the time that the stages may take."""
    stamps = getattr(sequence, "stamps_ns", None)
    span_s = (stamps[-1] - stamps[0]) * 1e-9 / args.rate if stamps else 0.0
    if _by_feedback(args, sequence):
        span_s = _FRAME_S * len(sequence)
    return 2 * (_START_S + span_s + _SETTLE_S + _WRITE_S)


def _by_feedback(args: argparse.Namespace, sequence: SequenceReader) -> bool:
    """Whether the replay waits for the mapper."""
    return args.pace == "feedback" or (args.pace == "auto" and not getattr(sequence, "times_known", True))


def _pace_text(args: argparse.Namespace, sequence: SequenceReader) -> str:
    if not _by_feedback(args, sequence):
        return f"at {args.rate:g}x"
    why = " because they have no time stamps" if args.pace == "auto" else ""
    return f"as fast as they are mapped{why}"


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
    return value


def _run_nodes(
    args: argparse.Namespace, specs: list[NodeSpec], environment: dict[str, str], status: StatusLine, limit_s: float
) -> int:
    from sem_field_ros.commands.child_processes import Child, interruptible, problem_of
    from sem_field_ros.commands.demo_summary import summarize
    from sem_field_ros.commands.up import stop_processes

    stopping = threading.Event()  # what nodes print while they are stopped is in their logs only

    def on_line(name: str, line: str) -> None:
        if stopping.is_set():
            return
        if name == RECORDER and not line.startswith(f"{RECORDER}: ") and problem_of(line) is None:
            status.update(line)
        elif (problem := problem_of(line)) is not None:
            status.say(f"  {problem}")

    children: list[Child] = []

    def start(spec: NodeSpec) -> None:
        with interruption.held():  # in the middle of a start the child would be running and not yet be in the list
            children.append(Child(spec, args.out / "logs" / f"{spec.name}.log", environment, on_line))

    with interruptible() as interruption:
        try:
            for spec in specs:
                start(spec)
            start(recorder_node(args, specs[0], children[0].process.pid))
            _watch(children, limit_s)
            status.close()
            summarize(args.out, status)
            if args.view:
                _stay(args, children, status)
            return DONE
        except SemFieldError as error:
            status.close()
            print(f"sem-field demo: {error}", file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            status.say("interrupted: stopping the nodes")
            return INTERRUPTED
        finally:
            stopping.set()
            stop_processes([child.process for child in children])


def _watch(children: list[Child], limit_s: float) -> None:
    """Wait for the recorder, which is last, to end well. Raises SemFieldError when any node fails or time is up."""
    recorder = children[-1]
    deadline = time.monotonic() + limit_s
    while recorder.returncode is None:
        time.sleep(0.1)
        for child in children[:-1]:
            code = child.returncode
            if code is not None and not (code == 0 and child.name == PLAYER):
                raise SemFieldError(child.end_line())
        if time.monotonic() > deadline:
            raise SemFieldError(f"not done after {limit_s:.0f} s; the nodes' output is in {recorder.log.parent}")
    if recorder.returncode != 0:
        line = recorder.end_line()
        last = recorder.last_lines[-1] if recorder.last_lines else ""
        is_reason = last.startswith(f"{recorder.name}: ")
        raise SemFieldError(last.partition(": ")[2] if is_reason else line)


def _stay(args: argparse.Namespace, children: list[Child], status: StatusLine) -> None:
    """Leave the web page up until Ctrl-C; the results are written, so that is not a failure."""
    status.say(f"the map stays on http://localhost:{args.port}/ until Ctrl-C")
    viewer = next(child for child in children if child.name == VIEWER)
    with contextlib.suppress(KeyboardInterrupt):
        while viewer.returncode is None:
            time.sleep(0.2)
