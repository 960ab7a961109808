"""How long a run was at work is known over stops, kills and pauses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hop_core.errors import ConfigError, HopError
from hop_sim.table1.sittings import SITTINGS, at_work, read_sittings, sitting_from_now

BEAT_S = 0.2
AT_WORK_FOR_EVER = f"""
import sys, time
from pathlib import Path
from hop_sim.table1.sittings import at_work, sitting_from_now
with at_work(Path(sys.argv[1]), sitting_from_now(), {BEAT_S}):
    time.sleep(60)
"""


def wall_s(out: Path) -> float:
    return sum(each.wall_s for each in read_sittings(out))


def test_the_work_of_one_sitting_adds_up_and_the_time_between_does_not(tmp_path: Path) -> None:
    sitting, worked_s = sitting_from_now(), 0.0
    for _ in range(2):
        begin = time.monotonic()
        with at_work(tmp_path, sitting, BEAT_S):
            time.sleep(0.5)
        worked_s += time.monotonic() - begin
        time.sleep(0.5)
    (only,) = read_sittings(tmp_path)
    assert (only.began, only.cores) == (sitting.began, sitting.cores)
    assert 0.7 <= only.wall_s <= worked_s + 0.1
    begin = time.monotonic()
    with at_work(tmp_path, sitting_from_now(), BEAT_S):
        pass
    worked_s = time.monotonic() - begin
    first, second = read_sittings(tmp_path)
    assert first == only
    assert second.wall_s <= worked_s + 0.1


def test_a_pause_counts_for_two_beats_and_a_kill_leaves_what_was_counted(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", AT_WORK_FOR_EVER, str(tmp_path)])
    try:
        while wall_s(tmp_path) < 0.5:
            assert process.poll() is None
            time.sleep(BEAT_S)
        process.send_signal(signal.SIGSTOP)
        before_s = wall_s(tmp_path)
        time.sleep(2.0)
        process.send_signal(signal.SIGCONT)
        while (after_s := wall_s(tmp_path)) == before_s:
            time.sleep(0.01)
        assert after_s - before_s < 1.2
    finally:
        process.kill()
        process.wait()
    assert wall_s(tmp_path) >= 0.5


def test_what_fails_inside_is_told_even_if_its_time_cannot_be_written(tmp_path: Path) -> None:
    def work(inside: Callable[[], object]) -> None:
        with at_work(tmp_path / "none", sitting_from_now(), BEAT_S):
            inside()

    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(interrupted)
    with pytest.raises(HopError, match="cannot be written to: No such file"):
        work(list)


@pytest.mark.parametrize("text", ["", "{}", '[{"began": "2026"}]', '["2026"]'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / SITTINGS).write_text(text)
    with pytest.raises(ConfigError, match=f"{SITTINGS} is damaged; remove it"):
        read_sittings(tmp_path)
