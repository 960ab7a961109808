"""How long a run was at work is known over stops, kills and pauses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hop_core.errors import ConfigError
from hop_sim.table1.sittings import SITTINGS, at_work, read_sittings, sitting_from_now

BEAT_S = 0.05
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
    sitting = sitting_from_now()
    for _ in range(2):
        with at_work(tmp_path, sitting, BEAT_S):
            time.sleep(0.4)
        time.sleep(0.4)
    (only,) = read_sittings(tmp_path)
    assert (only.began, only.cores) == (sitting.began, sitting.cores)
    assert 0.8 <= only.wall_s < 1.2
    with at_work(tmp_path, sitting_from_now(), BEAT_S):
        pass
    first, second = read_sittings(tmp_path)
    assert first == only
    assert second.wall_s < 0.2


def test_a_kill_loses_a_beat_and_a_pause_counts_for_two(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", AT_WORK_FOR_EVER, str(tmp_path)])
    try:
        while wall_s(tmp_path) < 0.3:
            assert process.poll() is None
            time.sleep(BEAT_S)
        process.send_signal(signal.SIGSTOP)
        before_s = wall_s(tmp_path)
        time.sleep(1.0)
        process.send_signal(signal.SIGCONT)
        while (after_s := wall_s(tmp_path)) == before_s:
            time.sleep(0.01)
        assert after_s - before_s < 0.6
    finally:
        process.kill()
        process.wait()
    assert wall_s(tmp_path) >= after_s
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("text", ["", "{}", '[{"began": "2026"}]', '["2026"]'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / SITTINGS).write_text(text)
    with pytest.raises(ConfigError, match=f"{SITTINGS} is damaged; remove it"):
        read_sittings(tmp_path)
