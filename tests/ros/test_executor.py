"""The mapper's executor over real DDS: services that take their time hold up no topic, and failures are raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Int32
from std_srvs.srv import Trigger

from sem_field_ros.ros.executor import ServiceThreadsExecutor
from sem_field_ros.ros.spinning import spin_to_end
from tests.ros.domains import claimed_domain


class Served:
    """A node with a topic and services on the executor, and a client with an executor of its own."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        self.context.init(domain_id=domain)
        self.node, self.client_node = (Node(name, context=self.context) for name in ("server", "client"))
        self.group = MutuallyExclusiveCallbackGroup()
        self.executor = ServiceThreadsExecutor(2, context=self.context)
        self.executor.add_node(self.node)
        self.client_executor = SingleThreadedExecutor(context=self.context)
        self.client_executor.add_node(self.client_node)
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._spin, daemon=True)

    def _spin(self) -> None:
        try:
            self.executor.spin()
        except BaseException as error:  # noqa: BLE001 (the test looks at it)
            self.failure = error

    def until(self, condition: Callable[[], object], what: str) -> None:
        end = time.monotonic() + 10
        while not condition():
            assert time.monotonic() < end, f"not within 10 s: {what}"
            self.client_executor.spin_once(timeout_sec=0.02)

    def close(self) -> None:
        self.executor.shutdown(timeout_sec=2)
        self.client_executor.shutdown(timeout_sec=2)
        self.thread.join(5)
        self.node.destroy_node()
        self.client_node.destroy_node()
        self.context.try_shutdown()


@pytest.fixture
def served() -> Iterator[Served]:
    with claimed_domain() as domain:
        one = Served(domain)
        yield one
        one.close()


def test_a_service_that_blocks_holds_up_no_topic_and_no_other_group(served: Served) -> None:
    gate, heard, threads = threading.Event(), [], []
    served.node.create_subscription(Int32, "numbers", lambda msg: heard.append((msg.data, threading.get_ident())), 10)

    def slow(_: object, response: Trigger.Response) -> Trigger.Response:
        threads.append(threading.get_ident())
        response.success = gate.wait(10)
        return response

    def quick(_: object, response: Trigger.Response) -> Trigger.Response:
        response.success = True
        return response

    served.node.create_service(Trigger, "slow", slow, callback_group=served.group)
    served.node.create_service(Trigger, "quick", quick)
    served.thread.start()
    publisher = served.client_node.create_publisher(Int32, "numbers", 10)
    clients = [served.client_node.create_client(Trigger, name) for name in ("slow", "quick")]
    served.until(lambda: all(c.service_is_ready() for c in clients), "services")
    served.until(lambda: publisher.get_subscription_count(), "the subscription")
    waiting = clients[0].call_async(Trigger.Request())
    served.until(lambda: threads, "the slow service to begin")
    for number in range(5):
        publisher.publish(Int32(data=number))
    served.until(lambda: len(heard) == 5, "all numbers")
    assert [number for number, _ in heard] == list(range(5))
    assert {thread for _, thread in heard} == {served.thread.ident}
    answer = clients[1].call_async(Trigger.Request())
    served.until(answer.done, "the quick answer")
    assert not waiting.done() and len(threads) == 1, "begun once, still at work"
    gate.set()
    served.until(waiting.done, "the slow answer")
    assert waiting.result().success and threads[0] != served.thread.ident


@pytest.mark.parametrize("kind", ["service", "topic"])
def test_what_a_callback_raises_comes_out_of_spin(served: Served, kind: str) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a bug")

    if kind == "service":
        served.node.create_service(Trigger, "fails", fail)
        client = served.client_node.create_client(Trigger, "fails")
        ready, say = client.service_is_ready, lambda: client.call_async(Trigger.Request())
    else:
        served.node.create_subscription(Int32, "fails", fail, 10)
        publisher = served.client_node.create_publisher(Int32, "fails", 10)
        ready, say = publisher.get_subscription_count, lambda: publisher.publish(Int32())
    served.thread.start()
    served.until(ready, "the other side")
    say()
    served.until(lambda: served.failure is not None, "the exception")
    assert isinstance(served.failure, ValueError) and "a bug" in str(served.failure)


def test_ros_that_is_taken_away_in_the_middle_is_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal shuts the context down after the executor looked at it and before it makes its wait set."""
    with claimed_domain() as domain:
        context = Context()
        context.init(domain_id=domain)
        executor = ServiceThreadsExecutor(1, context=context)
        wait = executor.wait_for_ready_callbacks
        raised: list[str] = []

        def wait_without_ros(**options: object) -> object:
            context.try_shutdown()
            try:
                return wait(**options)
            except RuntimeError as error:
                raised.append(str(error))
                raise

        monkeypatch.setattr(executor, "wait_for_ready_callbacks", wait_without_ros)
        spin_to_end(executor)
        assert raised and "context is not valid" in raised[0]


def test_a_fault_while_ros_is_there_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    with claimed_domain() as domain:
        context = Context()
        context.init(domain_id=domain)
        executor = ServiceThreadsExecutor(1, context=context)

        def broken(**_: object) -> None:
            raise RuntimeError("a fault")

        monkeypatch.setattr(executor, "wait_for_ready_callbacks", broken)
        with pytest.raises(RuntimeError, match="a fault"):
            spin_to_end(executor)
        executor.shutdown(timeout_sec=1)
        context.try_shutdown()
