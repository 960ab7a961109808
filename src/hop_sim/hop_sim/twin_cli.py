"""`hop twin`: run the digital twin, or talk to a running one."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hop_core.cli import run_command
from hop_core.errors import TwinError
from hop_core.realtime import Priority, schedule
from hop_core.robot_config import RobotConfig, load_robot
from hop_policy.shipped import SHIPPED_TASK
from hop_sim.twin import Twin, run_until_signal
from hop_sim.twin_client import TwinClient


@dataclass
class _Where:
    """Which twin."""

    robot: str = "twin"
    """Overlay in config/robots that describes the twin."""
    address: str | None = None
    """Loopback address of all servers; default: the overlay's. 127.0.0.2 makes a second twin."""
    config_dir: Path | None = None
    """Folder of configurations; default: $HOP_CONFIG_DIR, then the installed ones."""

    def config(self) -> RobotConfig:
        """Return the overlay."""
        return load_robot(self.robot, self.config_dir)

    def client(self) -> TwinClient:
        """Return a client of the running twin.

        Raises:
            TwinError: the robot is real, or no twin answers.
        """
        config = self.config()
        if config.twin is None:
            raise TwinError(
                f"robot '{config.name}' is real: it has no twin to talk to; pass --robot twin"
            )
        return TwinClient(self.address or config.twin.address, config.twin.control_port)


@dataclass
class Run:
    """Run the twin in real time until Ctrl-C."""

    where: tyro.conf.OmitArgPrefixes[_Where]
    task: str = SHIPPED_TASK
    """Task whose scene is simulated."""
    seed: int = 0
    """Seed of the first episode."""

    def act(self) -> None:
        """Run."""
        scheduling = schedule(Priority.TWIN)
        twin = Twin(
            self.where.config(), self.task, self.seed, self.where.address, self.where.config_dir
        )
        print(f"twin of {self.task} on {twin.address}, {scheduling}; stop with Ctrl-C", flush=True)
        run_until_signal(twin)


@dataclass
class Reset:
    """Begin an episode; prints what was drawn."""

    where: tyro.conf.OmitArgPrefixes[_Where]
    seed: int = 0
    """Seed of everything random in the episode."""
    object: str | None = None
    """Object in play; default: by seed."""
    teleport_robot: bool = False
    """Put the robot at its start pose at once."""
    camera_jitter: float = 1.0
    """Scale on the jitter of the camera's pose."""
    camera_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the camera's position in base_link [m]."""
    noise_scale: float | None = None
    """Depth noise; 1 is a ZED-2's; default: as configured."""

    def act(self) -> None:
        """Reset."""
        with self.where.client() as client:
            _show(
                client.reset(
                    self.seed,
                    object=self.object,
                    teleport_robot=self.teleport_robot,
                    camera_jitter=self.camera_jitter,
                    camera_shift_m=self.camera_shift_m,
                    noise_scale=self.noise_scale,
                )
            )


@dataclass
class Ask:
    """Print what the twin says about itself."""

    where: tyro.conf.OmitArgPrefixes[_Where]

    def act(self) -> None:
        """Ask."""
        with self.where.client() as client:
            _show(getattr(client, self.command)())

    command = "state"


class Hello(Ask):
    """Print versions, task, model hash and state file of the running twin."""

    command = "hello"


class State(Ask):
    """Print the ground truth of the running twin: joints, object, devices, loop figures."""


class Success(Ask):
    """Print the task's record of this episode."""

    command = "success"


class Clear(Ask):
    """End all injected faults."""

    command = "clear"


class Shutdown(Ask):
    """End the running twin."""

    command = "shutdown"


@dataclass
class Inject:
    """Make a device fail."""

    fault: tyro.conf.Positional[str]
    """arm_error, arm_estop, arm_drop, arm_stall, arm_mute_reports, hand_silent, hand_servo_off,
    hand_over_temperature, hand_drop or camera_unplug."""
    where: tyro.conf.OmitArgPrefixes[_Where]
    values: str = "{}"
    """The fault's values as JSON, such as '{"code": 31}' or '{"duration_s": 0.5}'."""

    def act(self) -> None:
        """Inject."""
        try:
            values = json.loads(self.values)
        except json.JSONDecodeError as error:
            raise TwinError(f"--values is not JSON: {error}") from error
        if not isinstance(values, dict):
            raise TwinError("--values must be a JSON object, such as '{\"code\": 31}'")
        with self.where.client() as client:
            _show(client.inject(self.fault, **values))


Verb = (
    Annotated[Run, tyro.conf.subcommand("run")]
    | Annotated[Reset, tyro.conf.subcommand("reset")]
    | Annotated[Hello, tyro.conf.subcommand("hello")]
    | Annotated[State, tyro.conf.subcommand("state")]
    | Annotated[Success, tyro.conf.subcommand("success")]
    | Annotated[Inject, tyro.conf.subcommand("inject")]
    | Annotated[Clear, tyro.conf.subcommand("clear")]
    | Annotated[Shutdown, tyro.conf.subcommand("shutdown")]
)


def _show(reply: dict[str, Any]) -> None:
    print(json.dumps(reply))


def main(argv: list[str]) -> int:
    """Run the digital twin, or talk to a running one; returns the exit code."""
    about = "Run the digital twin, or talk to a running one."
    verb: Any = tyro.cli(Verb, prog="hop twin", args=argv, description=about)
    verb.act()
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main, "hop twin", sys.argv[1:]))
