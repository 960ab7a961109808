"""Reads a recorded episode: its metadata alone, or its messages in receive order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import yaml
from rosbags.rosbag2 import Reader
from rosbags.serde import SerdeError

from hop_core.errors import BagError
from hop_policy import messages
from hop_policy.bag_files import METADATA_FILE
from hop_policy.contract import PolicyContract
from hop_policy.episode_info import EpisodeInfo, Label, parse_label

ROOT_KEY = "rosbag2_bagfile_information"
_MCAP_END = b"\x89MCAP0\r\n"
"""What an MCAP file begins and ends with. Source: MCAP specification."""


@dataclass(frozen=True)
class EpisodeBag:
    """One complete episode on the disk.

    Attributes:
        path: folder of the bag.
        info: provenance.
        label: outcome.
        reason: why the recording ended by itself, empty for an ordinary end.
        rates_ok: whether every judged stream kept its rate.
        rate_audit: one record per topic, as in `hop_policy.rate_audit.TopicAudit`.
        start_ns: first receive time, ROS time.
        duration_ns: last receive time less the first.
        counts: number of messages per topic.
        files: names of the recording's files.
    """

    path: Path
    info: EpisodeInfo
    label: Label
    reason: str
    rates_ok: bool
    rate_audit: tuple[Mapping[str, Any], ...]
    start_ns: int
    duration_ns: int
    counts: Mapping[str, int]
    files: tuple[str, ...]

    @property
    def name(self) -> str:
        """Task and episode, as in ``grasp_lift/000012``."""
        return f"{self.path.parent.name}/{self.path.name}"

    def require(self, topics: Sequence[str]) -> None:
        """Pass if the bag holds at least one message of each topic.

        Raises:
            BagError: naming the first topic that it lacks.
        """
        for topic in topics:
            if not self.counts.get(topic):
                raise BagError(
                    f"{self.path} has no message of {topic}, which is needed: record it, or "
                    f"leave the episode out (hop demos label {self.path} discarded)"
                )

    def require_contract(self, contract: PolicyContract, remedy: str) -> None:
        """Pass if the bag was recorded for `contract`; `remedy` ends the message else.

        Raises:
            BagError: it was recorded for another one.
        """
        if self.info.contract_hash != contract.hash:
            raise BagError(
                f"{self.path} was recorded for another contract "
                f"({self.info.contract_hash or 'none'}, here {contract.hash}); {remedy}"
            )

    def require_end(self) -> None:
        """Pass if each MCAP file of the recording is there with its end: no copy was cut short.

        Raises:
            BagError: one is not, or has no end.
        """
        for name in self.files:
            if not name.endswith(".mcap"):
                continue  # compressed as a whole, which this workspace does not record
            try:
                with (self.path / name).open("rb") as stream:
                    size = stream.seek(0, os.SEEK_END)
                    stream.seek(-min(len(_MCAP_END), size), os.SEEK_END)
                    ended = stream.read() == _MCAP_END
            except OSError as error:
                raise self._damaged(f"{name}: {error.strerror}") from error
            if not ended:
                raise self._damaged(f"the end of {name} is missing")

    def messages(self, topics: Sequence[str]) -> Iterator[tuple[str, int, Any]]:
        """Yield (topic, receive time [ns], message) of the topics in receive order.

        Raises:
            BagError: the data is damaged.
        """
        try:
            for topic, log_ns, cdr, kind in self._raw(topics):
                yield topic, log_ns, messages.deserialize(cdr, kind)
        except (SerdeError, ValueError) as error:
            raise self._damaged(error) from error

    def serialized(self, topics: Sequence[str]) -> Iterator[tuple[str, int, bytes]]:
        """Yield (topic, receive time [ns], CDR bytes) of the topics in receive order.

        Raises:
            BagError: the data is damaged.
        """
        for topic, log_ns, cdr, _ in self._raw(topics):
            yield topic, log_ns, cdr

    def _raw(self, topics: Sequence[str]) -> Iterator[tuple[str, int, bytes, str]]:
        try:
            with Reader(self.path) as reader:
                wanted = [c for c in reader.connections if c.topic in topics]
                for connection, log_ns, cdr in reader.messages(wanted) if wanted else ():
                    yield connection.topic, log_ns, bytes(cdr), connection.msgtype
        except Exception as error:  # noise in a chunk fails in decompression, or anywhere after it
            raise self._damaged(error) from error

    def _damaged(self, error: Exception | str) -> BagError:
        return BagError(
            f"{self.path} cannot be read ({error}): restore it from a copy, or leave the episode "
            f"out (hop demos label {self.path} discarded)"
        )


def open_episode(path: Path) -> EpisodeBag:
    """Return the episode in the folder `path`.

    Raises:
        BagError: there is none, it is not complete, or it was not recorded by this workspace.
    """
    path = path.absolute()
    bag = read_metadata(path)
    custom: Mapping[str, str] = bag.get("custom_data") or {}
    info = EpisodeInfo.from_custom_data(custom, str(path))
    try:
        return EpisodeBag(
            path=path,
            info=info,
            label=_label(path, custom["hop.label"]),
            reason=custom.get("hop.reason", ""),
            rates_ok=custom["hop.rates_ok"] == "true",
            rate_audit=tuple(json.loads(custom["hop.rate_audit"])),
            start_ns=int(bag["starting_time"]["nanoseconds_since_epoch"]),
            duration_ns=int(bag["duration"]["nanoseconds"]),
            counts={
                entry["topic_metadata"]["name"]: int(entry["message_count"])
                for entry in bag["topics_with_message_count"]
            },
            files=tuple(str(name) for name in bag["relative_file_paths"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BagError(f"{path / METADATA_FILE} is damaged ({error!r}); restore it") from error


def _label(path: Path, text: str) -> Label:
    try:
        return parse_label(text)
    except BagError as error:
        raise BagError(f"{path / METADATA_FILE}: {error}") from error


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the rosbag2 metadata of the bag folder `path`.

    Raises:
        BagError: it is missing or damaged.
    """
    file = path / METADATA_FILE
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BagError(
            f"{path} is no complete bag ({METADATA_FILE}: {error.strerror}); restore it from a copy"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BagError(f"{file} is not valid YAML; restore it from a copy") from error
    if not isinstance(document, dict) or not isinstance(document.get(ROOT_KEY), dict):
        raise BagError(f"{file} holds no {ROOT_KEY}: it is not a rosbag2 folder")
    metadata: dict[str, Any] = document[ROOT_KEY]
    return metadata


def find_bags(place: Path, task: str | None = None) -> list[Path]:
    """Return the episodes that `place` names: one bag, a folder of them, or that of all episodes.

    Args:
        place: the bag or folder.
        task: only this task, the folder that a bag lies in; None for all.

    Raises:
        BagError: it does not exist.
    """
    found = _bags_in(place, ".") or _bags_in(place, "*")
    if not found:
        return find_episodes(place, task)
    return [path for path in found if task in (None, path.absolute().parent.name)]


def find_episodes(root: Path, task: str | None = None) -> list[Path]:
    """Return the folders of all recordings under `root`, sorted by task and name.

    A folder that lacks its metadata is one of them, so that opening it tells so.

    Args:
        root: folder of all episodes.
        task: only this task; None for all.

    Raises:
        BagError: `root`, or the task in it, does not exist.
    """
    folder = root / task if task else root
    if not folder.is_dir():
        raise BagError(f"there are no demonstrations in {folder}: record some or check the path")
    return _bags_in(folder, "*" if task else "*/*")


def _bags_in(place: Path, pattern: str) -> list[Path]:
    """Return the folders of `place` that match and hold a recording, or what is left of one."""
    files = (place.glob(f"{pattern}/{name}") for name in (METADATA_FILE, "*.mcap"))
    found = {file.parent for file in chain.from_iterable(files)}
    return sorted(path for path in found if not _is_hidden(path.relative_to(place)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
