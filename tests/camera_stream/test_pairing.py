"""Frame pairing: any order of arrival, bounded, counted, never deaf. No ROS needed."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sem_field_ros.camera_stream.pairing import CAMERA_INFO, COLOR, DEPTH, LABELS, FramePairer

MS = 1_000_000
S = 1000 * MS


def drain(pairer):
    out = []
    while (bundle := pairer.pop()) is not None:
        out.append(bundle)
    return out


def feed(pairer, stamp_ns, *streams):
    for stream in streams:
        pairer.add(stream, stamp_ns, f"{stream}@{stamp_ns}")


def test_pairs_by_stamp_in_any_order_of_the_streams():
    pairer = FramePairer()
    feed(pairer, 1 * S, DEPTH, CAMERA_INFO, COLOR)
    feed(pairer, 2 * S, COLOR, DEPTH, CAMERA_INFO)
    feed(pairer, 3 * S, CAMERA_INFO, COLOR, DEPTH)
    bundles = drain(pairer)
    assert [b.stamp_ns for b in bundles] == [1 * S, 2 * S, 3 * S]
    for b in bundles:
        assert (b.color, b.depth, b.labels) == (f"color@{b.stamp_ns}", f"depth@{b.stamp_ns}", None)
        assert b.camera_info == f"camera_info@{b.stamp_ns}"
    assert not pairer.drops


def test_reads_stamps_of_messages():
    def message(sec, nanosec):
        return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=sec, nanosec=nanosec)))

    pairer = FramePairer(slop_s=0.01, want_labels=True)
    pairer.add_camera_info(message(0, 0))
    pairer.add_color(message(5, 999_000_000))
    pairer.add_depth(message(6, 1_000_000))
    assert pairer.pop() is None
    pairer.add_labels(message(5, 999_000_000))
    bundle = pairer.pop()
    assert bundle is not None and bundle.stamp_ns == 5 * S + 999 * MS and bundle.labels is not None


def test_slop_is_the_limit_and_the_nearest_wins():
    pairer = FramePairer(slop_s=0.01)
    feed(pairer, 0, CAMERA_INFO)
    pairer.add(COLOR, 1 * S, "c")
    pairer.add(DEPTH, 1 * S - 10 * MS - 1, "too early")
    assert pairer.pop() is None
    pairer.add(DEPTH, 1 * S + 10 * MS, "d")
    assert pairer.pop().depth == "d"
    pairer.add(DEPTH, 2 * S, "far")
    pairer.add(DEPTH, 2 * S + 9 * MS, "near")
    pairer.add(COLOR, 2 * S + 7 * MS, "c")
    assert pairer.pop().depth == "near"
    assert pairer.drops == {"unpaired_depth": 2}


def test_a_depth_goes_to_its_nearest_color():
    pairer = FramePairer(slop_s=0.02)
    feed(pairer, 0, CAMERA_INFO)
    pairer.add(COLOR, 1000 * MS, "a")
    pairer.add(COLOR, 1030 * MS, "b")
    pairer.add(DEPTH, 1018 * MS, "d")
    bundle = pairer.pop()
    assert (bundle.color, bundle.depth) == ("b", "d")
    assert pairer.drops == {"unpaired_color": 1}


def test_one_latched_camera_info_serves_all_frames():
    pairer = FramePairer()
    feed(pairer, 1 * S, COLOR, DEPTH)
    assert pairer.pop() is None and pairer.waiting_for() == ["camera_info"]
    pairer.add(CAMERA_INFO, 0, "latched")
    for t in (2, 3, 4):
        feed(pairer, t * S, COLOR, DEPTH)
    assert [(b.stamp_ns, b.camera_info) for b in drain(pairer)] == [(t * S, "latched") for t in (1, 2, 3, 4)]


def test_latched_camera_info_with_the_first_stamp_delays_one_frame_only():
    pairer = FramePairer()
    feed(pairer, 1 * S, CAMERA_INFO, COLOR, DEPTH)
    assert pairer.pop() is not None
    feed(pairer, 2 * S, COLOR, DEPTH)
    assert pairer.pop() is None  # its own camera_info may still come
    feed(pairer, 3 * S, COLOR, DEPTH)
    assert [b.stamp_ns for b in drain(pairer)] == [2 * S, 3 * S]
    feed(pairer, 4 * S, COLOR, DEPTH)
    assert [b.stamp_ns for b in drain(pairer)] == [4 * S]


def test_intrinsics_that_change_mid_run_reach_the_right_frame():
    pairer = FramePairer()
    for t in (1, 2, 3, 4):
        feed(pairer, t * S, COLOR, DEPTH)
        pairer.add(CAMERA_INFO, t * S, "wide" if t < 3 else "tele")
    assert [b.camera_info for b in drain(pairer)] == ["wide", "wide", "tele", "tele"]


def test_faulty_stamps_are_counted():
    pairer = FramePairer()
    feed(pairer, 0, CAMERA_INFO, COLOR, DEPTH)
    feed(pairer, 5 * S, COLOR, COLOR, DEPTH)
    feed(pairer, 5 * S, COLOR)
    feed(pairer, 5 * S - 500 * MS, COLOR, DEPTH)
    assert [b.stamp_ns for b in drain(pairer)] == [5 * S]
    assert pairer.drops == {"zero_stamp": 2, "duplicate_stamp": 2, "out_of_order": 2}


def test_missing_partners_are_counted_and_bounded():
    pairer = FramePairer(queue_size=4)
    feed(pairer, 0, CAMERA_INFO)
    for i in range(10):
        feed(pairer, (i + 1) * S, COLOR)
    assert pairer.drops == {"unpaired_color": 6}
    assert pairer.waiting_for() == ["depth"]
    feed(pairer, 10 * S, DEPTH)
    assert pairer.pop().stamp_ns == 10 * S
    assert pairer.drops == {"unpaired_color": 9}


def test_a_topic_that_stops_is_named():
    pairer = FramePairer(queue_size=4)
    for i in range(3):
        feed(pairer, (i + 1) * S, COLOR, DEPTH, CAMERA_INFO)
    assert pairer.waiting_for() == []
    for i in range(3, 8):
        feed(pairer, (i + 1) * S, DEPTH, CAMERA_INFO)
    assert pairer.waiting_for() == ["color"]


def test_the_newest_bundles_win_when_nobody_pops():
    pairer = FramePairer(queue_size=3)
    for i in range(10):
        feed(pairer, (i + 1) * S, CAMERA_INFO, COLOR, DEPTH)
    assert len(pairer) == 3
    assert [b.stamp_ns for b in drain(pairer)] == [8 * S, 9 * S, 10 * S]
    assert pairer.drops == {"queue_full": 7}


@pytest.mark.parametrize("first", [COLOR, DEPTH])
@pytest.mark.parametrize("length", [100, 7])
def test_a_looped_bag_never_leaves_it_deaf(first, length):
    """message_filters' ApproximateTime pairs 75, 9, 75 frames of such a loop; here at most the short step is lost."""
    pairer = FramePairer(queue_size=5)
    second = DEPTH if first == COLOR else COLOR
    pairer.add(CAMERA_INFO, 0, "latched")
    for _ in range(3):
        paired = 0
        for i in range(length):
            feed(pairer, S + i * 33 * MS, first, second)
            paired += len(drain(pairer))
        assert paired >= (length if length == 100 else 4)
    if length == 100:
        assert pairer.clock_jumps == 2 and pairer.drops.total() == 0


