"""A replaced file is the old or the new one, and nothing is left of an attempt that failed."""

from pathlib import Path

import pytest

from hop_core import durable_files
from hop_core.durable_files import replace_file, replace_files


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_a_failure_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    replace_file(path, b"old")

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable_files, "sync_path", full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_files_that_belong_together_are_all_new_or_all_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_files(tmp_path, {"a": b"old a", "b": b"old b"})
    sync, synced = durable_files.sync_path, []

    def full_at_the_second(path: Path) -> None:
        synced.append(path)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")
        sync(path)

    monkeypatch.setattr(durable_files, "sync_path", full_at_the_second)
    with pytest.raises(OSError, match="No space"):
        replace_files(tmp_path, {"a": b"new a", "b": b"new b"})
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {
        "a": b"old a",
        "b": b"old b",
    }
