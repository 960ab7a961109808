"""Restores what a killed recorder or a full disk left: its complete chunks become a bag again.

Nothing is deleted: the damaged part moves to `<task>/.damaged/<episode>/` once the restored bag is
in its place.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import zstandard
from mcap.exceptions import McapError
from mcap.reader import NonSeekingReader

from hop_core.errors import BagError
from hop_policy.bag_files import INFO_FILE, PART_DIR, complete, require_not_recording
from hop_policy.bag_reader import open_episode
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo
from hop_policy.recorder_config import RecorderConfig
from hop_policy.statics import STATIC_TOPICS

REPAIR_DIR = ".repair"
DAMAGED_DIR = ".damaged"
_CUT_OFF = (
    McapError,
    OverflowError,
    UnicodeDecodeError,
    struct.error,
    zstandard.ZstdError,
)
"""What reading gives where a file was cut off, or where a power loss left noise instead of data."""
REASON = "restored after the recording was cut off"


@dataclass(frozen=True)
class Repaired:
    """One restored episode.

    Attributes:
        path: the whole bag.
        messages: messages in it, those of `STATIC_TOPICS` not counted.
        seconds: time that they span.
    """

    path: Path
    messages: int
    seconds: float


def _whole(path: Path) -> Repaired:
    bag = open_episode(path)
    messages = sum(bag.counts[topic] for topic in bag.counts.keys() - STATIC_TOPICS)
    return Repaired(path, messages, bag.duration_ns * 1e-9)


def find_parts(root: Path, task: str | None = None) -> list[Path]:
    """Return the folders of all unfinished episodes under `root`, sorted."""
    pattern = f"{task or '*'}/{PART_DIR}/*"
    return sorted(path for path in root.glob(pattern) if path.is_dir())


def repair(part: Path, config: RecorderConfig | None = None) -> Repaired:
    """Restore the unfinished episode `part`, labelled "unlabelled".

    Args:
        part: folder ``<root>/<task>/.part/<episode>/``.
        config: QoS and rate limits for the restored bag.

    Raises:
        BagError: it is being recorded right now, holds no complete chunk, or has lost its
            provenance; or the place of the restored bag is taken.
    """
    task_dir, name = part.parent.parent, part.name
    require_not_recording(part)
    try:
        if _is_whole(part):  # cut off between its last byte and its move
            complete(part, task_dir / name)
            return _whole(task_dir / name)
        if _is_restored(task_dir / name):  # cut off between these two steps
            restored = _whole(task_dir / name)
        else:
            restored = _rewrite(part, task_dir, name, config)
        _set_aside(part, task_dir / DAMAGED_DIR)
        return restored
    except OSError as error:
        raise BagError(f"cannot restore {part}: {error}; make room and try again") from error


def _rewrite(part: Path, task_dir: Path, name: str, config: RecorderConfig | None) -> Repaired:
    info = _read_info(part)
    first_ns = last_ns = 0
    with EpisodeWriter(
        task_dir.parent,
        task_dir.name,
        name,
        info,
        config=config,
        work_dir=REPAIR_DIR,
        repeatable=True,  # an earlier repair may itself have been cut off
    ) as writer:
        for topic, type_name, received_ns, cdr in _complete_chunks(part):
            first_ns = first_ns or received_ns
            last_ns = max(last_ns, received_ns)
            writer.write_raw(topic, type_name, received_ns, cdr)
        if not writer.count:
            raise BagError(f"{part} holds no complete chunk: there is nothing to restore")
        if writer.empty:
            raise BagError(f"{part} holds nothing but what nodes say of themselves: remove it")
        messages = writer.count
        path = writer.finish("unlabelled", REASON)
    return Repaired(path, messages, (last_ns - first_ns) / 1e9)


def _is_whole(part: Path) -> bool:
    """Whether the metadata of a bag were written; a power loss leaves the file, but empty."""
    try:
        open_episode(part)
    except BagError:
        return False
    return True


def _is_restored(path: Path) -> bool:
    return path.exists() and open_episode(path).reason == REASON


def _set_aside(part: Path, damaged: Path) -> None:
    """Move a part whose messages are safe to a free name among the damaged ones."""
    damaged.mkdir(exist_ok=True)
    names = (f"{part.name}.{n}" if n else part.name for n in count())
    part.rename(next(damaged / name for name in names if not (damaged / name).exists()))


def _complete_chunks(part: Path) -> Iterator[tuple[str, str, int, bytes]]:
    """Yield (topic, type, receive time [ns], bytes) of every message in a complete chunk."""
    files = sorted(part.glob("*.mcap"))
    if not files:
        raise BagError(f"{part} holds no .mcap file: there is nothing to restore")
    with files[0].open("rb") as stream:
        reader = NonSeekingReader(stream)
        try:
            for schema, channel, message in reader.iter_messages(log_time_order=False):
                if schema is not None:
                    yield channel.topic, schema.name, message.log_time, message.data
        except _CUT_OFF:
            return  # all before it was good


def _read_info(part: Path) -> EpisodeInfo:
    file = part / INFO_FILE
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BagError(
            f"{file} is missing or damaged, so task and source of the episode are unknown: "
            f"restore the file, or read the .mcap beside it with other tools"
        ) from error
    return EpisodeInfo.from_custom_data(data, str(file))
