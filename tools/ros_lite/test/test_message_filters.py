"""Filters match messages by stamp like upstream's."""

from types import SimpleNamespace

import pytest
from message_filters import (
    ApproximateTimeSynchronizer,
    Cache,
    SimpleFilter,
    Subscriber,
    TimeSynchronizer,
)


def message(stamp_ms: int, name: str = ""):
    """A message with a header."""
    stamp = SimpleNamespace(sec=stamp_ms // 1000, nanosec=stamp_ms % 1000 * 1_000_000)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), stamp_ms=stamp_ms, name=name)


def time(stamp_ms: int):
    """What Cache reads of an rclpy Time."""
    return SimpleNamespace(nanoseconds=stamp_ms * 1_000_000)


def synchronized(kind, *args, inputs: int = 2, **kwargs):
    """Return the inputs and the list of stamps of each output."""
    filters, outputs = [SimpleFilter() for _ in range(inputs)], []
    synchronizer = kind(filters, *args, **kwargs)
    synchronizer.registerCallback(lambda *msgs: outputs.append([m.stamp_ms for m in msgs]))
    return filters, outputs


def test_a_callback_gets_its_own_arguments_behind_the_message():
    seen, source = [], SimpleFilter()
    source.registerCallback(lambda *args: seen.append(args), "a", 2)
    source.signalMessage("message")
    assert seen == [("message", "a", 2)]


def test_a_subscriber_passes_messages_of_its_subscription_on():
    calls = {}

    class FakeNode:
        def create_subscription(self, *args, **kwargs):
            calls.update(kwargs, args=args)
            return SimpleNamespace(topic_name="/resolved")

    seen = []
    subscriber = Subscriber(FakeNode(), str, "topic")
    subscriber.registerCallback(seen.append)
    calls["callback"]("message")
    assert (calls["args"], calls["qos_profile"], seen) == ((str, "topic"), 10, ["message"])
    assert (subscriber.getTopic(), subscriber.topic_name) == ("topic", "/resolved")


def test_equal_stamps_are_matched_once_in_any_order():
    (a, b), outputs = synchronized(TimeSynchronizer, 10)
    a.signalMessage(message(1))
    a.signalMessage(message(2))
    b.signalMessage(message(2))
    b.signalMessage(message(1))  # older than the last output: too late
    b.signalMessage(message(2))
    assert outputs == [[2, 2]]


def test_a_full_queue_forgets_the_oldest_message():
    (a, b), outputs = synchronized(TimeSynchronizer, 2)
    for stamp in (1, 2, 3):
        a.signalMessage(message(stamp))
    for stamp in (1, 2, 3):
        b.signalMessage(message(stamp))
    assert outputs == [[2, 2], [3, 3]]


def test_the_nearest_stamps_within_the_slop_are_matched():
    (a, b), outputs = synchronized(ApproximateTimeSynchronizer, 10, 0.020)
    for stamp in (100, 110, 121):
        a.signalMessage(message(stamp))
    b.signalMessage(message(113))
    assert outputs == [[110, 113]]
    b.signalMessage(message(150))
    assert len(outputs) == 1


def test_all_stamps_of_a_set_lie_within_the_slop_of_each_other():
    (a, b, c), outputs = synchronized(ApproximateTimeSynchronizer, 10, 0.010, inputs=3)
    a.signalMessage(message(92))
    b.signalMessage(message(108))
    c.signalMessage(message(100))  # 8 ms from each, but they are 16 ms apart
    assert outputs == []
    a.signalMessage(message(101))
    assert outputs == [[101, 108, 100]]


def test_a_message_without_header_is_dropped_unless_allowed(caplog):
    (a, _), outputs = synchronized(TimeSynchronizer, 10)
    a.signalMessage(SimpleNamespace())
    assert outputs == []
    assert "without header" in caplog.text


def test_a_cache_answers_by_time():
    source = SimpleFilter()
    cache = Cache(source, 3)
    for stamp in (10, 30, 20, 40):
        source.signalMessage(message(stamp))
    assert [m.stamp_ms for m in cache.getInterval(time(20), time(35))] == [20, 30]
    assert cache.getElemAfterTime(time(31)).stamp_ms == 40
    assert cache.getElemBeforeTime(time(29)).stamp_ms == 20
    assert cache.getElemBeforeTime(time(15)) is None
    assert cache.getLast().stamp_ms == 40
    with pytest.raises(ValueError, match="at least 1"):
        Cache(source, 0)


def test_a_cache_passes_messages_on():
    source, seen = SimpleFilter(), []
    cache = Cache(source)
    cache.registerCallback(seen.append)
    source.signalMessage(message(1, "first"))
    assert [m.name for m in seen] == ["first"]
