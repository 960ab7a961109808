"""The commit that results are marked with."""

import subprocess
from pathlib import Path

import pytest

from hop_policy import source_commit as module


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of one file, in which the module is told to lie."""
    file = tmp_path / "code.py"
    file.write_text("one")
    for key in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(key, "somebody")
    for key in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(key, "somebody@example.org")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "one")):
        subprocess.run(("git", *words), cwd=tmp_path, check=True)
    monkeypatch.setattr(module, "__file__", str(file))
    return file


def test_a_commit_is_told_and_whether_files_were_changed(checkout: Path) -> None:
    rev_parse = ("git", "rev-parse", "--short=12", "HEAD")
    head = subprocess.run(
        rev_parse, cwd=checkout.parent, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert module.source_commit.__wrapped__() == head
    checkout.write_text("two")
    assert module.source_commit.__wrapped__() == f"{head}+"


def test_without_git_nothing_is_told(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout.parent))
    assert module.source_commit.__wrapped__() == ""