def test_one_stamp_from_the_far_future_does_no_lasting_harm():
    pairer = FramePairer(queue_size=5)
    pairer.add(CAMERA_INFO, 0, "latched")
    feed(pairer, 1 * S, COLOR, DEPTH)
    feed(pairer, 10**6 * S, COLOR, DEPTH)
    for t in range(2, 12):
        feed(pairer, t * S, COLOR, DEPTH)
        assert pairer.pop() is not None
    pairer.add(COLOR, 10**6 * S, "alone")
    for t in range(12, 30):
        feed(pairer, t * S, COLOR, DEPTH)
    assert [b.stamp_ns for b in drain(pairer)][-1] == 29 * S


def test_clear_forgets_frames_and_keeps_the_latched_camera_info():
    pairer = FramePairer()
    pairer.add(CAMERA_INFO, 0, "latched")
    feed(pairer, 5 * S, COLOR, DEPTH)
    feed(pairer, 6 * S, COLOR)
    pairer.clear()
    assert pairer.pop() is None and pairer.drops == {"clock_jump": 2}
    feed(pairer, 1 * S, COLOR, DEPTH)
    assert pairer.pop().camera_info == "latched"


def test_unwanted_streams_are_ignored():
    pairer = FramePairer(want_depth=False)
    feed(pairer, 1 * S, LABELS, DEPTH, CAMERA_INFO, COLOR)
    bundle = pairer.pop()
    assert bundle.depth is None and bundle.labels is None and not pairer.drops


@pytest.mark.parametrize("arguments", [{"slop_s": -1}, {"queue_size": 0}, {"jump_s": 0.0}])
def test_senseless_settings_are_refused(arguments):
    with pytest.raises(ValueError, match="do not fit"):
        FramePairer(**arguments)


