"""Files of outcomes: what is written is read back; what is damaged or not alike is refused."""

import resource
from dataclasses import replace
from pathlib import Path

import pytest

from hop_core.errors import EvaluationError
from hop_sim.motion_record import Motion
from hop_sim.outcome_file import OutcomeFile, read_outcomes
from hop_sim.rollout import Outcome

SETTING = {"task": "t", "task_hash": "00", "realism": {"shift_m": (0.0, 0.1, 0.0)}}
GOOD = Outcome(0, True, 4.5, 0.2, "success", (0.5, 0.1), Motion(90, 1, {"table": 1}, 80.0, 90.0))
LIVE = replace(GOOD, motion=Motion(90, 1, None, 80.0, None))


def write(file: Path, name: str, arm: str, *outcomes: Outcome, kind: str = "policy") -> None:
    with OutcomeFile(file, SETTING) as kept:
        kept.begin(name, {"kind": kind, "arm": arm, "checkpoint": name})
        assert list(kept.keeping(name, outcomes)) == list(outcomes)


def test_outcomes_come_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "o.jsonl"
    write(file, "a", "ours", GOOD, replace(LIVE, seed=1))
    found = read_outcomes(file)
    assert found.episodes == {"a": {0: GOOD, 1: replace(LIVE, seed=1)}}
    with OutcomeFile(file, SETTING) as kept:
        assert kept.begin("a", found.agents["a"])[0] == GOOD


def test_a_file_that_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    with (
        OutcomeFile(tmp_path / "o", SETTING),
        pytest.raises(EvaluationError, match="another process writes"),
    ):
        OutcomeFile(tmp_path / "o", SETTING)


def test_a_full_disk_is_one_sentence_and_what_is_there_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "o"
    write(file, "a", "ours", GOOD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20, hard))
    try:
        with pytest.raises(EvaluationError, match="what is there is kept: make room"):
            write(file, "a", "ours", replace(GOOD, seed=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write(file, "a", "ours", replace(GOOD, seed=1))
    assert list(read_outcomes(file).episodes["a"]) == [0, 1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ('{"a": 1}\n', "no file of outcomes"),
        ("[]\n", "line 1: this is no outcome"),
        ('{"format": "hop eval outcomes 1", "setting": {"task": "u"}, "seal": "0"}\n', "by hand"),
        (None, "cannot be read"),
    ],
)
def test_what_is_no_file_of_outcomes_is_said(
    tmp_path: Path, text: str | None, sentence: str
) -> None:
    file = tmp_path / "o"
    if text is not None:
        file.write_text(text)
    with pytest.raises(EvaluationError, match=sentence):
        read_outcomes(file)


@pytest.mark.parametrize(
    "line", ["{}", "x", '{"agent": "a", "identity": 3}', '{"agent": "a", "episode": {"seed": "x"}}']
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "o"
    write(file, "a", "ours", GOOD)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(EvaluationError, match="line 4: this is no outcome"):
        read_outcomes(file)


@pytest.mark.parametrize(
    "content", [b"\x80\x02\n\xff\x00 weights", b'{"step": 5,\n "loss": 1}', b"no line at all"]
)
def test_a_file_of_something_else_keeps_every_byte(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "metrics.json"
    file.write_bytes(content)
    with pytest.raises(EvaluationError, match="is no file of outcomes"):
        OutcomeFile(file, SETTING)
    assert file.read_bytes() == content


@pytest.mark.parametrize("length", [0, 5, 40])
def test_a_file_that_was_killed_in_its_first_line_begins_anew(tmp_path: Path, length: int) -> None:
    file = tmp_path / "o"
    write(file, "a", "ours", GOOD)
    whole = file.read_bytes()
    file.write_bytes(whole[:length])
    write(file, "a", "ours", GOOD)
    assert file.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="cannot be written"):
        OutcomeFile(tmp_path / "file" / "o", SETTING)
