"""Jobs of a long run: commands of `hop` that are done once, side by side where they may be."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from hop_core.cli import INTERRUPTED, VERB_GROUP, run_verb
from hop_core.config import config_path, read_mapping, values_hash
from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError, HopError
from hop_policy.source_commit import source_commit
from hop_sim.processes import over_processes
from hop_sim.table1.run_folder import locked, writable
from hop_sim.table1.sittings import at_work, sitting_from_now

RECORDS = "jobs"
LOGS = "logs"
_AND, _UNKNOWN = " and ", "an unknown commit"


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: path-like and unique, such as "finetune/grasp_lift/scratch".
        argv: the command, without "hop".
        begun: exists once the command has got somewhere; None: the command goes on by itself.
        again: the command that then goes on where it was.
        settings: of `settings_of`; empty: nothing decides beside the command that its outcome does
            not name itself.
        aside: more words, of how quickly it is done, not of what: they may change.
    """

    name: str
    argv: tuple[str, ...]
    begun: Path | None = None
    again: tuple[str, ...] = ()
    settings: str = ""
    aside: tuple[str, ...] = ()


def command(*words: object) -> tuple[str, ...]:
    """Return a command line, each word as text."""
    return tuple(str(word) for word in words)


def settings_of(*files: str) -> str:
    """Return a hash of what the configuration `files` say.

    Raises:
        ConfigError: there is none of that name, or it is no YAML mapping.
    """
    return values_hash({file: read_mapping(config_path(file)) for file in files})


@dataclass(frozen=True)
class Record:
    """What is known of a job that was begun.

    Attributes:
        name, argv, settings: the job's.
        wall_s: time of its last command [s]; None while it is not done.
        commit: of the code that did it, or those, of a job that went on with other code: joined by
            `_AND`. Empty where none is known.
    """

    name: str
    argv: tuple[str, ...]
    settings: str
    wall_s: float | None
    commit: str = ""


class JobRunner:
    """Runs jobs, each once: what was begun has a record in the folder `out`.

    Attributes:
        ended: how many jobs have been done, now or before.
    """

    def __init__(self, out: Path, at_once: int, told: Callable[[str], None]) -> None:
        """Run up to `at_once` jobs side by side; `told` is given a line for each that ends."""
        self._out, self._at_once, self._told = out, at_once, told
        self._sitting = sitting_from_now()
        self.ended = 0

    def run(self, jobs: Sequence[Job]) -> None:
        """Do those of `jobs` that are not done; they do not wait for each other.

        Raises:
            ConfigError: a job of the same name was begun by another command or configuration.
            HopError: a job failed, and its log is named; those beside it are ended, and go on at
                the next run. Or another process runs jobs here.
        """
        with locked(self._out):
            waiting = [job for job in jobs if not self._is_done(job)]
            self.ended += len(jobs) - len(waiting)
            if waiting:
                with at_work(self._out, self._sitting):
                    self._run_waiting(waiting)

    def _run_waiting(self, jobs: Sequence[Job]) -> None:
        work = partial(_worker, self._out)
        # Sums depend on the threads: a training that is alone by chance has as many.
        workers, apart = min(self._at_once, len(jobs)), self._at_once > 1
        for name, wall_s in over_processes(work, jobs, workers, apart):
            self.ended += 1
            self._told(f"{name}: {wall_s / 60:.1f} min")

    def _is_done(self, job: Job) -> bool:
        if not _record_file(self._out, job.name).exists():
            return False
        record = _read_record(self._out, job.name)
        done = record.wall_s is not None
        if not done and job.begun is not None and not job.begun.exists():
            return False  # it got nowhere
        same = _is_command(record.argv, job.argv, self._out)
        if not same or record.settings != job.settings:
            other = "another configuration" if same else "another command"
            raise ConfigError(
                f"{self._out}: '{job.name}' was begun by {other} (hop {' '.join(record.argv)}); go "
                "on with the configuration that began the run, or choose another --out"
            )
        return done


def _is_command(said: Sequence[str], now: Sequence[str], out: Path) -> bool:
    """Whether both are one command, however the folder `out` of the run was spelled when `said`."""
    if len(said) != len(now):
        return False
    differing = [pair for pair in zip(said, now, strict=True) if pair[0] != pair[1]]
    spelled = {_spelled(was, word, out) for was, word in differing}
    return None not in spelled and len(spelled) <= 1


def _spelled(was: str, word: str, out: Path) -> Path | None:
    """How `out` was spelled where `was` is the `word`, a path in it; None: they are not one."""
    path, before = Path(word), Path(was)
    if not path.is_relative_to(out):
        return None
    inside = path.relative_to(out).parts
    own = len(before.parts) - len(inside)
    return Path(*before.parts[:own]) if own >= 0 and before.parts[own:] == inside else None


def read_records(out: Path) -> list[Record]:
    """Return the records of all jobs that were begun in the folder `out`, by name.

    Raises:
        ConfigError: one is damaged.
    """
    folder = out / RECORDS
    files = sorted(folder.rglob("*.json"))
    return [_read_record(out, str(file.relative_to(folder).with_suffix(""))) for file in files]


def _record_file(out: Path, name: str) -> Path:
    return out / RECORDS / f"{name}.json"


def _read_record(out: Path, name: str) -> Record:
    file = _record_file(out, name)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        argv, settings = tuple(values["argv"]), str(values["settings"])
        wall_s = None if values["wall_s"] is None else float(values["wall_s"])
        return Record(values["name"], argv, settings, wall_s, str(values.get("commit", "")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is damaged; remove it, and the job is done anew") from error


def _write_record(out: Path, record: Record) -> None:
    file = _record_file(out, record.name)
    with writable(out):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, (json.dumps(asdict(record)) + "\n").encode())


def _worker(out: Path) -> Callable[[Job], tuple[str, float]]:
    return partial(_do, out)


def _run_logged(argv: Sequence[str]) -> int:
    """Run `hop` with `argv`; return its exit code. What nobody expected is told on stderr too."""
    try:
        return run_verb(VERB_GROUP, "hop", list(argv))
    except Exception:  # what is out of memory, say: the job and its log are to be named
        traceback.print_exc()
        return HopError.exit_code


def _commits(out: Path, job: Job) -> str:
    """The commits that what a job leaves may come of: of this code, and of what it goes on with."""
    now, got_nowhere = source_commit(), job.begun is not None and not job.begun.exists()
    if got_nowhere or not _record_file(out, job.name).exists():
        return now
    before = _read_record(out, job.name).commit
    if before == now:
        return now
    known = (before or _UNKNOWN).split(_AND)
    return _AND.join([*known, *({now or _UNKNOWN} - set(known))])


def _do(out: Path, job: Job) -> tuple[str, float]:
    """Do a job; return its name and how long its command took [s]."""
    log = out / LOGS / f"{job.name}.log"
    goes_on = job.begun is not None and job.begun.exists()
    argv = [*(job.again if goes_on else job.argv), *job.aside]
    begun = Record(job.name, job.argv, job.settings, None, _commits(out, job))
    started = time.monotonic()
    with writable(out, job.name):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", buffering=1) as stream:
            _write_record(out, begun)
            print(f"$ hop {' '.join(argv)}", file=stream)
            with redirect_stdout(stream), redirect_stderr(stream):
                code = _run_logged(argv)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1]
        raise HopError(f"'{job.name}' failed (exit code {code}): {last}; its log is {log}")
    wall_s = round(time.monotonic() - started, 1)
    _write_record(out, replace(begun, wall_s=wall_s))
    return job.name, wall_s
