"""Parts of work over threads: each done once, with one thread of torch each, errors come through."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import torch

from sem_field_ros.parallel import for_each, one_thread


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_every_part_is_done_once(threads: int) -> None:
    done: list[int] = []
    for_each(range(20), done.append)
    assert sorted(done) == list(range(20))
    for_each([], done.append)
    assert len(done) == 20


def test_as_many_threads_as_torch_has_each_with_one_of_its_own(threads: int) -> None:
    together = threading.Barrier(threads)
    seen: list[tuple[int, int]] = []

    def work(_: int) -> None:
        together.wait(timeout=10)  # as many parts are under way at the same time
        seen.append((threading.get_ident(), torch.get_num_threads()))

    for_each(range(threads), work)
    assert len({ident for ident, _ in seen}) == threads
    assert {count for _, count in seen} == {1}
    assert torch.get_num_threads() == threads
    other: list[int] = []
    thread = threading.Thread(target=lambda: other.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert other == [threads], "threads of others are as they were"


def test_operations_on_one_thread_parts_on_all(threads: int) -> None:
    together = threading.Barrier(threads)
    seen: list[int] = []

    def work(_: int) -> None:
        together.wait(timeout=10)
        seen.append(threading.get_ident())

    @one_thread()
    def inner() -> None:
        assert torch.get_num_threads() == 1
        for_each(range(threads), work)
        assert torch.get_num_threads() == 1

    with one_thread():
        inner()
        assert torch.get_num_threads() == 1, "the inner one leaves the outer one as it is"
    assert len(set(seen)) == threads and torch.get_num_threads() == threads
    with pytest.raises(ValueError, match="as before"), one_thread():
        raise ValueError("as before")
    assert torch.get_num_threads() == threads


def test_nothing_is_under_way_when_an_error_comes_through(threads: int) -> None:
    under_way: list[int] = []

    def work(part: int) -> None:
        if part == 0:
            raise ValueError("part 0")
        under_way.append(part)
        time.sleep(0.2)
        under_way.remove(part)

    with pytest.raises(ValueError, match="part 0"):
        for_each(range(3), work)
    assert not under_way


def test_parts_are_in_the_callers_inference_mode(threads: int) -> None:
    with torch.inference_mode():
        sums = torch.zeros(4)
        for_each(range(4), lambda part: sums[part].add_(1))
    assert sums.is_inference() and sums.tolist() == [1.0] * 4


def test_errors_come_through_and_the_next_work_is_done(threads: int) -> None:
    def work(part: int) -> None:
        if part == 2:
            raise ValueError("part 2")

    with pytest.raises(ValueError, match="part 2"):
        for_each(range(4), work)
    test_every_part_is_done_once(threads)
