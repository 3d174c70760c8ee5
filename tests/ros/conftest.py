"""Real ROS 2 over real DDS in tests: each test has its own domain id, context, executor and child processes.

def test_something(ros):
    node = ros.node("listener")
    heard = ros.collect(node, Bool, "topic", latched_qos())
    player = ros.start("sem_field_ros.nodes.player.node", path=folder)
    ros.spin_until(lambda: heard, 20, "the player says something")
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions

from tests.ros.domains import claimed_domain


class RosHarness:
    """What a test needs of ROS. Everything made through it is taken down at the end of the test."""

    def __init__(self, domain_id: int, scratch: Path) -> None:
        self.domain_id = domain_id
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain_id, signal_handler_options=SignalHandlerOptions.NO)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.processes: list[subprocess.Popen[bytes]] = []
        self._scratch = scratch
        self._nodes: list[Node] = []

    def node(self, name: str = "test_node", **options: Any) -> Node:
        """Make a plain node in the test's domain and add it to the executor."""
        return self.add(Node(name, context=self.context, **options))

    def make(self, factory: Callable[..., Node], **parameters: Any) -> Node:
        """Make one of our nodes in this process: `factory(context=..., parameter_overrides=[...])`."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        return self.add(factory(context=self.context, parameter_overrides=overrides))

    def add(self, node: Node) -> Node:
        """Spin a node from now on and destroy it at the end."""
        self.executor.add_node(node)
        self._nodes.append(node)
        return node

    def collect(self, node: Node, kind: type, topic: str, qos: QoSProfile | int = 10) -> list[Any]:
        """Subscribe and return the list that the messages go into."""
        messages: list[Any] = []
        node.create_subscription(kind, topic, messages.append, qos)
        return messages

    def spin_until(self, predicate: Callable[[], Any], timeout: float = 10.0, what: str = "it") -> Any:
        """Spin until the predicate is true and return its value; fails the test after `timeout` seconds."""
        end = time.monotonic() + timeout
        while not (value := predicate()):
            if time.monotonic() > end:
                pytest.fail(f"after {timeout} s still not true: {what}{self._child_output()}")
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def spin_for(self, seconds: float) -> None:
        """Spin for a while, to see that something does not happen."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def call(self, node: Node, kind: type, service: str, request: Any, timeout: float = 10.0) -> Any:
        """Call a service and return the response."""
        client = node.create_client(kind, service)
        self.spin_until(client.service_is_ready, timeout, f"service {service} is there")
        future = client.call_async(request)
        self.spin_until(future.done, timeout, f"service {service} answers")
        node.destroy_client(client)
        return future.result()

    def start(self, module: str, *arguments: str, **parameters: Any) -> subprocess.Popen[bytes]:
        """Start `python -m module --ros-args -p name:=value ...` as a process of its own; killed at the end."""
        command = [sys.executable, "-m", module, *arguments, "--ros-args"]
        for name, value in parameters.items():
            text = str(value).lower() if isinstance(value, bool) else str(value)
            command += ["-p", f"{name}:={text}"]
        log = (self._scratch / f"{module.rsplit('.', 1)[-1]}_{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        self.processes.append(process)
        return process

    def wait(self, process: subprocess.Popen[bytes], timeout: float = 20.0) -> int:
        """Spin until a process ends and return its exit code."""
        self.spin_until(lambda: process.poll() is not None, timeout, "the process ends")
        return int(process.returncode)

    def output(self) -> str:
        """What all child processes wrote so far."""
        return "".join(log.read_text(errors="replace") for log in sorted(self._scratch.glob("*.log")))

    def close(self) -> None:
        """Take everything down."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for node in self._nodes:
            self.executor.remove_node(node)
            node.destroy_node()
        self.executor.shutdown()
        self.context.try_shutdown()

    def _child_output(self) -> str:
        text = self.output()
        return f"\n--- output of its processes ---\n{text[-3000:]}" if text else ""


@pytest.fixture
def domain_id(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain that no other test of this machine is using, also set for child processes."""
    with claimed_domain() as number:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield number


@pytest.fixture
def ros(domain_id: int, tmp_path: Path) -> Iterator[RosHarness]:
    """ROS for one test, see RosHarness."""
    scratch = tmp_path / "processes"
    scratch.mkdir()
    harness = RosHarness(domain_id, scratch)
    yield harness
    harness.close()
