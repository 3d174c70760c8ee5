"""`sem-field up`: the graph of the launch files, started without `ros2 launch`."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time

from sem_field_ros.errors import SettingError
from sem_field_ros.nodes.graph import NodeSpec, arguments_of, nodes_of

HELP = "start the nodes (bringup or replay) where there is no `ros2 launch`, with the same arguments"
_GRACE_S = 10.0  # from SIGINT to SIGKILL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the graph's name and its `key:=value` arguments; `--show-args` lists them."""
    parser.add_argument("graph", nargs="?", default="bringup", choices=("bringup", "replay"), help="what to start")
    parser.add_argument("arguments", nargs="*", metavar="key:=value", help="arguments as for ros2 launch")
    parser.add_argument("-s", "--show-args", action="store_true", help="list the arguments and end")


def run(args: argparse.Namespace) -> int:
    """Start the nodes and stay until one ends or Ctrl-C; 0 when all ended well."""
    if args.show_args:
        for argument in arguments_of(args.graph):
            print(f"  {argument.name:<20} {argument.description} (default: '{argument.default}')")
        return 0
    return run_nodes(nodes_of(args.graph, parse_arguments(args.arguments)))


def parse_arguments(texts: list[str]) -> dict[str, str]:
    """`key:=value` texts -> a dictionary. Raises SettingError."""
    out = {}
    for text in texts:
        key, separator, value = text.partition(":=")
        if not separator or not key:
            raise SettingError(f"'{text}' is not of the form key:=value")
        out[key] = value
    return out


def start_node(spec: NodeSpec, **popen: object) -> subprocess.Popen[bytes]:
    """Start one node as a process of its own (its own group, so that Ctrl-C reaches it through us alone)."""
    if spec.package == "sem_field_ros":
        command = [sys.executable, "-m", f"sem_field_ros.nodes.{spec.executable}"]
    else:
        command = [spec.executable]
    try:
        return subprocess.Popen([*command, *spec.ros_arguments()], start_new_session=True, **popen)  # type: ignore[call-overload,no-any-return]
    except FileNotFoundError as error:
        raise SettingError(f"{spec.executable} is not installed") from error


def run_nodes(specs: list[NodeSpec]) -> int:
    """Run nodes until one of them ends, then stop the others; 0 when the first to end ended well."""
    processes: list[tuple[NodeSpec, subprocess.Popen[bytes]]] = []
    stop = False

    def on_signal(*_: object) -> None:
        nonlocal stop
        stop = True

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for spec in specs:
            processes.append((spec, start_node(spec)))
        ended = None
        while not stop and ended is None:
            time.sleep(0.1)
            ended = next(((s, p.returncode) for s, p in processes if p.poll() is not None), None)
        if ended is None:
            return 0
        print(f"{ended[0].name} ended with code {ended[1]}; stopping the rest", file=sys.stderr)
        return 0 if ended[1] == 0 else 1
    finally:
        stop_processes([p for _, p in processes])
        for number, handler in previous.items():
            signal.signal(number, handler)


def stop_processes(processes: list[subprocess.Popen[bytes]]) -> None:
    """SIGINT to all, and SIGKILL to whatever is left after some seconds."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + _GRACE_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
