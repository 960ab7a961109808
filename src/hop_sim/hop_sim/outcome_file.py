"""Outcomes of rollouts on the disk: one JSON object a line, sealed to one setting, resumable.

The first line is the setting. An agent's line comes before its episodes; episodes follow as they
end. What a kill leaves of the last line is dropped by the next run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from hop_core.closing import Closing
from hop_core.errors import EvaluationError
from hop_sim.rollout import Outcome

Setting = Mapping[str, object]
"""What all outcomes of a file share: task and its hash, cell, contract, realism, software."""
Identity = Mapping[str, object]
"""What an agent is: its `kind`, and for a policy `arm`, `checkpoint` (hash), `training_seed`.

Of controls, a hash of the `demonstrations` that it replays, or the version of the expert's `acts`.
"""
FORMAT = "hop eval outcomes 1"
_HEAD = json.dumps({"format": FORMAT})[:-1].encode()
"""What each file begins with; one that is cut off before is nobody else's."""
_OUTCOME = TypeAdapter(Outcome)


@dataclass
class Outcomes:
    """What a file holds.

    Attributes:
        setting: of all of it.
        agents: identity by name.
        episodes: {agent: {seed: outcome}}.
        broken: {agent: what was wrong with the cadence of a live run, one a run}.
    """

    setting: Setting
    agents: dict[str, Identity] = field(default_factory=dict)
    episodes: dict[str, dict[int, Outcome]] = field(default_factory=dict)
    broken: dict[str, list[str]] = field(default_factory=dict)


def read_outcomes(file: Path) -> Outcomes:
    """Return what `file` holds; an unfinished last line is left out.

    Raises:
        EvaluationError: it is missing, damaged, or no file of outcomes.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{file} cannot be read as outcomes: {error}") from error
    lines = text.split("\n")[:-1]  # after the last newline is nothing, or half a line
    if not lines:
        raise EvaluationError(f"{file} is empty: it holds no outcomes; remove it or name another")
    outcomes = Outcomes(_setting_of(file, _object(file, 1, lines[0])))
    for number, line in enumerate(lines[1:], start=2):
        _take(outcomes, file, number, _object(file, number, line))
    return outcomes


def require_setting(
    file: Path, wanted: Setting, found: Setting, remedy: str = "name another file"
) -> None:
    """Pass if `file` holds outcomes of the setting that is wanted; `remedy`: what to do else.

    Raises:
        EvaluationError: naming the first difference.
    """
    for key in [*wanted, *found]:
        if wanted.get(key) != found.get(key):
            raise EvaluationError(
                f"{file} holds outcomes of another setting: {key} is {found.get(key)} there and "
                f"{wanted.get(key)} here; {remedy}"
            )


class OutcomeFile(Closing):
    """Writes outcomes as they come; those of an earlier run of the same setting are kept."""

    def __init__(self, file: Path, setting: Setting) -> None:
        """Open `file`, or begin it.

        Raises:
            EvaluationError: it cannot be written, another process writes it, it is damaged, or
                of another setting.
        """
        self._path = file
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._file = file.open("a+b")
        except OSError as error:
            raise EvaluationError(f"{file} cannot be written: {error.strerror}") from error
        try:
            self._outcomes = self._begin(setting)
        except BaseException:
            self._file.close()
            raise

    def _begin(self, setting: Setting) -> Outcomes:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise EvaluationError(f"another process writes {self._path}; let it end") from error
        content = self._path.read_bytes()
        if not (content.startswith(_HEAD) or _HEAD.startswith(content)):
            raise EvaluationError(_foreign(self._path))
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        if not whole:
            setting = json.loads(json.dumps(setting))
            self._write({"format": FORMAT, "setting": setting, "seal": _seal(setting)})
            return Outcomes(setting)
        outcomes = read_outcomes(self._path)
        require_setting(self._path, json.loads(json.dumps(setting)), outcomes.setting)
        return outcomes

    def begin(self, name: str, identity: Identity) -> dict[int, Outcome]:
        """Announce an agent; return the outcomes of its episodes that are there, by seed.

        Raises:
            EvaluationError: the file holds outcomes of another agent under this name.
        """
        identity = json.loads(json.dumps(identity))
        known = self._outcomes.agents.get(name)
        if known is None:
            self._outcomes.agents[name], self._outcomes.episodes[name] = identity, {}
            self._write({"agent": name, "identity": identity})
        elif known != identity:
            key = next(k for k in [*identity, *known] if identity.get(k) != known.get(k))
            raise EvaluationError(
                f"{self._path} holds outcomes of another '{name}': {key} is {known.get(key)} there "
                f"and {identity.get(key)} here; name another file"
            )
        return self._outcomes.episodes[name]

    def keeping(self, name: str, episodes: Iterable[Outcome]) -> Iterator[Outcome]:
        """Yield `episodes` of the agent `name`, each after it is on the disk."""
        for outcome in episodes:
            self._write({"agent": name, "episode": asdict(outcome)})
            self._outcomes.episodes[name][outcome.seed] = outcome
            yield outcome

    def keep_broken(self, name: str, problem: str) -> None:
        """Keep what was wrong with the cadence in which episodes of the agent `name` were done."""
        self._write({"agent": name, "broken": problem})
        self._outcomes.broken.setdefault(name, []).append(problem)

    def broken(self, name: str) -> list[str]:
        """Return what was wrong with the cadence of each live run of `name`; none: nothing."""
        return self._outcomes.broken.get(name, [])

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):  # of what `_write` could not write, and has said so
            self._file.close()

    def _write(self, line: Mapping[str, object]) -> None:
        try:
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise EvaluationError(
                f"{self._path} cannot be written: {error.strerror}; what is there is kept: make "
                "room and run the command again"
            ) from error


def _seal(setting: Setting) -> str:
    return hashlib.sha256(json.dumps(setting, sort_keys=True).encode()).hexdigest()[:16]


def _setting_of(file: Path, line: dict[str, Any]) -> Setting:
    if line.get("format") != FORMAT or not isinstance(line.get("setting"), dict):
        raise EvaluationError(_foreign(file))
    setting: dict[str, object] = line["setting"]
    if line.get("seal") != _seal(setting):
        raise EvaluationError(f"{file}: its setting was changed by hand; restore the file")
    return setting


def _take(outcomes: Outcomes, file: Path, number: int, line: dict[str, Any]) -> None:
    """Add what a line after the first says."""
    try:
        name = str(line["agent"])
        if "identity" in line:
            line["identity"]["kind"]  # every agent is of some kind
            outcomes.agents[name], outcomes.episodes[name] = line["identity"], {}
            return
        if "broken" in line:
            outcomes.broken.setdefault(name, []).append(str(line["broken"]))
            return
        outcome = _OUTCOME.validate_python(line["episode"])
        outcomes.episodes[name][outcome.seed] = outcome
    except (KeyError, TypeError, ValidationError) as error:
        raise EvaluationError(_damaged(file, number)) from error


def _object(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise EvaluationError(_damaged(file, number)) from error
    if not isinstance(value, dict):
        raise EvaluationError(_damaged(file, number))
    return value


def _foreign(file: Path) -> str:
    return f"{file} is no file of outcomes ('{FORMAT}'); name another file"


def _damaged(file: Path, number: int) -> str:
    return f"{file}, line {number}: this is no outcome; restore the file or name another"
