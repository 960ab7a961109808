"""What a checkpoint was trained on, and those that it began from, as its provenance tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from hop_core.errors import CheckpointError
from hop_policy.checkpoint import PROVENANCE, read_json

_ValueT = TypeVar("_ValueT", str, int)
_NAMES, _SCENES, _UNTOLD = "learnt_from", "scenes_learnt_from", "untold"


@dataclass(frozen=True)
class Told(Generic[_ValueT]):
    """What is told of what was learnt from.

    Attributes:
        known: what is told.
        all: whether that is all; False where a checkpoint on the way does not say, as one that
            others made.
    """

    known: frozenset[_ValueT]
    all: bool

    def among(self, wanted: Iterable[_ValueT]) -> list[_ValueT] | None:
        """Returns those of `wanted` that are known, in order; None: not told that it is none."""
        found = sorted(self.known.intersection(wanted))
        return found if found or self.all else None

    def __or__(self, other: Told[_ValueT]) -> Told[_ValueT]:
        return Told(self.known | other.known, self.all and other.all)


def learnt_from(path: Path) -> Told[str]:
    """Returns the names of the episodes and tracks that the checkpoint `path` comes from.

    Raises:
        CheckpointError: its provenance is damaged.
    """
    about = _Lists.read(path)
    return about.union(_NAMES, str) or about.names()


def learnt_among(path: Path, wanted: Iterable[str]) -> list[str] | None:
    """Returns those of the episodes and tracks `wanted` that the checkpoint `path` comes from.

    A recording counts as one, by its own name, into however many runs of ticks it was cut then
    and is cut now: `Episode.name` has "#" before the number of a run.

    Returns:
        Their names, in order; None: it is not told that it is none.

    Raises:
        CheckpointError: its provenance is damaged.
    """
    told = learnt_from(path)
    return Told(_recordings(told.known), told.all).among(_recordings(wanted))


def _recordings(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.partition("#")[0] for name in names)


def scenes_learnt_from(path: Path) -> Told[int]:
    """Returns the seeds of the twin's scenes whose recordings the checkpoint `path` comes from.

    Raises:
        CheckpointError: its provenance is damaged.
    """
    about = _Lists.read(path)
    return about.union(_SCENES, int) or about.scenes()


def learnt(data: Mapping[str, Any], init: Path | None) -> dict[str, list[Any]]:
    """Returns what the provenance of a run has to tell of all that it comes from.

    Args:
        data: provenance of the run's own data.
        init: checkpoint that it begins from.

    Raises:
        CheckpointError: the provenance of `init` is damaged.
    """
    own = _Lists("this run", {**data, "init": None})
    names, scenes = own.names(), own.scenes()
    if init is not None:
        names, scenes = names | learnt_from(init), scenes | scenes_learnt_from(init)
    untold = [key for key, told in ((_NAMES, names), (_SCENES, scenes)) if not told.all]
    return {_NAMES: sorted(names.known), _SCENES: sorted(scenes.known), _UNTOLD: untold}


@dataclass(frozen=True)
class _Lists:
    """The lists of a provenance, each of them checked as it is read."""

    file: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> _Lists:
        """That of a checkpoint; empty where there is none: others may tell nothing."""
        file = path / PROVENANCE
        return cls(str(file), read_json(file) if file.is_file() else {})

    def union(self, key: str, kind: type[_ValueT]) -> Told[_ValueT] | None:
        """What a run wrote of all that it comes from; None where it is older than that."""
        known = self._list(key, kind)
        if known is None:
            return None
        return Told(known, key not in (self._list(_UNTOLD, str) or ()))

    def names(self) -> Told[str]:
        """Of its own data; those are all where it began from nothing."""
        told = [self._list(key, str) for key in ("training_episodes", "training_tracks")]
        lists = [each for each in told if each is not None]
        return Told(frozenset().union(*lists), bool(lists) and self._began_anew)

    def scenes(self) -> Told[int]:
        """Of its own data; trajectories come from none."""
        seeds = self._list("scene_seeds", int)
        of_tracks = "training_tracks" in self.values and "training_episodes" not in self.values
        return Told(seeds or frozenset(), (seeds is not None or of_tracks) and self._began_anew)

    @property
    def _began_anew(self) -> bool:
        return self.values.get("init") is None

    def _list(self, key: str, kind: type[_ValueT]) -> frozenset[_ValueT] | None:
        values = self.values.get(key)
        if values is None:
            return None
        if not isinstance(values, list) or not all(isinstance(each, kind) for each in values):
            raise CheckpointError(
                f"{self.file}: {key} is no list of {kind.__name__}; copy the file again"
            )
        return frozenset(values)
