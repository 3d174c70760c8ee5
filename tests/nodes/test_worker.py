"""The mapping thread: jobs, errors, time-outs, stopping."""

from __future__ import annotations

import threading
import time

import pytest

from sem_field_ros.nodes.worker import Worker, WorkerError


def idle() -> None:
    return None


def make(step=idle, errors: list | None = None) -> Worker:
    return Worker(step, (errors if errors is not None else []).append)


def test_a_job_runs_on_the_thread_and_its_result_comes_back() -> None:
    worker = make()
    assert worker.call(lambda: threading.current_thread().name, 5) == "mapping"
    assert worker.stop(5)


def test_a_jobs_exception_is_the_callers() -> None:
    worker = make()
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, 5)
    assert worker.call(lambda: 7, 5) == 7
    assert worker.stop(5)


def test_a_failing_step_is_told_and_the_thread_goes_on() -> None:
    errors: list[Exception] = []
    steps = []

    def step() -> None:
        steps.append(1)
        if len(steps) == 1:
            raise RuntimeError("a bad frame")

    worker = make(step, errors)
    worker.notify()
    deadline = time.monotonic() + 5
    while len(steps) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [str(e) for e in errors] == ["a bad frame"]
    assert len(steps) >= 2
    assert worker.stop(5)


def test_a_job_that_did_not_begin_is_taken_back() -> None:
    """While a step blocks the thread, a caller gives up; its job must not run behind its back later."""
    release, entered, ran = threading.Event(), threading.Event(), []

    def step() -> None:
        entered.set()
        release.wait(5)

    worker = make(step)
    worker.notify()
    assert entered.wait(5)
    with pytest.raises(WorkerError, match=r"save_map: mapping was busy for 0.05 s \(not begun, taken back\)"):
        worker.call(lambda: ran.append(1), 0.05, "save_map")
    release.set()
    worker.call(idle, 5)
    assert ran == []
    assert worker.stop(5)


def test_a_job_that_has_begun_goes_on() -> None:
    done = threading.Event()

    def slow() -> None:
        time.sleep(0.2)
        done.set()

    worker = make()
    with pytest.raises(WorkerError, match="still running"):
        worker.call(slow, 0.05, "reset")
    assert done.wait(5)
    assert worker.stop(5)


def test_step_sleeps_as_long_as_it_says() -> None:
    times: list[float] = []

    def step() -> float:
        times.append(time.monotonic())
        return 0.05

    worker = make(step)
    worker.notify()
    time.sleep(0.5)
    assert worker.stop(5)
    assert 4 <= len(times) <= 11


def test_stop_fails_the_jobs_that_wait_and_refuses_new_ones() -> None:
    release, entered, failures = threading.Event(), threading.Event(), []

    def step() -> None:
        entered.set()
        release.wait(5)

    worker = make(step)
    worker.notify()
    assert entered.wait(5)

    def wait_for_job() -> None:
        try:
            worker.call(idle, 5)
        except WorkerError as error:
            failures.append(str(error))

    caller = threading.Thread(target=wait_for_job)
    caller.start()
    time.sleep(0.1)
    assert not worker.stop(0.05), "the step still blocks"
    caller.join(5)
    assert len(failures) == 1
    with pytest.raises(WorkerError, match="stopping"):
        worker.call(idle, 1)
    release.set()
    assert worker.stop(5)


def test_a_finished_job_is_let_go() -> None:
    """A save's job holds a whole map: it must not stay alive until the next job comes."""
    import gc
    import weakref

    class Map:
        pass

    worker = make()
    big = Map()
    watch = weakref.ref(big)
    worker.call(lambda held=big: None, 5)
    del big
    time.sleep(0.1)
    gc.collect()
    assert watch() is None
    assert worker.stop(5)
