"""The tick rule: newest sample that has surely arrived, never a later one, never a stale one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.align import AsOfBuffer, StreamRule, TickAligner
from hop_core.errors import AlignmentError

MS = 1_000_000


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50, unique=True), st.integers(0, 1000))
def test_as_of_is_the_newest_not_later_whatever_the_order_of_arrival(
    stamps: list[int], t: int
) -> None:
    buffer: AsOfBuffer[int] = AsOfBuffer(100)
    for stamp in stamps:
        buffer.insert(stamp, stamp * 2)
    expected = max((stamp for stamp in stamps if stamp <= t), default=None)
    assert buffer.as_of(t) == (None if expected is None else (expected, expected * 2))


def test_capacity_drops_the_oldest() -> None:
    buffer: AsOfBuffer[str] = AsOfBuffer(2)
    for stamp, item in ((3, "c"), (1, "a"), (2, "b")):
        buffer.insert(stamp, item)
    assert len(buffer) == 2
    assert buffer.as_of(1) is None
    assert buffer.as_of(3) == (3, "c")


def aligner() -> TickAligner[str]:
    return TickAligner(
        {"depth": StreamRule(30 * MS, 100 * MS), "arm": StreamRule(10 * MS, 50 * MS)}
    )


def test_a_tick_leaves_out_what_may_not_have_arrived() -> None:
    streams = aligner()
    for stamp in (0, 33, 66):
        streams.insert("depth", stamp * MS, f"d{stamp}")
    for stamp in range(0, 96, 8):
        streams.insert("arm", stamp * MS, f"a{stamp}")
    assert streams.select(95 * MS) == {"depth": (33 * MS, "d33"), "arm": (80 * MS, "a80")}


def test_stale_and_missing_streams_are_named() -> None:
    streams = aligner()
    streams.insert("depth", 0, "d")
    with pytest.raises(AlignmentError, match="arm: no sample yet"):
        streams.select(50 * MS)
    streams.insert("arm", 190 * MS, "a")
    with pytest.raises(AlignmentError, match="depth: 200 ms old, the limit is 100 ms"):
        streams.select(200 * MS)


def test_a_sample_that_a_past_tick_should_have_used_is_counted() -> None:
    streams = aligner()
    streams.insert("depth", 0, "d0")
    streams.insert("arm", 40 * MS, "a40")
    streams.select(64 * MS)
    streams.insert("depth", 33 * MS, "d33")
    assert streams.late == {"depth": 1, "arm": 0}