@st.composite
def _streams_in_order(draw):
    """Colour, depth and label streams each in order, with losses and jitter, interleaved at random."""
    frames = draw(st.integers(1, 25))
    messages = []
    for stream in (COLOR, DEPTH, LABELS):
        kept = draw(st.lists(st.booleans(), min_size=frames, max_size=frames))
        jitter = 0 if stream == COLOR else draw(st.integers(-9, 9))
        messages.append([(stream, S + i * 33 * MS + jitter * MS) for i in range(frames) if kept[i]])
    merged = []
    while any(messages):
        queue = draw(st.sampled_from([m for m in messages if m]))
        merged.append(queue.pop(0))
    return merged


@settings(max_examples=150, deadline=None)
@given(_streams_in_order())
def test_ordered_streams_lose_no_frame_however_they_interleave(messages):
    pairer = FramePairer(slop_s=0.01, queue_size=50, want_labels=True)
    pairer.add(CAMERA_INFO, 0, "latched")
    for stream, stamp in messages:
        pairer.add(stream, stamp, (stream, stamp))
    index = {s: {round((t - S) / (33 * MS)) for st_, t in messages if st_ == s} for s in (COLOR, DEPTH, LABELS)}
    complete = sorted(index[COLOR] & index[DEPTH] & index[LABELS])
    assert [(b.stamp_ns - S) // (33 * MS) for b in drain(pairer)] == complete


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([COLOR, DEPTH, LABELS, CAMERA_INFO]), st.integers(-1, 60)), max_size=200),
    st.integers(1, 6),
    st.booleans(),
)
def test_nothing_goes_out_twice_or_backwards_or_uncounted(arrivals, queue_size, labels):
    """Any arrivals at all: stamps grow unless a clock jump was counted, each message used once, all accounted for."""
    pairer = FramePairer(slop_s=0.02, queue_size=queue_size, want_labels=labels, jump_s=0.5)
    used, last, jumps, wanted, out = set(), 0, 0, 0, 0
    for number, (stream, step) in enumerate(arrivals):
        wanted += stream in (COLOR, DEPTH) or (stream == LABELS and labels)
        pairer.add(stream, step * 30 * MS, number)
        if pairer.clock_jumps > jumps:
            jumps, last = pairer.clock_jumps, 0
        if number % 3 == 0:
            for bundle in drain(pairer):
                parts = [p for p in (bundle.color, bundle.depth, bundle.labels) if p is not None]
                assert len(parts) == 2 + labels and not used & set(parts)
                assert bundle.stamp_ns > last
                assert arrivals[bundle.camera_info][0] == CAMERA_INFO
                used |= set(parts)
                last = bundle.stamp_ns
                out += len(parts)
    waiting = sum(len(queue) for queue in pairer._queues.values())
    parts_each = 2 + labels
    # A dropped bundle counts once but holds several messages; bundles dropped by a jump count once as well.
    assert waiting + len(pairer) * parts_each + out <= wanted
    assert waiting <= queue_size * parts_each and len(pairer) <= queue_size
    if not pairer.drops["queue_full"] and not pairer.drops["clock_jump"]:
        assert waiting + len(pairer) * parts_each + out + pairer.drops.total() == wanted


def test_why_colour_finds_no_depth_is_measured():
    offset, late, good = (FramePairer(slop_s=0.02, queue_size=10) for _ in range(3))
    for i in range(40):
        stamp = S + i * 66 * MS
        for pairer, depth in ((offset, stamp - 33 * MS), (late, stamp - 700 * MS), (good, stamp)):
            pairer.add(CAMERA_INFO, stamp, "info")
            pairer.add(COLOR, stamp, "color")
            pairer.add(DEPTH, depth, "depth")
    assert offset.drops["unpaired_color"] > 20
    why = offset.why_unpaired()
    assert "colour and depth differ by 33.0 ms" in why and "pairing_slop_s is 0.02 s" in why
    assert "depth images come 0.70 s after colour" in late.why_unpaired()
    assert "pairing_queue_size 15 or more" in late.why_unpaired() and late.drops["unpaired_color"] > 20
    assert good.why_unpaired() == "" and FramePairer().why_unpaired() == ""
    cured = FramePairer(slop_s=0.02, queue_size=15)
    for i in range(40):
        cured.add(CAMERA_INFO, S + i * 66 * MS, "info")
        cured.add(COLOR, S + i * 66 * MS, "color")
        cured.add(DEPTH, S + (i - 11) * 66 * MS, "depth")
    assert len(drain(cured)) >= 10


def test_the_last_camera_info_can_be_handed_on():
    first = FramePairer()
    first.add(CAMERA_INFO, 5, "info")
    second = FramePairer()
    second.add(CAMERA_INFO, 5, first.last_info)
    feed(second, 9 * S, COLOR, DEPTH)
    assert [b.camera_info for b in drain(second)] == ["info"]
