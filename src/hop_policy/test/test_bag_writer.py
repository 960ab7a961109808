"""An episode appears when whole, and is a bag that ordinary tools read."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.rosbag2 import Reader

from hop_core.embodiment import ARM_JOINTS
from hop_core.errors import BagError
from hop_policy import messages
from hop_policy.bag_files import PART_DIR, require_room
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo
from hop_policy.recorder_config import RecorderConfig, TopicConfig
from hop_policy.statics import StaticFrame, Statics

T0 = 1_700_000_000_000_000_000
INFO = EpisodeInfo(task="lift", source="expert", config_hash="c0ffee", contract_hash="beef", seed=7)
CAMERA = StaticFrame("base_link", "camera", np.diag([1.0, -1.0, -1.0, 1.0]))


def arm_state(stamp_ns: int) -> object:
    return messages.joint_state(ARM_JOINTS, np.arange(7.0), np.zeros(7), np.zeros(7), stamp_ns)


def config(tmp_path: Path, **topics: float) -> RecorderConfig:
    listed = tuple(
        TopicConfig(name=f"/{name}", type=messages.JOINT_STATE, rate_hz=rate, required=True)
        for name, rate in topics.items()
    )
    return RecorderConfig(
        root=tmp_path,
        topics=listed,
        queue_messages=1000,
        flush_period_s=1.0,
        min_free_mb=0,
        rate_tolerance=0.05,
        max_gap_s=0.1,
    )


def write_arm(writer: EpisodeWriter, topic: str, rate_hz: float, seconds: float) -> None:
    for i in range(int(rate_hz * seconds) + 1):
        stamp_ns = T0 + round(i * 1e9 / rate_hz)
        writer.write(topic, stamp_ns, arm_state(stamp_ns))


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BagError, match=r"cannot record into .*file/demos: .*recorder.yaml's root"):
        require_room(tmp_path / "file" / "demos", 0)
    with pytest.raises(BagError, match="make room or choose another root"):
        require_room(tmp_path / "demos", 10**9)


def test_episode_appears_only_when_finished(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path, "lift", "e1", INFO) as writer:
        write_arm(writer, "/arm", 100.0, 0.1)
        assert not (tmp_path / "lift" / "e1").exists()
        assert writer.finish("success") == tmp_path / "lift" / "e1"
    assert sorted(p.name for p in (tmp_path / "lift").iterdir()) == ["e1"]
    assert sorted(p.name for p in (tmp_path / "lift" / "e1").iterdir()) == [
        "e1.mcap",
        "metadata.yaml",
    ]


def test_bag_is_read_by_rosbags_and_by_mcap(tmp_path: Path) -> None:
    statics = Statics(urdf="<robot/>", frames=(CAMERA,))
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO, statics=statics)
    depth = np.arange(12, dtype=np.uint16).reshape(3, 4)
    writer.write("/depth", T0, messages.depth_image(depth, T0 - 5, "camera"))
    writer.write("/tick", T0 + 9, messages.tick(T0 + 1, {"depth": T0 - 5}))
    path = writer.finish("failure")
    with Reader(path) as reader:
        seen = {
            c.topic: (t, messages.deserialize(data, c.msgtype)) for c, t, data in reader.messages()
        }
        hashes = {c.topic: c.digest for c in reader.connections}
    assert np.array_equal(seen["/depth"][1].data.view("<u2").reshape(3, 4), depth)
    assert seen["/tick"][0] == T0 + 9
    assert seen["/tick"][1].data.tolist() == [T0 + 1, T0 - 5]
    assert seen["/robot_description"][1].data == "<robot/>"
    rotation = seen["/tf_static"][1].transforms[0].transform.rotation
    assert [rotation.x, rotation.y, rotation.z, rotation.w] == pytest.approx(
        [1, 0, 0, 0]
    )  # 180 deg about x
    assert all(digest.startswith("RIHS01_") for digest in hashes.values())
    with (path / "e1.mcap").open("rb") as stream:
        assert len(list(make_reader(stream).iter_messages())) == 4
        stream.seek(0)
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        decoded = {channel.topic: m for _, channel, _, m in reader.iter_decoded_messages()}
    assert decoded["/depth"].encoding == "16UC1"
    assert list(decoded["/tick"].data) == [T0 + 1, T0 - 5]


def test_metadata_is_what_rosbag2_of_jazzy_expects(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO, statics=Statics("<robot/>"))
    write_arm(writer, "/arm", 100.0, 0.1)
    info = yaml.safe_load((writer.finish("success") / "metadata.yaml").read_text())[
        "rosbag2_bagfile_information"
    ]
    assert info["version"] == 9
    assert info["storage_identifier"] == "mcap"
    assert info["relative_file_paths"] == ["e1.mcap"]
    assert (
        info["compression_mode"] == ""
    )  # chunks describe themselves: the plain mcap plugin reads them
    topics = {
        t["topic_metadata"]["name"]: t["topic_metadata"] for t in info["topics_with_message_count"]
    }
    assert (
        topics["/robot_description"]["offered_qos_profiles"][0]["durability"] == "transient_local"
    )
    assert topics["/arm"]["offered_qos_profiles"][0]["reliability"] == "reliable"
    custom = info["custom_data"]
    assert all(isinstance(value, str) for value in custom.values())
    assert (custom["hop.task"], custom["hop.label"], custom["hop.seed"]) == ("lift", "success", "7")
    assert EpisodeInfo.from_custom_data(custom, "here") == INFO


def test_rate_audit_judges_rate_gap_and_absence(tmp_path: Path) -> None:
    writer = EpisodeWriter(
        tmp_path,
        "lift",
        "e1",
        INFO,
        config=config(tmp_path, good=100.0, slow=120.0, twice=50.0, gone=30.0, died=30.0),
    )
    write_arm(writer, "/good", 100.0, 1.0)
    write_arm(writer, "/slow", 100.0, 1.0)
    write_arm(writer, "/twice", 100.0, 1.0)
    write_arm(writer, "/died", 100.0, 0.01)
    custom = read_custom(writer.finish("success"))
    audit = {entry["topic"]: entry for entry in json.loads(custom["hop.rate_audit"])}
    assert {topic: entry["ok"] for topic, entry in audit.items()} == {
        "/good": True,
        "/slow": False,
        "/twice": False,
        "/gone": False,
        "/died": False,
    }
    assert audit["/good"]["achieved_hz"] == pytest.approx(100.0)
    assert audit["/slow"]["max_gap_s"] == pytest.approx(0.01)
    assert custom["hop.rates_ok"] == "false"


def test_a_stream_that_stops_early_is_broken(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO, config=config(tmp_path, a=100.0, b=100.0))
    write_arm(writer, "/a", 100.0, 1.0)
    write_arm(writer, "/b", 100.0, 0.8)
    audit = {entry.topic: entry for entry in writer.audit()}
    writer.finish("success")
    assert audit["/b"].max_gap_s == pytest.approx(0.2)
    assert (audit["/a"].ok, audit["/b"].ok) == (True, False)


def test_nothing_recorded_leaves_nothing(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO, statics=Statics("<robot/>"))
    with pytest.raises(BagError, match="nothing was recorded"):
        writer.finish("success")
    assert list((tmp_path / "lift").iterdir()) == []


def test_existing_episode_is_not_overwritten(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO)
    with pytest.raises(BagError, match="exists already"):
        EpisodeWriter(tmp_path, "lift", "e1", INFO)
    write_arm(writer, "/arm", 100.0, 0.1)
    writer.finish("success")
    with pytest.raises(BagError, match="exists already"):
        EpisodeWriter(tmp_path, "lift", "e1", INFO)


def test_repeatable_episode_leaves_and_meets_no_unfinished_part(tmp_path: Path) -> None:
    with EpisodeWriter(tmp_path, "lift", "e1", INFO) as cut_off:
        write_arm(cut_off, "/arm", 100.0, 0.1)
    for finish in (False, True):
        with EpisodeWriter(tmp_path, "lift", "e1", INFO, repeatable=True) as writer:
            write_arm(writer, "/arm", 100.0, 0.1)
            if finish:
                writer.finish("success")
        assert not writer.part.exists()
        assert writer.path.exists() == finish


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "two words", "../up"])
def test_unusable_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BagError, match="not usable"):
        EpisodeWriter(tmp_path, "lift", name, INFO)


def test_two_types_on_one_topic_are_refused(tmp_path: Path) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO)
    writer.write("/x", T0, messages.string("a"))
    with pytest.raises(BagError, match="two publishers disagree"):
        writer.write("/x", T0, messages.tick(T0, {}))
    writer.finish("unlabelled")


def test_full_disk_keeps_the_part_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = EpisodeWriter(tmp_path, "lift", "e1", INFO)
    write_arm(writer, "/arm", 100.0, 0.1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rosbags.rosbag2.storage_mcap.McapWriter.close_chunk", full)
    with pytest.raises(
        BagError, match="No space left on device; make room, then 'hop demos repair'"
    ):
        writer.flush()
    assert (tmp_path / "lift" / PART_DIR / "e1" / "e1.mcap").exists()
    with pytest.raises(BagError, match="closed"):
        writer.write("/arm", T0, arm_state(T0))


def read_custom(path: Path) -> dict[str, str]:
    text = (path / "metadata.yaml").read_text()
    data: dict[str, str] = yaml.safe_load(text)["rosbag2_bagfile_information"]["custom_data"]
    return data
