"""Demonstration bags as episodes to learn from, decoded once and kept beside the bags."""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from hop_core.errors import BagError
from hop_policy.bag_decode import DecodedEpisode, decode_episode
from hop_policy.bag_reader import EpisodeBag, find_episodes, open_episode
from hop_policy.cell_statics import CellFrames
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode
from hop_policy.episode_info import DEMONSTRATORS, SOURCES
from hop_policy.tick_replay import histories

CACHE_DIR = ".decoded"
"""Folder beside the episodes of a task; may be deleted at any time."""
_CACHE_VERSION = "3"
"""Raise it whenever decoding changes its result."""
_ARRAYS = ("ticks_ns", "proprio", "vision", "action")
_log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called as (episodes done, episodes in all, name of the one just read)."""


def load_episodes(
    root: Path,
    contract: PolicyContract,
    labels: Collection[str] = ("success",),
    *,
    sources: Collection[str] = DEMONSTRATORS,
    task: str | None = None,
    most: int | None = None,
    progress: Progress | None = None,
) -> list[Episode]:
    """Return the episodes under `root` whose label is among `labels`.

    A recording with gaps gives several episodes, one per run of ticks without a gap, in one group.

    Args:
        root: folder of all episodes, ``<root>/<task>/<episode>/``.
        contract: what the policy will see.
        labels: labels to learn from.
        sources: who moved the robot.
        task: only this task; None for all.
        most: only so many recordings, the first by name; None for all.
        progress: called after each episode.

    Raises:
        BagError: there is no episode of these labels and sources, there are fewer than `most`, or
            one lacks a topic or is damaged.
        ConfigError: a camera cannot give the contract's view.
    """
    wanted = labelled(find_episodes(root, task), root, labels, sources)
    if most is not None and len(wanted) < most:
        raise BagError(
            f"{most} episodes labelled {_any_of(labels)}, of {_any_of(sources)}, are asked for, "
            f"{root} has {len(wanted)}: record more, or ask for fewer"
        )
    return decode_bags(wanted[:most], contract, progress)


def labelled(
    paths: Sequence[Path],
    root: Path,
    labels: Collection[str],
    sources: Collection[str] = SOURCES,
) -> list[EpisodeBag]:
    """Return the episodes among `paths`, found in `root`, of these labels and sources.

    Raises:
        BagError: there is none, or one is damaged.
    """
    bags = [open_episode(path) for path in paths]
    wanted = [bag for bag in bags if bag.label in labels and bag.info.source in sources]
    if not wanted:
        found = {f"{bag.label} of {bag.info.source}" for bag in bags}
        raise BagError(
            f"no episode labelled {_any_of(labels)}, of {_any_of(sources)}, in {root} (found: "
            f"{', '.join(sorted(found)) or 'none at all'}): record some or label them (hop demos "
            "label)"
        )
    return wanted


def _any_of(names: Collection[str]) -> str:
    return " or ".join(sorted(names))


def decode_bags(
    bags: Sequence[EpisodeBag], contract: PolicyContract, progress: Progress | None = None
) -> list[Episode]:
    """Return the episodes of `bags`; arguments and errors are those of `load_episodes`."""
    episodes: list[Episode] = []
    for done, bag in enumerate(bags, 1):
        episodes.extend(to_episodes(bag, load_decoded(bag, contract)))
        if progress is not None:
            progress(done, len(bags), bag.name)
    return episodes


def to_episodes(bag: EpisodeBag, decoded: DecodedEpisode) -> list[Episode]:
    """Return the runs of ticks without a gap of one decoded bag."""
    runs = histories(decoded.ticks_ns)
    return [
        Episode(
            name=bag.name if len(runs) == 1 else f"{bag.name}#{index}",
            proprio=decoded.proprio[run],
            vision=decoded.vision[run],
            action=decoded.action[run],
            group=bag.name,
            refused_ticks=sum(decoded.refused.values()) if index == 0 else 0,
            rates_ok=bag.rates_ok,
            cell=decoded.cell,
            seed=bag.info.seed,
            goes_on=index < len(runs) - 1,
        )
        for index, run in enumerate(runs)
    ]


def load_decoded(bag: EpisodeBag, contract: PolicyContract) -> DecodedEpisode:
    """Return `bag` decoded for `contract`, from the cache beside it when that is still right.

    Errors are those of `hop_policy.bag_decode.decode_episode`.
    """
    file = _cache_file(bag, contract)
    identity = _identity(bag, contract)
    cached = _read_cache(file, identity)
    if cached is not None:
        return cached
    decoded = decode_episode(bag, contract)
    try:
        _write_cache(file, identity, decoded)
    except OSError as error:  # a read-only archive is no reason not to learn from it
        _log.warning("decoded episode is not kept: %s: %s", file, error.strerror)
    return decoded


def _cache_file(bag: EpisodeBag, contract: PolicyContract) -> Path:
    return bag.path.parent / CACHE_DIR / f"{bag.path.name}-{contract.hash}.npz"


def _identity(bag: EpisodeBag, contract: PolicyContract) -> str:
    """Return what a cached result depends on; the label of the episode is not part of it."""
    files = sorted(bag.path.glob("*.mcap"))
    if not files:
        raise BagError(f"{bag.path} has lost its .mcap file: restore it or move the folder away")
    stats = [file.stat() for file in files]
    sizes = " ".join(f"{stat.st_size} {stat.st_mtime_ns}" for stat in stats)
    return f"{_CACHE_VERSION} {contract.hash} {sizes}"


def _read_cache(file: Path, identity: str) -> DecodedEpisode | None:
    if not file.is_file():
        return None
    try:
        with np.load(file, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            if about["identity"] != identity:
                return None
            return DecodedEpisode(
                **{key: data[key] for key in _ARRAYS},
                refused=about["refused"],
                cell=None if about["cell"] is None else CellFrames(*map(np.array, about["cell"])),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("damaged cache %s is made again: %s", file, error)
        return None


def _write_cache(file: Path, identity: str, decoded: DecodedEpisode) -> None:
    file.parent.mkdir(exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    cell = decoded.cell and [decoded.cell.T_base_cam.tolist(), decoded.cell.T_base_table.tolist()]
    told = {"identity": identity, "refused": decoded.refused, "cell": cell}
    arrays = {key: getattr(decoded, key) for key in _ARRAYS}
    try:
        with part.open("wb") as stream:
            np.savez(stream, about=json.dumps(told), **arrays)
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
