"""The `hop` command: what `--help` says of each verb, exit codes, one sentence for a failure."""

import errno
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from hop_core import cli
from hop_core.errors import ConfigError

MODULE = """
raise RuntimeError("only the verb that was asked for is imported")

def main(argv):
    \"\"\"Count sheep; return how many.\"\"\"
"""


def fail(_argv: list[str]) -> int:
    """Fail at once."""
    raise ConfigError("sheep.yaml: count: must be above 0")


@pytest.fixture
def known(tmp_path, monkeypatch) -> None:
    (tmp_path / "sheep_cli.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    entries = {"count": "sheep_cli:main", "fail": f"{__name__}:fail", "gone": "no_module:main"}
    verbs = {name: EntryPoint(name, value, "x") for name, value in entries.items()}
    monkeypatch.setattr(cli, "verbs", lambda _group: verbs)
    monkeypatch.setattr(EntryPoint, "load", lambda _self: fail)


def test_help_says_what_each_verb_does_without_importing_it(known, capsys) -> None:
    assert cli.run_verb("x", "hop", ["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  count  Count sheep" in lines
    assert "  gone   cannot be imported: make build" in lines


def test_no_verb_and_a_wrong_one_exit_with_2(known, capsys) -> None:
    assert cli.run_verb("x", "hop", []) == 2
    assert cli.run_verb("x", "hop", ["jump"]) == 2
    assert "unknown verb 'jump'; verbs: count, fail, gone" in capsys.readouterr().err


def test_whoever_closes_the_pipe_is_told_nothing_more() -> None:
    code = (
        "import sys\nfrom hop_core.cli import run_command\n"
        "def much(_):\n    for _ in range(100_000):\n        print('much')\n    return 0\n"
        "sys.exit(run_command(much, 'hop much', []))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == cli.PIPE_CLOSED
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_an_expected_failure_is_one_sentence_and_exit_code_1(known, capsys) -> None:
    assert cli.run_verb("x", "hop", ["fail"]) == 1
    assert capsys.readouterr().err == "hop fail: sheep.yaml: count: must be above 0\n"


def test_a_place_that_the_user_may_not_enter_is_one_sentence(capsys) -> None:
    def enter(_: list[str]) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/root/demos")

    assert cli.run_command(enter, "hop demos list", []) == 1
    assert capsys.readouterr().err == (
        "hop demos list: /root/demos: permission denied; choose another place or change its owner\n"
    )
