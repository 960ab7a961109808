"""Parts worked on by the machines of a Ray cluster, or by the cores of this one."""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

from hop_core.closing import Closing
from hop_core.ending_signals import interrupt_on_ending_signal
from hop_core.errors import ConfigError, HopError
from hop_sim.retarget.part import Part, Worker
from hop_sim.retarget.runner import Answer, PendingPart, answers, divided
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.tracks.resample import Track20

_ANSWER_S = 5.0  # after which nobody is at an address; Ray itself waits for minutes
_LOST = {"max_restarts": 2, "max_task_retries": 2}  # a worker's tasks come out the same elsewhere

_LOCAL = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # the only way to have 127.0.0.1 as its address
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_USAGE_STATS_ENABLED": "0",
}


class RayRunner(Closing):
    """Attempts by the hundred, on one worker per core of a Ray cluster.

    The cluster is the one that RAY_ADDRESS names, or a local one that ends with this runner.
    """

    def __init__(self, settings: RetargetSettings) -> None:
        """Join the cluster and start workers.

        Raises:
            ConfigError: Ray is not installed, or a cluster is not there or does not start.
        """
        self._ray = _join_cluster()
        count = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        actor = self._ray.remote(num_cpus=1, **_LOST)(Worker)
        self._workers = [actor.remote(settings, threads=1) for _ in range(count)]
        self._ranges = divided(settings.engine.attempts)
        self._turn = cycle(self._workers)

    def run(self, tracks: Iterable[Track20]) -> Iterator[Answer]:
        """See `Runner.run`."""
        return answers(tracks, self._submit, len(self._workers))

    def _submit(self, track: Track20) -> list[PendingPart]:
        reference = self._ray.put(track)
        tasks = [next(self._turn).work.remote(reference, numbers) for numbers in self._ranges]
        return [partial(self._result, task) for task in tasks]

    def _result(self, task: Any) -> Part:
        """What `task` returned; what it raised comes without the worker's traceback."""
        errors = self._ray.exceptions
        try:
            part: Part = self._ray.get(task)
        except errors.RayTaskError as error:
            if isinstance(error.cause, HopError):
                raise error.cause from None
            raise
        except errors.RayError as error:
            why = str(error).strip().splitlines()[-1]
            raise HopError(f"a Ray worker is lost ({why}); run the same command again") from error
        return part

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        self._ray.shutdown()


def _join_cluster() -> Any:
    """Ray, joined to the cluster of RAY_ADDRESS or to a local one that nobody else can use."""
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        for name, value in _LOCAL.items():  # read by Ray when it is imported
            os.environ.setdefault(name, value)
    elif address != "auto" and "://" not in address:
        _require_answer(address)
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--ray needs Ray: pip install -r requirements/ray.txt") from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, configure_logging=False)
    except Exception as error:  # Ray raises nothing more precise when a cluster is slow to start
        ray.shutdown()
        why = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ConfigError(
            f"--ray: the cluster '{address}' cannot be joined ({why}); try again when the machine "
            "is less busy, name another in RAY_ADDRESS, or leave --ray out"
        ) from error
    interrupt_on_ending_signal()  # Ray ends a process at SIGTERM its own way
    return ray


def _require_answer(address: str) -> None:
    """Pass if somebody listens at `address`, a host and a port."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"RAY_ADDRESS: nobody answers at '{address}' ({error}); start the cluster, or unset it"
        ) from error
