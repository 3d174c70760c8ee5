"""`sem-field up`: the graph of the launch files, started without `ros2 launch`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from sem_field_ros.errors import SettingError
from sem_field_ros.exit_codes import DONE, FAILED
from sem_field_ros.nodes.graph import MODULES, NodeSpec, arguments_of, dds_environment, nodes_of

HELP = "start the nodes (bringup, rgb or replay) where there is no `ros2 launch`, with the same arguments"
_GRACE_S = 10.0  # from SIGINT to SIGKILL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the graph's name and its `key:=value` arguments; `--show-args` lists them."""
    parser.add_argument(
        "graph", nargs="?", default="bringup", choices=("bringup", "rgb", "replay"), help="what to start"
    )
    parser.add_argument("arguments", nargs="*", metavar="key:=value", help="arguments as for ros2 launch")
    parser.add_argument("-s", "--show-args", action="store_true", help="list the arguments and end")


def run(args: argparse.Namespace) -> int:
    """Start the nodes and stay with them; 0 when all ended well."""
    if args.show_args:
        for argument in arguments_of(args.graph):
            default = f" (default: {argument.default})" if argument.default else ""
            print(f"  {argument.name:<20} {argument.description}{default}")
        return DONE
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


def start_node(spec: NodeSpec, env: Mapping[str, str] | None = None, **popen: Any) -> subprocess.Popen[bytes]:
    """Start one node as a process of its own (its own group, so that Ctrl-C reaches it through us alone).

    `env` replaces os.environ, `popen` goes to subprocess.Popen.
    """
    if spec.package == "sem_field_ros":
        command = [sys.executable, "-m", MODULES[spec.executable]]
    else:
        command = [spec.executable]
    environment = {**(os.environ if env is None else env), **dds_environment()}
    try:
        return subprocess.Popen([*command, *spec.ros_arguments()], start_new_session=True, env=environment, **popen)
    except FileNotFoundError as error:
        raise SettingError(f"{spec.executable} is not installed") from error


def run_nodes(specs: list[NodeSpec]) -> int:
    """Run nodes until interrupted, until one dies, or until a replay is over; then stop them. 1 when one died.

    A node that ends well and does not end the graph (a player with exit_at_end:=false) just leaves.
    """
    running: dict[str, tuple[NodeSpec, subprocess.Popen[bytes]]] = {}
    interrupted = threading.Event()
    handlers = {n: signal.signal(n, lambda *_: interrupted.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        for spec in specs:
            running[spec.name] = (spec, start_node(spec))
        while running and not interrupted.wait(0.1):
            for spec, process in [pair for pair in running.values() if pair[1].poll() is not None]:
                del running[spec.name]
                if process.returncode != 0:
                    print(f"{spec.name} died with code {process.returncode}; stopping the rest", file=sys.stderr)
                    return FAILED
                if spec.ends_graph:
                    return DONE
        return DONE
    finally:
        stop_processes([process for _, process in running.values()])
        for number, handler in handlers.items():
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
            print(f"process {process.pid} did not end within {_GRACE_S:g} s: killed", file=sys.stderr)
            process.kill()
            process.wait()
