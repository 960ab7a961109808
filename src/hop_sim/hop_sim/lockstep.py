"""The twin without a clock: world, drivers' control code, safety filter, lags and camera in a loop.

It runs faster than real time. Nothing is modelled twice: the arm and the hand follow targets with
the drivers' own `Follower` and `HandPd`, targets pass the supervisor's `SafetyFilter`, the control
box's `Trips` and the driver's watch on the arm's tracking stop it, and observations are chosen by
the tick rule from streams with the rates of the live graph. What differs from the live twin is that
no process waits for another: every delay is the figure of `Timing`, and no device or message fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hop_core.align import TickAligner
from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_core.errors import HopError, TwinError
from hop_core.kinematics import Kinematics
from hop_core.robot_config import RobotConfig
from hop_core.safety_config import SafetyConfig
from hop_drivers.depth import depth_to_mm
from hop_drivers.follower import device_follower, strayed
from hop_drivers.hand_pd import HandPd
from hop_drivers.safety_filter import SafetyFilter
from hop_drivers.target import Target
from hop_drivers.xarm_codes import describe_error
from hop_policy.contract import PolicyContract
from hop_policy.streams import ARM as ARM_STREAM
from hop_policy.streams import DEPTH as DEPTH_STREAM
from hop_policy.streams import HAND as HAND_STREAM
from hop_policy.streams import stream_rules
from hop_sim.box_trips import Trips
from hop_sim.camera import DepthCamera, episode_pose
from hop_sim.motion_record import MotionRecord
from hop_sim.realism import Realism
from hop_sim.tap import Tap
from hop_sim.tasks.start import TaskStart
from hop_sim.tasks.task import Monitor, Task
from hop_sim.world import World
from hop_sim.xarm_codes import Mode
from hop_sim.xarm_reports import Settings

MS = 1_000_000
ARMING_ID = "lockstep"
# Counted up when the code moves the robot, or shows it, in another way with the same settings: 2,
# targets keep their stamp on the way to the followers; 3, what trips the arm ends an episode.
MOVES = 3
EPOCH_NS = 1_000_000_000_000  # stamps of an episode start here, so that none is near zero


@dataclass(frozen=True)
class Timing:
    """Delays of the live graph that lock-step reproduces [ns].

    Attributes:
        accept_ns: from the tick to the accepted target at the controllers: forward pass, filter and
            two messages.
        settle_ns: time between the start of the streams and the first tick.
    """

    accept_ns: int = 14 * MS
    settle_ns: int = 300 * MS


class LockStep:
    """One robot cell, one episode at a time.

    Attributes:
        world: the simulated world.
        monitor: the score of the running episode.
        motion: the accepted targets of the running episode.
        now_ns: simulated ROS time.
        stopped: why the safety filter refused a target, or what tripped the arm, which ends the
            episode; empty while all is well.
    """

    def __init__(
        self,
        task: Task,
        robot: RobotConfig,
        safety: SafetyConfig,
        contract: PolicyContract,
        realism: Realism | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Build the world and the control code around it.

        Args:
            task: what is on the table, and when it is done.
            robot: the twin's cell.
            safety: limits of filter and followers.
            contract: lags and age limits of the streams.
            realism: camera jitter, shift and noise.
            timing: delays.

        Raises:
            TwinError: the cell is real, or this machine cannot render.
        """
        self.task = task
        self.contract = contract
        self.timing = timing or Timing()
        self._embodiment = load_embodiment(late_serial=robot.arm.late_serial)
        if robot.twin is None:
            raise TwinError(
                f"the cell '{robot.name}' has no twin section; lock-step needs one, as in "
                "robots/twin.yaml"
            )
        self.world = World(task.build_model(self._embodiment), self._embodiment)
        self.camera = DepthCamera(self.world.model, robot.camera)
        self._robot, self._twin = robot, robot.twin
        self.realism = realism or Realism()
        self._rules = stream_rules(contract.model_copy(update={"vision": "depth"}))
        self.now_ns = EPOCH_NS
        self._filter = SafetyFilter(self._embodiment, safety, robot, Kinematics())
        self._safety = safety
        self._trips = Trips(self.world)
        self._box = Settings(collision_sensitivity=robot.arm.collision_sensitivity)
        rates = self._embodiment.rates
        self._tick_ns = round(1e9 / contract.policy_hz)
        self._arm_period_ns = round(1e9 / rates.arm_hz)
        self._frame_period_ns = round(1e9 / robot.camera.fps)
        self._set_ns = round(rates.hand_period_s * 1e9)
        self._set_ms = round(rates.hand_period_s / rates.physics_period_s)
        self._publish_every = rates.hand_publish_every
        self.tap: Tap | None = None

    def reset(self, start: TaskStart, index: int, seed: int, tap: Tap | None = None) -> None:
        """Begin episode `index` of `start`: robot at rest near home and armed, streams running.

        `seed` draws the camera's pose and the noise of depth, as it does in the twin.
        """
        self.now_ns = EPOCH_NS
        self.tap = tap
        self.stopped = ""
        self._q_start = start.q[index]
        self.world.reset(self._q_start, self.task.arrange(start, index))
        self.world.set_arm_enabled(True)
        self.world.set_hand_servo(True)
        realism = self.realism
        pose = episode_pose(self._robot.camera, self._twin, seed, realism.jitter, realism.shift_m)
        self.camera.begin(seed, pose, realism.noise * self._twin.depth_noise_scale)
        self.monitor: Monitor = self.task.monitor(self.world.model, start, index)
        self._arm = device_follower(self._embodiment, self._safety, ARM)
        self._hand = device_follower(self._embodiment, self._safety, HAND)
        self._pd = HandPd(self._embodiment.hand, torque_scale=self._robot.hand.torque_scale)
        self._pd.reset(self.world.hand_q)
        self._filter.reset(self._q_start)
        self._trips.reset()
        self.motion = MotionRecord(self._tick_ns)
        due_ns = (self.now_ns + self._tick_ns,)
        self._offer(Target(ARMING_ID, self.now_ns, due_ns, self._q_start[None]))
        self._pending: tuple[int, Target] | None = None
        self._has_followed = False
        self._torque = np.zeros(16)
        self.disturb(np.zeros(7))
        self._sets = 0
        self._next_arm_ns = self._next_frame_ns = self.now_ns
        self.aligner: TickAligner[Callable[[], np.ndarray]] = TickAligner(self._rules)
        self._advance(EPOCH_NS + self.timing.settle_ns)

    def observe(self) -> dict[str, tuple[int, np.ndarray]]:
        """Return what the tick at `now_ns` sees: {stream: (stamp [ns], sample)}.

        Samples are the live graph's: "arm" (7,) and "hand" (16,) joint angles [rad], "depth" (H, W)
        uint16 [mm].

        Raises:
            AlignmentError: a stream has no sample that is fresh enough.
        """
        chosen = {
            name: (stamp, sample())
            for name, (stamp, sample) in self.aligner.select(self.now_ns).items()
        }
        if self.tap is not None:
            self.tap.tick(self.now_ns, {name: stamp for name, (stamp, _) in chosen.items()})
        return chosen

    def joints(self) -> np.ndarray:
        """Return the (23,) joint angles [rad] that the tick at `now_ns` sees, without an image."""
        chosen = self.aligner.select(self.now_ns)
        return np.concatenate([chosen[ARM_STREAM][1](), chosen[HAND_STREAM][1]()])

    def disturb(self, offset_rad: np.ndarray) -> None:
        """Make the arm go beside the targets by `offset_rad` (7,), until told otherwise.

        It is added on the way to the arm: who asked for a target, and a recording, do not see it.
        """
        self._offset_rad = offset_rad

    def step(self, q_target: np.ndarray) -> np.ndarray:
        """Answer this tick with `q_target` (23,) [rad] and run to the next one.

        A refused target, or what trips the arm, sets `stopped`: the robot would hold, fault or not
        begin at all, and the episode has failed.

        Returns:
            The accepted target (23,) [rad]; where it was refused, that.
        """
        tick_ns = self.now_ns
        try:
            if not self._has_followed:
                self._filter.check_first(q_target)
            filtered = self._filter.step(q_target, self._tick_ns * 1e-9)
        except HopError as error:
            self.stopped = str(error)
            return np.asarray(q_target)
        self._has_followed = True
        accepted = filtered.q
        changed = not np.array_equal(accepted, q_target)
        self.motion.add(tick_ns, accepted, changed, filtered.clamped)
        accepted_ns = tick_ns + self.timing.accept_ns
        if self.tap is not None:
            self.tap.target(tick_ns, accepted_ns, q_target, accepted)
        due_ns = tick_ns + self._tick_ns
        executed = accepted.copy()
        executed[ARM] += self._offset_rad
        self._pending = (accepted_ns, Target(ARMING_ID, tick_ns, (due_ns,), executed[None]))
        self._advance(tick_ns + self._tick_ns)
        return accepted

    @property
    def done(self) -> bool:
        """Whether the episode has ended: success, time limit or safety stop."""
        return bool(self.monitor.score.success[0]) or self.monitor.timed_out or bool(self.stopped)

    @property
    def success(self) -> bool:
        """Whether the task is done and nothing stopped the robot."""
        return bool(self.monitor.score.success[0]) and not self.stopped

    def _offer(self, target: Target) -> None:
        for follower, part in ((self._arm, ARM), (self._hand, HAND)):
            follower.offer(replace(target, q=target.q[:, part]))

    def _advance(self, until_ns: int) -> None:
        """Run the world, one hand set at a time, until `now_ns` reaches `until_ns`."""
        while self._world_ns() < until_ns and not self.stopped:
            self.now_ns = self._world_ns()
            if self._pending is not None and self.now_ns >= self._pending[0]:
                self._offer(self._pending[1])
                self._pending = None
            if self.now_ns >= self._next_frame_ns:
                self._frame()
            if self.now_ns >= self._next_arm_ns:
                self._arm_cycle()
            self._hand_set()
            self._watch_box()
            self.world.step(self._set_ms)
            self.monitor.update(self.world.data, self._set_ns * 1e-9)
        self.now_ns = until_ns

    def _world_ns(self) -> int:
        return EPOCH_NS + self._sets * self._set_ns

    def _frame(self) -> None:
        """A camera exposure: the image is rendered when somebody looks at it."""
        stamp_ns = self.now_ns
        self._next_frame_ns += self._frame_period_ns
        qpos = self.world.data.qpos.copy()
        image = cache(lambda: depth_to_mm(self.camera.render(qpos)))
        self.aligner.insert(DEPTH_STREAM, stamp_ns, image)
        if self.tap is not None:
            self.tap.depth(stamp_ns, image())

    def _arm_cycle(self) -> None:
        self._next_arm_ns += self._arm_period_ns
        world = self.world
        q = world.arm_q
        self.aligner.insert(ARM_STREAM, self.now_ns, lambda: q)
        if self.tap is not None:
            self.tap.arm(self.now_ns, q, world.arm_qd, world.arm_torque)
        command = self._arm.step(self.now_ns, q, self._arm_period_ns * 1e-9)
        self.stopped = strayed(command, q, self._safety.watchdog.tracking_error_rad)
        world.set_arm_target(command)

    def _watch_box(self) -> None:
        fault = self._trips.check(Mode.SERVO, self._box, self._set_ns * 1e-9)
        if fault is not None:
            self.stopped = describe_error(fault)

    def _hand_set(self) -> None:
        q, dt_s = self.world.hand_q, self._set_ns * 1e-9
        self._sets += 1
        self._pd.observe(q, dt_s)
        self._torque = self._pd.step(self._hand.step(self.now_ns, self._pd.position, dt_s), dt_s)
        self.world.set_hand_torque_units(self._torque)
        if self._sets % self._publish_every == 0:
            self.aligner.insert(HAND_STREAM, self.now_ns, lambda: q)
            if self.tap is not None:
                nm = self._torque * self._embodiment.hand.torque_per_unit_nm
                self.tap.hand(self.now_ns, q, self._pd.velocity.copy(), nm)
