"""`hop demos` lists, shows and labels; it never deletes, and says what is wrong in one sentence."""

import json
from pathlib import Path

import pytest

from hop_core.errors import BagError
from hop_policy import demos_cli, messages
from hop_policy.bag_files import METADATA_FILE
from hop_policy.bag_reader import find_bags, open_episode
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo, Label

T0 = 1_700_000_000_000_000_000


def record(root: Path, name: str, label: Label = "unlabelled") -> Path:
    info = EpisodeInfo(task="lift", source="teleop", extra={"object": "cup"})
    with EpisodeWriter(root, "lift", name, info) as writer:
        for i in range(5):
            writer.write("/text", T0 + i * 10**8, messages.string("x"))
        return writer.finish(label)


def test_list_shows_every_episode(tmp_path, capsys) -> None:
    record(tmp_path, "e1", "success")
    record(tmp_path, "e2")
    assert demos_cli.list_main(["--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "lift/e1" in out
    assert "lift/e2" in out
    assert "2 episodes" in out


def test_list_as_json_is_one_object_per_line(tmp_path, capsys) -> None:
    record(tmp_path, "e1", "success")
    assert demos_cli.list_main(["--root", str(tmp_path), "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)
    assert (entry["episode"], entry["label"], entry["object"]) == ("lift/e1", "success", "cup")
    assert entry["seconds"] == pytest.approx(0.4)


def test_damaged_episode_is_named_and_the_others_are_listed(tmp_path, capsys) -> None:
    record(tmp_path, "e1")
    (record(tmp_path, "e2") / METADATA_FILE).write_text("{]")
    assert demos_cli.list_main(["--root", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "lift/e1" in captured.out
    assert "not valid YAML" in captured.err


@pytest.mark.parametrize("kept", [0, 5, -1])
def test_an_episode_that_was_cut_short_is_named(tmp_path, capsys, kept: int) -> None:
    record(tmp_path, "e1")
    file = record(tmp_path, "e2") / "e2.mcap"
    file.write_bytes(file.read_bytes()[:kept])
    assert demos_cli.list_main(["--root", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "1 episodes in" in captured.out
    assert "the end of e2.mcap is missing" in captured.err
    label = ["--root", str(tmp_path), "lift/e2", "discarded"]  # the remedy that the sentence names
    assert demos_cli.label_main(label) == demos_cli.list_main(["--root", str(tmp_path)]) == 0


def test_an_episode_whose_file_was_not_copied_is_named(tmp_path, capsys) -> None:
    (record(tmp_path, "e1") / "e1.mcap").unlink()
    assert demos_cli.list_main(["--root", str(tmp_path)]) == 1
    assert "e1.mcap: No such file or directory" in capsys.readouterr().err


def test_an_episode_whose_metadata_was_not_copied_is_named(tmp_path, capsys) -> None:
    (record(tmp_path, "e1") / METADATA_FILE).unlink()
    assert demos_cli.list_main(["--root", str(tmp_path)]) == 1
    assert "lift/e1 is no complete bag (metadata.yaml: No such file" in capsys.readouterr().err


def test_an_episode_has_its_name_from_wherever_it_is_opened(tmp_path, monkeypatch) -> None:
    record(tmp_path, "e1")
    monkeypatch.chdir(tmp_path / "lift")
    assert [open_episode(path).name for path in find_bags(Path("e1"))] == ["lift/e1"]
    monkeypatch.chdir("e1")
    assert [open_episode(path).name for path in find_bags(Path("."))] == ["lift/e1"]


def test_a_hidden_folder_may_hold_demonstrations_and_a_hidden_one_in_it_is_none(tmp_path) -> None:
    hidden = tmp_path / ".demos"
    episode = record(hidden, "e1")
    record(hidden, "e2").rename(hidden / "lift" / ".e2")
    for place in (hidden, hidden / "lift", episode, episode / "..", episode / "../.."):
        assert [path.resolve() for path in find_bags(place)] == [episode]


def test_label_changes_the_label_and_nothing_else(tmp_path, capsys) -> None:
    path = record(tmp_path, "e1")
    before = open_episode(path)
    data = (path / "e1.mcap").read_bytes()
    assert demos_cli.label_main(["lift/e1", "success", "--root", str(tmp_path)]) == 0
    after = open_episode(path)
    assert after.label == "success"
    assert (after.info, after.counts, after.start_ns) == (before.info, before.counts, T0)
    assert (path / "e1.mcap").read_bytes() == data
    assert sorted(p.name for p in path.iterdir()) == ["e1.mcap", METADATA_FILE]
    assert "unlabelled -> success" in capsys.readouterr().out
    assert len(list(after.messages(["/text"]))) == 5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lift/e1", "good"], "'good' is not a label: use one of success, failure"),
        (["lift/e9", "success"], "there is no episode 'lift/e9'"),
        (["", "success"], "there is no episode ''"),
    ],
)
def test_wrong_label_request_is_one_sentence(tmp_path, arguments, sentence) -> None:
    record(tmp_path, "e1")
    with pytest.raises(BagError, match=sentence):
        demos_cli.label_main([*arguments, "--root", str(tmp_path)])


def test_show_prints_the_rate_of_every_topic(tmp_path, capsys) -> None:
    record(tmp_path, "e1")
    assert demos_cli.show_main(["lift/e1", "--root", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "/text" in out
    assert "10.0" in out  # Hz


def test_repair_restores_what_is_unfinished(tmp_path, capsys) -> None:
    info = EpisodeInfo(task="lift", source="teleop")
    with EpisodeWriter(tmp_path, "lift", "e1", info) as writer:
        writer.write("/text", T0, messages.string("x"))
        writer.flush()
    assert demos_cli.repair_main(["--root", str(tmp_path)]) == 0
    assert "1 messages" in capsys.readouterr().out
    assert demos_cli.repair_main(["--root", str(tmp_path)]) == 0
    assert "nothing is unfinished" in capsys.readouterr().out


def test_missing_folder_is_one_sentence(tmp_path) -> None:
    with pytest.raises(BagError, match="there are no demonstrations in"):
        demos_cli.list_main(["--root", str(tmp_path / "nowhere")])
