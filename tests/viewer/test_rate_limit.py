"""Bounded work: the newest wins, and slow jobs run less often."""

from __future__ import annotations

from sem_field_ros.viewer.rate_limit import Newest, RateLimit


def test_only_the_newest_offer_is_made() -> None:
    made: list[int] = []
    slot: Newest[None] = Newest()
    for i in range(5):
        slot.offer(lambda i=i: made.append(i))
    make = slot.take()
    assert make is not None and not slot and slot.take() is None
    make()
    assert made == [4]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_quick_job_keeps_its_rate_and_a_slow_one_rests() -> None:
    clock = Clock()
    limit = RateLimit(2.0, clock)
    assert limit.due()
    with limit:
        clock.now += 0.1
    clock.now = 100.49
    assert not limit.due()
    clock.now = 100.51
    assert limit.due()
    with limit:
        clock.now += 1.0  # ends at 101.51, rests 3 s
    clock.now = 104.4
    assert not limit.due()
    limit.reset()
    assert limit.due()
    with limit:
        pass
    clock.now = 104.6
    assert not limit.due()
