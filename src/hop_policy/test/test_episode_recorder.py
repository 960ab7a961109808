"""The recording thread loses nothing that was queued, and ends before the disk is full."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from hop_policy import messages
from hop_policy.bag_files import require_not_recording
from hop_policy.bag_reader import open_episode
from hop_policy.bag_repair import repair
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo
from hop_policy.episode_recorder import EpisodeEnd, EpisodeRecorder
from hop_policy.recorder_config import RecorderConfig

T0 = 1_700_000_000_000_000_000
TEXT = messages.serialize(messages.string("x" * 100))


class Recording:
    def __init__(self, root: Path, **changes) -> None:
        values = {
            "root": root,
            "topics": (),
            "queue_messages": 100,
            "flush_period_s": 0.05,
            "min_free_mb": 0,
            "rate_tolerance": 0.05,
            "max_gap_s": 0.2,
        }
        config = RecorderConfig(**values | changes)
        info = EpisodeInfo(task="lift", source="policy")
        self.ends: list[EpisodeEnd] = []
        self.writer = EpisodeWriter(root, "lift", "e1", info, config=config)
        self.recorder = EpisodeRecorder(self.writer, config, self.ends.append)

    def put(self, count: int) -> None:
        for i in range(count):
            self.recorder.put("/text", messages.STRING, T0 + i, TEXT)

    def end(self) -> EpisodeEnd:
        assert self.recorder.join(10.0)
        (end,) = self.ends
        return end


def test_everything_queued_before_the_end_is_written(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.put(90)
    recording.recorder.finish("success")
    recording.put(5)  # after the end: not part of the episode
    end = recording.end()
    assert (end.messages, end.dropped, end.reason) == (90, 0, "")
    assert open_episode(end.path).counts["/text"] == 90


def test_slow_disk_drops_counts_and_says_so(tmp_path: Path, monkeypatch) -> None:
    recording, go = Recording(tmp_path), threading.Event()
    write = EpisodeWriter.write_raw
    monkeypatch.setattr(
        EpisodeWriter, "write_raw", lambda self, *args: (go.wait(10), write(self, *args))
    )
    recording.put(150)
    go.set()
    recording.recorder.finish("success")
    end = recording.end()
    assert end.messages + end.dropped == 150
    assert end.dropped >= 49
    assert "dropped because the disk is too slow" in open_episode(end.path).reason


def test_nearly_full_disk_ends_the_episode_while_it_fits(tmp_path: Path, monkeypatch) -> None:
    recording = Recording(tmp_path, min_free_mb=500)
    recording.put(10)
    monkeypatch.setattr(
        "hop_policy.episode_recorder.shutil.disk_usage", lambda _: SimpleNamespace(free=10**8)
    )
    stop = threading.Event()

    def keep_coming() -> None:
        while not stop.wait(0.01):
            recording.put(1)

    feeder = threading.Thread(target=keep_coming)
    feeder.start()
    try:
        end = recording.end()
    finally:
        stop.set()
        feeder.join()
    assert "only 100 MB are free" in end.reason
    assert not recording.recorder.running
    assert open_episode(end.path).reason == end.reason


def test_failed_disk_is_reported_and_the_part_kept(tmp_path: Path, monkeypatch) -> None:
    recording = Recording(tmp_path)

    def fail(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("rosbags.rosbag2.storage_mcap.McapWriter.close_chunk", fail)
    recording.put(10)
    recording.recorder.finish("success")
    end = recording.end()
    assert end.path is None
    assert "Input/output error" in end.reason
    assert "hop demos repair" in end.reason
    assert recording.writer.part.is_dir()


def test_nothing_received_is_reported_and_leaves_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.recorder.finish("success")
    end = recording.end()
    assert end.path is None
    assert "nothing was recorded" in end.reason
    assert list((tmp_path / "lift").iterdir()) == []


def test_what_nodes_say_of_themselves_is_no_recording(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.recorder.put("/hop/state", messages.STRING, T0, TEXT)
    recording.recorder.finish("success")
    end = recording.end()
    assert end.path is None
    assert "nothing was recorded" in end.reason


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"topics": ({"name": "/a", "type": "std_msgs/msg/Strin"},)}, "no standard message"),
        ({"topics": ({"name": "/a", "type": "std_msgs/msg/String"},) * 2}, "listed twice"),
        ({"topics": ({"name": "a b", "type": "std_msgs/msg/String"},)}, "pattern"),
    ],
)
def test_wrong_topics_are_refused(tmp_path: Path, changes, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        Recording(tmp_path, **changes)


def test_a_recording_that_breaks_off_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    recording = Recording(tmp_path)
    monkeypatch.setattr(EpisodeWriter, "write_raw", lambda *_args: 1 / 0)
    recording.put(1)
    end = recording.end()
    assert end.path is None
    assert "broke off: ZeroDivisionError" in end.reason
    require_not_recording(recording.writer.part)
    assert not recording.recorder.running


@pytest.mark.parametrize(
    ("topic", "kind", "sentence"),
    [
        ("/text", "std_msgs/msg/Int64MultiArray", "two publishers disagree; stop one, then 'hop"),
        ("/other", "our_msgs/msg/Secret", "no standard message: leave it out"),
    ],
)
def test_what_cannot_be_written_ends_the_episode_and_leaves_the_part_for_its_repair(
    tmp_path: Path, monkeypatch, topic: str, kind: str, sentence: str
) -> None:
    """The process that recorded lives on, and so would its lock."""
    recording = Recording(tmp_path, flush_period_s=1e-6)  # after each message
    recording.put(10)
    recording.recorder.put(topic, kind, T0 + 10, TEXT)
    end = recording.end()
    assert end.path is None
    assert sentence in end.reason
    assert repair(recording.writer.part).messages == 10
