"""The digital twin: one process, one thread, one world in real time behind the devices' protocols.

The thread serves the sockets until a deadline, every 3 ms, then advances the world by 3 steps of
1 ms. A deadline that was missed is skipped and counted: the world then runs slower than the clock,
and the twin says by how much.
"""

from __future__ import annotations

import gc
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mujoco

from hop_core.cli import run_command
from hop_core.embodiment import ARM, JOINT_NAMES, load_embodiment
from hop_core.ending_signals import on_ending_signal
from hop_core.errors import TwinError
from hop_core.parent_process import exit_with_launcher
from hop_core.rate import QuantileRing
from hop_core.robot_config import RobotConfig
from hop_sim import control_schema as schema
from hop_sim.control_channel import ControlChannel
from hop_sim.reactor import Reactor
from hop_sim.shared_state import StateWriter, TwinState, state_path
from hop_sim.tasks.registry import load_task
from hop_sim.twin_devices import TwinDevices
from hop_sim.twin_episode import TwinEpisode
from hop_sim.world import World

_NS_PER_S = 1_000_000_000
_PATIENCE_S = 4.0
"""Longest wait of a twin that is told to end for the drivers to let go of their devices."""


class Twin:
    """World, devices, task, shared state and control channel of one twin.

    Attributes:
        world: the physics.
        devices: the emulated hardware.
        episode: the episode under way.
        address: loopback address of all servers.
    """

    def __init__(
        self,
        config: RobotConfig,
        task: str,
        seed: int = 0,
        address: str | None = None,
        config_dir: Path | None = None,
    ) -> None:
        """Build the world and start all servers.

        Args:
            config: of the robot; must have a `twin` section.
            task: name of the task whose scene is simulated.
            seed: of the first episode.
            address: loopback address of all servers; None: as configured.
            config_dir: where the tasks' configurations are; None: the usual places.

        Raises:
            TwinError: the robot is not a twin, or a port is in use.
            ConfigError: unknown task.
        """
        if config.twin is None:
            raise TwinError(
                f"robot '{config.name}' is real: it has no 'twin' section; use --robot twin"
            )
        self._config = config
        self.address = address or config.twin.address
        embodiment = load_embodiment(late_serial=config.arm.late_serial)
        self._period_ns = round(embodiment.rates.hand_period_s * _NS_PER_S)
        self._task_name = task
        the_task = load_task(task, config.table, config_dir)
        self.world = World(the_task.build_model(embodiment), embodiment)
        self.episode = TwinEpisode(self.world, the_task, config.camera, config.twin, seed)
        self._end_by_ns: int | None = None
        self._sets = self._missed = 0
        self._late_ms = QuantileRing()
        self._reactor = Reactor()
        self.devices = TwinDevices(self._reactor, self.world, config, embodiment, self.address)
        try:
            port = config.twin.control_port
            self._channel = ControlChannel(self._reactor, self._handle, self.address, port)
            try:
                self._writer = StateWriter(state_path(self.address, port), self.world.model)
            except BaseException:
                self._channel.close()
                raise
        except BaseException:
            self.devices.close()
            raise

    def run(self) -> None:
        """Run in real time until `stop`; returns with every file and socket gone."""
        gc.collect()
        gc.freeze()  # model and modules never become garbage: keep them out of later collections
        deadline = time.monotonic_ns() + self._period_ns
        try:
            while not self._may_end():
                self._reactor.run_until(deadline)
                late = time.monotonic_ns() - deadline
                skipped = max(0, late) // self._period_ns
                self._missed += skipped
                deadline += skipped * self._period_ns
                self._late_ms.add((late - skipped * self._period_ns) * 1e-6)
                self._set()
                deadline += self._period_ns
        finally:
            gc.unfreeze()
            self.close()

    def _set(self) -> None:
        """Advance by one set of the hand: 3 ms."""
        self.devices.step()
        self.episode.step(self._period_ns / _NS_PER_S)
        self._sets += 1
        self._writer.write(self._snapshot())

    def _snapshot(self) -> TwinState:
        episode = self.episode
        return TwinState(
            stamp_ns=time.time_ns(),
            monotonic_ns=time.monotonic_ns(),
            time_s=self.world.time_s,
            episode=episode.number,
            seed=episode.seed,
            noise_scale=episode.noise_scale,
            camera_connected=self.devices.camera_connected,
            T_base_cam=episode.T_base_cam,
            qpos=self.world.data.qpos,
        )

    def stop(self, patience_s: float = 0.0) -> None:
        """Ask `run` to end; callable from a signal handler or another thread.

        Args:
            patience_s: wait so long for the drivers to let go of their devices: hardware does not
                vanish under a driver that is ending. A second call, as of a launch that passes on
                what everybody got, never waits for longer than the first.
        """
        end_by_ns = time.monotonic_ns() + round(patience_s * _NS_PER_S)
        self._end_by_ns = min(self._end_by_ns or end_by_ns, end_by_ns)

    def _may_end(self) -> bool:
        if self._end_by_ns is None:
            return False
        return time.monotonic_ns() >= self._end_by_ns or not self.devices.clients

    def close(self) -> None:
        """Close all sockets and remove the state file."""
        self._channel.close()
        self.devices.close()
        self._writer.close()

    def _handle(self, request: Any) -> dict[str, Any]:
        """Carry out a request of the control channel and return the reply's values."""
        if isinstance(request, schema.Hello):
            return self._hello()
        if isinstance(request, schema.Reset):
            return self._reset(request)
        if isinstance(request, schema.State):
            return self._state()
        if isinstance(request, schema.Success):
            return self.episode.record()
        if isinstance(request, schema.Inject):
            self.devices.inject(request.fault)
        elif isinstance(request, schema.Clear):
            self.devices.clear()
        elif isinstance(request, schema.Shutdown):
            self.stop()
        return {}

    def _hello(self) -> dict[str, Any]:
        return {
            "version": _version(),
            "mujoco": mujoco.__version__,
            "model_hash": self._writer.model_hash,
            "state_file": str(self._writer.path),
            "task": self._task_name,
            "robot": self._config.name,
            "address": self.address,
            "camera": self._config.camera.model_dump(mode="json"),
        }

    def _reset(self, request: schema.Reset) -> dict[str, Any]:
        drawn = self.episode.begin(request)
        if request.teleport_robot:
            self.devices.box.rebase()
        return drawn

    def _state(self) -> dict[str, Any]:
        world = self.world
        return {
            "stamp_ns": time.time_ns(),
            "time_s": world.time_s,
            "joint_names": list(JOINT_NAMES),
            "q": world.q.tolist(),
            "qd": world.qd.tolist(),
            "arm_reference": world.arm_reference.tolist(),
            "arm_torque_nm": world.arm_torque.tolist(),
            "hand_torque_nm": world.data.ctrl[ARM.stop : len(JOINT_NAMES)].tolist(),
            "devices": self.devices.describe(),
            "loop": self._loop(),
            **self.episode.scene(),
            **self.episode.record(),
        }

    def _loop(self) -> dict[str, float]:
        return {
            "sets": self._sets,
            "missed_sets": self._missed,
            "slip_s": self._missed * self._period_ns / _NS_PER_S,
            "late_p50_ms": self._late_ms.quantile(0.5),
            "late_p99_ms": self._late_ms.quantile(0.99),
        }


def _version() -> str:
    try:
        return version("hop_sim")
    except PackageNotFoundError:  # run from the source tree
        return "source"


def run_until_signal(twin: Twin) -> None:
    """Run `twin` until it is told to shut down, or SIGINT, SIGTERM or SIGHUP arrives."""
    on_ending_signal(lambda: twin.stop(_PATIENCE_S))
    twin.run()


def main() -> int:
    """Run a twin as a process of its own: `twin ...` is `hop twin run ...`."""
    from hop_sim import twin_cli  # it imports this module

    exit_with_launcher()
    return run_command(twin_cli.main, "hop twin", ["run", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
