"""Facts about what a checkpoint comes from: told over all generations, or not, or damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hop_core.errors import CheckpointError
from hop_policy import checkpoint as ck
from hop_policy.provenance import Told, learnt, learnt_among, learnt_from, scenes_learnt_from


def told_by(path: Path, about: dict[str, Any]) -> Path:
    path.mkdir(exist_ok=True)
    ck.save_json(path, ck.PROVENANCE, about)
    return path


def begun_from(init: Path, path: Path, data: dict[str, Any]) -> Path:
    return told_by(path, {**data, "init": str(init), **learnt(data, init)})


def test_a_grandchild_tells_what_its_grandparent_learnt_from(tmp_path: Path) -> None:
    data = [{"training_episodes": [f"e{i}"], "scene_seeds": [i]} for i in range(3)]
    first = told_by(tmp_path / "a", {**data[0], "init": None, **learnt(data[0], None)})
    second = begun_from(first, tmp_path / "b", data[1])
    third = begun_from(second, tmp_path / "c", data[2])
    assert learnt_from(third) == Told(frozenset({"e0", "e1", "e2"}), all=True)
    assert scenes_learnt_from(third) == Told(frozenset({0, 1, 2}), all=True)
    assert learnt_from(third).among(["e9", "e2", "e0"]) == ["e0", "e2"]
    assert learnt_from(third).among(["e9"]) == []


def test_what_a_base_of_others_does_not_say_stays_unsaid(tmp_path: Path) -> None:
    data = {"training_episodes": ["e1"], "scene_seeds": [1]}
    child = begun_from(told_by(tmp_path / "theirs", {}), tmp_path / "child", data)
    grandchild = begun_from(child, tmp_path / "grandchild", {"training_tracks": ["t"]})
    assert learnt_from(grandchild) == Told(frozenset({"e1", "t"}), all=False)
    assert scenes_learnt_from(grandchild).among([2]) is None
    assert scenes_learnt_from(grandchild).among([1, 2]) == [1]


def test_a_recording_is_known_by_any_run_that_it_was_cut_into(tmp_path: Path) -> None:
    names = ["lift/a", "lift/b#0", "lift/b#1", "lift/c"]
    told_by(tmp_path, {"training_episodes": names, "init": None})
    wanted = ["lift/b", "lift/a#1", "lift/d#0", "lift/a#0"]
    assert learnt_among(tmp_path, wanted) == ["lift/a", "lift/b"]
    assert learnt_among(tmp_path, ["lift/d#0"]) == []
    told_by(tmp_path, {"training_episodes": names, "init": "runs/theirs"})
    assert learnt_among(tmp_path, ["lift/d#0"]) is None


@pytest.mark.parametrize("path", ["nothing", "empty"])
def test_a_checkpoint_that_says_nothing_is_not_taken_for_one_that_saw_nothing(
    path: str, tmp_path: Path
) -> None:
    told_by(tmp_path / "empty", {})
    assert learnt_from(tmp_path / path).among(["e1"]) is None
    assert scenes_learnt_from(tmp_path / path).among([1]) is None


@pytest.mark.parametrize(("init", "whole"), [(None, True), ("runs/base", False)])
def test_a_checkpoint_of_before_tells_its_own_generation(
    init: str | None, whole: bool, tmp_path: Path
) -> None:
    tracks = {"training_tracks": ["a", "b"], "init": init}
    assert learnt_from(told_by(tmp_path, tracks)) == Told(frozenset("ab"), whole)
    assert scenes_learnt_from(tmp_path) == Told(frozenset(), whole)  # trajectories have none
    episodes = {"training_episodes": ["a"], "scene_seeds": [3, 7], "init": init}
    assert scenes_learnt_from(told_by(tmp_path, episodes)) == Told(frozenset({3, 7}), whole)
    told_by(tmp_path, {"training_episodes": ["a"], "init": init})
    assert scenes_learnt_from(tmp_path) == Told(frozenset(), all=False)


def test_a_damaged_list_is_named(tmp_path: Path) -> None:
    told_by(tmp_path, {"training_episodes": 3, "scene_seeds": "seven"})
    with pytest.raises(CheckpointError, match=r"provenance\.json: training_episodes is no list"):
        learnt_from(tmp_path)
    with pytest.raises(CheckpointError, match=r"provenance\.json: scene_seeds is no list of int"):
        scenes_learnt_from(tmp_path)
    told_by(tmp_path, {"learnt_from": ["a"], "untold": [4]})
    with pytest.raises(CheckpointError, match=r"provenance\.json: untold is no list of str"):
        learnt_from(tmp_path)
