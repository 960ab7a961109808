"""A recorder that was killed loses its last chunk at most, and a restored bag is a whole bag."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hop_core import topics
from hop_core.errors import BagError
from hop_policy import messages
from hop_policy.bag_files import INFO_FILE, METADATA_FILE, PART_DIR
from hop_policy.bag_reader import open_episode
from hop_policy.bag_repair import DAMAGED_DIR, Repaired, find_parts, repair
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo
from hop_policy.statics import StaticFrame, Statics

T0 = 1_700_000_000_000_000_000
INFO = EpisodeInfo(task="lift", source="teleop", seed=3)
STATICS = Statics("<robot/>", (StaticFrame("base_link", "camera", np.eye(4)),))
WRITER = """
import sys, time
from pathlib import Path
from hop_policy import messages
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo
info = EpisodeInfo(task="lift", source="teleop", seed=3)
writer = EpisodeWriter(Path(sys.argv[1]), "lift", "e1", info)
for i in range(10_000):
    writer.write("/text", 1_700_000_000_000_000_000 + i, messages.string(f"message {i}"))
    if i == 500:
        writer.flush()
    if i == 600:
        print("ready", flush=True)
        time.sleep(60)
"""


def unfinished(root: Path, count: int, name: str = "e1", topic: str = "/text") -> Path:
    with EpisodeWriter(root, "lift", name, INFO, statics=STATICS) as writer:
        for i in range(count):
            writer.write(topic, T0 + i, messages.string(f"message {i}"))
        writer.flush()
        writer.write("/text", T0 + count, messages.string("in the last chunk"))
        return writer.part


def texts(path: Path) -> list[str]:
    return [message.data for _, _, message in open_episode(path).messages(["/text"])]


def test_killed_recorder_is_restored_up_to_its_last_flush(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        (part,) = find_parts(tmp_path)
        with pytest.raises(BagError, match="being recorded right now"):
            repair(part)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    finally:
        process.kill()
        process.stdout.close()
    done = repair(part)
    assert done.messages == 501
    assert texts(done.path) == [f"message {i}" for i in range(501)]
    bag = open_episode(done.path)
    assert (bag.info, bag.label) == (INFO, "unlabelled")
    assert "cut off" in bag.reason
    assert find_parts(tmp_path) == []
    assert (tmp_path / "lift" / DAMAGED_DIR / "e1").is_dir()


def test_file_cut_inside_a_chunk_keeps_the_chunks_before(tmp_path: Path) -> None:
    part = unfinished(tmp_path, 300)
    file = part / "e1.mcap"
    file.write_bytes(file.read_bytes() + b"\x06" + (10_000).to_bytes(8, "little") + b"half")
    done = repair(part)
    assert done.messages == 300
    counts = open_episode(done.path).counts
    assert counts == {"/robot_description": 1, "/tf_static": 1, "/text": 300}


def test_zeros_of_a_power_loss_end_the_good_part(tmp_path: Path) -> None:
    part = unfinished(tmp_path, 300)
    file = part / "e1.mcap"
    file.write_bytes(file.read_bytes() + bytes(4096))
    assert repair(part).messages == 300


def test_whole_bag_that_was_not_moved_yet_is_only_moved(tmp_path, monkeypatch) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO, statics=STATICS)
    for k in range(3):
        writer.write("/text", T0 + k * 10**9, messages.string("x"))
    monkeypatch.setattr("hop_policy.bag_writer.complete", lambda part, path: None)
    writer.finish("success")
    (part,) = find_parts(tmp_path)
    assert repair(part) == Repaired(tmp_path / "lift" / "e1", 3, 2.0)
    assert open_episode(tmp_path / "lift" / "e1").label == "success"


def test_metadata_that_a_power_loss_left_empty_are_no_whole_bag(tmp_path: Path) -> None:
    part = unfinished(tmp_path, 300)
    (part / METADATA_FILE).touch()
    done = repair(part)
    assert done.messages == 300
    assert open_episode(done.path).info == INFO


def test_a_repair_that_was_cut_off_after_its_bag_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = unfinished(tmp_path, 300)
    monkeypatch.setattr("hop_policy.bag_repair._set_aside", lambda *_: None)
    repair(part)
    monkeypatch.undo()
    (tmp_path / "lift" / DAMAGED_DIR / "e1").mkdir(parents=True)  # of an older episode
    assert repair(part).messages == 300
    assert find_parts(tmp_path) == []
    assert (tmp_path / "lift" / DAMAGED_DIR / "e1.1" / "e1.mcap").is_file()


def test_part_without_a_chunk_is_left_alone(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path, "lift", "e1", INFO) as writer:
        writer.write("/text", T0, messages.string("x"))
    with pytest.raises(BagError, match="no complete chunk"):
        repair(writer.part)
    assert sorted(p.name for p in (tmp_path / "lift").iterdir()) == [PART_DIR]
    assert writer.part.is_dir()


@pytest.mark.parametrize("topic", [topics.STATE, topics.DIAGNOSTICS])
def test_part_that_recorded_nothing_is_left_alone(tmp_path: Path, topic: str) -> None:
    part = unfinished(tmp_path, 10, topic=topic)
    with pytest.raises(BagError, match="nothing but what nodes say of themselves: remove it"):
        repair(part)
    assert sorted(p.name for p in (tmp_path / "lift").iterdir()) == [PART_DIR]
    assert part.is_dir()


def test_part_without_provenance_is_left_alone(tmp_path: Path) -> None:
    part = unfinished(tmp_path, 10)
    (part / INFO_FILE).unlink()
    with pytest.raises(BagError, match="task and source of the episode are unknown"):
        repair(part)
    assert (part / "e1.mcap").exists()


def test_restored_bag_never_replaces_another(tmp_path: Path) -> None:
    part = unfinished(tmp_path, 10)
    part.rename(part.with_name("kept"))
    with EpisodeWriter(tmp_path, "lift", "e1", INFO) as writer:
        writer.write("/text", T0, messages.string("x"))
        writer.finish("success")
    part.with_name("kept").rename(part)
    with pytest.raises(BagError, match="exists already"):
        repair(part)
    assert texts(tmp_path / "lift" / "e1") == ["x"]
