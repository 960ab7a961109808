"""Writes one episode as one rosbag2 folder (MCAP, zstd chunks), renamed to its place when complete.

While it is written an episode lies in `<root>/<task>/.part/<episode>/`; nothing appears as
`<root>/<task>/<episode>/` before it is whole. `hop_policy.bag_repair` restores what a killed writer
left.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.interfaces import Connection
from rosbags.rosbag2 import Writer, WriterError
from rosbags.rosbag2.storage_mcap import McapWriter

from hop_core import topics
from hop_core.errors import BagError
from hop_policy import messages
from hop_policy.bag_files import (
    INFO_FILE,
    PART_DIR,
    complete,
    new_place,
    remove_if_empty,
)
from hop_policy.bag_format import new_bag, qos_profile
from hop_policy.episode_info import EpisodeInfo, Label, outcome_data
from hop_policy.rate_audit import EpisodeRates, TopicAudit
from hop_policy.recorder_config import RecorderConfig
from hop_policy.statics import STATIC_TOPICS, Statics


class EpisodeWriter:
    """Writer of one episode; for use by one thread.

    Leaving its `with` block without `finish` closes the file and keeps the part for `hop demos
    repair`.

    Args:
        root: folder of all episodes.
        task: name of the task.
        episode_id: name of the episode.
        info: provenance.
        config: QoS and rate limits per topic; topics that it does not list are recorded as unjudged
            streams.
        statics: /robot_description and /tf_static, stamped with the first message.
        work_dir: folder beside the episodes that holds the unfinished one.
        repeatable: the episode can be made again, as in a simulator: what an earlier attempt left
            unfinished is replaced, and leaving the `with` block unfinished removes the part.

    Raises:
        BagError: a name is not usable, the episode exists already, or its folder cannot be made.
    """

    def __init__(
        self,
        root: Path,
        task: str,
        episode_id: str,
        info: EpisodeInfo,
        *,
        config: RecorderConfig | None = None,
        statics: Statics | None = None,
        work_dir: str = PART_DIR,
        repeatable: bool = False,
    ) -> None:
        self.path, self.part = new_place(root, task, episode_id, work_dir, repeatable)
        self._repeatable = repeatable
        self._info = info
        self._config = config
        self._statics = statics
        self._connections: dict[str, Connection] = {}
        self._rates = EpisodeRates()
        self._writer: Writer | None = None
        self._open()

    @property
    def count(self) -> int:
        """Number of messages written, those of `STATIC_TOPICS` not counted."""
        counts = self._rates.counts
        return sum(counts[topic] for topic in counts.keys() - STATIC_TOPICS)

    @property
    def empty(self) -> bool:
        """Whether nothing came but `STATIC_TOPICS` and what nodes say of themselves."""
        return self._rates.counts.keys() <= STATIC_TOPICS | {topics.STATE, topics.DIAGNOSTICS}

    def write(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Write a message built by `hop_policy.messages`.

        Args:
            topic: absolute topic name.
            stamp_ns: receive time, ROS time (simulated in lock-step).
            message: its type is that of the topic.

        Raises:
            BagError: the disk failed or is full, or the topic carries another type.
        """
        self.write_raw(topic, message.__msgtype__, stamp_ns, messages.serialize(message))

    def write_raw(self, topic: str, type_name: str, stamp_ns: int, cdr: bytes) -> None:
        """Write a message serialised by the middleware; arguments and errors as in `write`."""
        if self._statics is not None:
            statics, self._statics = self._statics, None
            for static_topic, message in statics.stamped(stamp_ns):
                self._put(static_topic, message.__msgtype__, stamp_ns, messages.serialize(message))
        self._put(topic, type_name, stamp_ns, cdr)
        self._rates.add(topic, stamp_ns)

    def flush(self) -> None:
        """Hand all messages so far to the system: a kill from here on loses none of them."""
        try:
            storage = self._opened().storage
            if isinstance(storage, McapWriter) and storage.chunk.msgs:
                storage.close_chunk()
                storage.bio.flush()
        except OSError as error:
            raise self._failed(error) from error

    def audit(self) -> list[TopicAudit]:
        """Return the rate audit so far: every listed topic, then the others."""
        config = self._config
        return self._rates.audit(
            {t.name: config.limits(t) for t in config.topics} if config else {}
        )

    def finish(self, label: Label, reason: str = "") -> Path:
        """Complete the bag, move it to its place and return its path.

        Args:
            label: outcome of the episode.
            reason: why the recording ended by itself, empty for an ordinary end.

        Raises:
            BagError: it is empty (the part is removed), or the disk failed (the part is
                kept).
        """
        writer = self._opened()
        if self.empty:
            self.drop()
            raise BagError(
                f"nothing was recorded for {self.path}: check that the drivers publish (hop doctor)"
            )
        for key, value in (
            self._info.custom_data() | outcome_data(label, self.audit(), reason)
        ).items():
            writer.set_custom_data(key, value)
        try:
            writer.close()
            self._writer = None
            complete(self.part, self.path)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            self._lock.close()
        return self.path

    def abandon(self) -> None:
        """Close the file and leave the part as it is, for `hop demos repair`."""
        writer, self._writer = self._writer, None
        try:
            if writer is not None:
                writer.abort()
        finally:
            self._lock.close()

    def drop(self) -> None:
        """Remove the unfinished episode: empty, or a simulated attempt that does not count."""
        self.abandon()
        if self.part.is_dir():
            shutil.rmtree(self.part)
            remove_if_empty(self.part.parent)

    def __enter__(self) -> EpisodeWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._repeatable:
            self.drop()
        else:
            self.abandon()

    def _open(self) -> None:
        try:
            writer = self._open_bag()
            info_path = self.part / INFO_FILE
            info_path.write_text(json.dumps(self._info.custom_data(), indent=1), encoding="utf-8")
            self._lock = info_path.open("rb")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (OSError, WriterError) as error:
            raise BagError(
                f"cannot record into {self.part}: {error}; check the path and its rights"
            ) from error
        self._writer = writer

    def _open_bag(self) -> Writer:
        """Return the opened writer; a recorder beside this one may remove the empty work folder."""
        for last in (False, False, True):
            writer = new_bag(self.part)
            try:
                writer.open()
                break
            except FileNotFoundError:
                if last:
                    raise
        return writer

    def _put(self, topic: str, type_name: str, stamp_ns: int, cdr: bytes) -> None:
        try:
            connection = self._connections.get(topic) or self._connect(topic, type_name)
            if connection.msgtype != type_name:
                raise BagError(
                    f"{topic} is recorded as {connection.msgtype} but a {type_name} came: "
                    f"two publishers disagree; stop one, then 'hop demos repair' restores the rest"
                )
            self._opened().write(connection, stamp_ns, cdr)
        except OSError as error:
            raise self._failed(error) from error

    def _connect(self, topic: str, type_name: str) -> Connection:
        if type_name not in messages.TYPESTORE.fielddefs:
            raise BagError(
                f"{topic} has the type {type_name}, which is no standard message: leave it out"
            )
        listed = self._config.topic(topic) if self._config else None
        latched = topic in STATIC_TOPICS or (listed is not None and listed.qos == "latched")
        connection = self._opened().add_connection(
            topic,
            type_name,
            typestore=messages.TYPESTORE,
            offered_qos_profiles=[qos_profile(latched)],
        )
        self._connections[topic] = connection
        return connection

    def _opened(self) -> Writer:
        if self._writer is None:
            raise BagError(f"the recording {self.path} is closed: start a new episode")
        return self._writer

    def _failed(self, error: OSError) -> BagError:
        """Close what is left and return the error that says where it lies."""
        # The close itself fails again on a full disk; `error` is already the report.
        with suppress(OSError):
            self.abandon()
        return BagError(
            f"cannot write {self.part}: {error.strerror or error}; make room, "
            f"then 'hop demos repair' restores it"
        )
