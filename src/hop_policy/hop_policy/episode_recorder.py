"""Records one episode in a thread of its own, so that a slow disk never holds up a callback."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hop_core.errors import BagError
from hop_policy.bag_files import MB
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import Label
from hop_policy.rate_audit import TopicAudit
from hop_policy.recorder_config import RecorderConfig


@dataclass(frozen=True)
class EpisodeEnd:
    """How a recording ended.

    Attributes:
        path: the complete bag, None if the disk failed or nothing came.
        label: outcome asked for.
        reason: why it ended by itself or is not complete; empty for an ordinary end.
        messages: messages written.
        dropped: messages lost because the disk was too slow.
        audits: rate of every topic.
    """

    path: Path | None
    label: Label
    reason: str
    messages: int
    dropped: int
    audits: tuple[TopicAudit, ...]

    @property
    def broken(self) -> list[str]:
        """Topics whose rate is out of its limits."""
        return [audit.topic for audit in self.audits if not audit.ok]


class EpisodeRecorder:
    """Takes serialised messages from any thread and writes them in its own.

    Args:
        writer: the new episode.
        config: queue length, flush period and disk reserve.
        on_end: called once, from the recording thread, when the episode has ended.
    """

    def __init__(
        self,
        writer: EpisodeWriter,
        config: RecorderConfig,
        on_end: Callable[[EpisodeEnd], None],
    ) -> None:
        self.path = writer.path
        self.dropped = 0
        self._writer = writer
        self._config = config
        self._on_end = on_end
        self._queue: queue.Queue[tuple[str, str, int, bytes]] = queue.Queue(config.queue_messages)
        self._label: Label | None = None
        self._reason = ""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the recording goes on; False from the moment it is asked, or has, to end."""
        return self._label is None

    def put(self, topic: str, type_name: str, stamp_ns: int, cdr: bytes) -> None:
        """Queue a message; count it as dropped when the queue is full.

        Args:
            topic: absolute topic name.
            type_name: ROS type.
            stamp_ns: receive time, ROS time.
            cdr: serialised message.
        """
        if self._label is not None:
            return
        try:
            self._queue.put_nowait((topic, type_name, stamp_ns, cdr))
        except queue.Full:
            self.dropped += 1

    def finish(self, label: Label, reason: str = "") -> None:
        """Ask for the end; what was queued before is still written. Returns at once."""
        if self._label is None:
            self._reason = reason
            self._label = label

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return whether it came."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._write_until_asked()
        except BagError as error:
            self._break_off(str(error))
            return
        except Exception as error:  # a dead thread may not pass for a recording
            self._break_off(f"{self.path} broke off: {error!r}; 'hop demos repair' restores it")
            raise
        if self.dropped:
            lost = f"{self.dropped} messages were dropped because the disk is too slow"
            self._reason = f"{self._reason}; {lost}" if self._reason else lost
        try:
            path = self._writer.finish(self._label or "unlabelled", self._reason)
        except BagError as error:
            self._end(None, str(error))
        except Exception as error:  # as above
            self._end(None, f"{self.path} was not finished: {error!r}; 'hop demos repair' does it")
            raise
        else:
            self._end(path, self._reason)

    def _write_until_asked(self) -> None:
        period_s = self._config.flush_period_s
        flush_at = time.monotonic() + period_s
        while not (self._label is not None and self._queue.empty()):
            try:
                item = self._queue.get(timeout=min(period_s, 0.1))
            except queue.Empty:
                continue
            self._writer.write_raw(*item)
            if time.monotonic() >= flush_at:
                self._writer.flush()
                self._guard_disk()
                flush_at = time.monotonic() + period_s

    def _guard_disk(self) -> None:
        """End the recording while its index still fits on the disk."""
        free_mb = shutil.disk_usage(self._writer.part).free / MB
        if free_mb < self._config.min_free_mb:
            self.finish(
                "unlabelled",
                f"only {free_mb:.0f} MB are free for {self._writer.path.parent}, "
                f"{self._config.min_free_mb} are needed: make room",
            )

    def _break_off(self, reason: str) -> None:
        """End without a bag; the part stays, unlocked, for its repair."""
        self.finish("unlabelled")
        with suppress(OSError):
            self._writer.abandon()
        self._end(None, reason)

    def _end(self, path: Path | None, reason: str) -> None:
        audits = tuple(self._writer.audit())
        messages = self._writer.count
        self._on_end(
            EpisodeEnd(path, self._label or "unlabelled", reason, messages, self.dropped, audits)
        )
