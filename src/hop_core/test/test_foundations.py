"""Embodiment, configuration, interpolation, inverse kinematics and loops."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hop_core.config import Config, config_hash, config_path, load_config, validate
from hop_core.embodiment import (
    HOP_SIM_JOINTS,
    JOINT_NAMES,
    WONIK_JOINTS,
    joint_index,
    load_embodiment,
)
from hop_core.errors import ConfigError, ModelError
from hop_core.ik import solve_palm
from hop_core.interpolate import TargetInterpolator
from hop_core.kinematics import Kinematics
from hop_core.rate import DeadlineLoop
from hop_core.robot_config import RobotConfig, load_robot
from hop_core.safety_config import SafetyConfig, load_safety


def test_scaling_spans_the_release_constants() -> None:
    embodiment = load_embodiment()
    assert embodiment.scale(embodiment.policy_lower) == pytest.approx(-np.ones(23))
    assert embodiment.scale(embodiment.policy_upper) == pytest.approx(np.ones(23))
    assert embodiment.policy_upper[0] == 6.2832


def test_maps_between_orders_are_made_from_names() -> None:
    disk = np.arange(23)
    to_simulator = joint_index(JOINT_NAMES, HOP_SIM_JOINTS)
    # The permutation that the HOP release writes as indices.
    assert disk[to_simulator].tolist() == [
        *range(11),
        19,
        20,
        21,
        22,
        11,
        12,
        13,
        14,
        15,
        16,
        17,
        18,
    ]
    assert joint_index(WONIK_JOINTS, JOINT_NAMES[7:]).tolist() == [*range(4, 16), 0, 1, 2, 3]


def test_wrong_joint_names_are_named() -> None:
    with pytest.raises(ModelError, match=r"unknown \['elbow'\]"):
        joint_index(["elbow", *JOINT_NAMES[1:]])
    with pytest.raises(ModelError, match="occur twice: joint1"):
        joint_index(["joint1", *JOINT_NAMES])


def test_a_robot_without_its_arm_cannot_be_configured() -> None:
    values = load_safety().model_dump() | {"required": ("allegro", "zed")}
    with pytest.raises(ConfigError, match="required must name xarm and allegro"):
        validate(values, SafetyConfig, "safety.yaml")


class Sample(Config):
    rate_hz: float
    name: str = "x"


def test_a_config_error_names_file_key_and_choices(tmp_path: Path) -> None:
    file = tmp_path / "sample.yaml"
    file.write_text("rate_hz: 5\nspeed: 3\n")
    with pytest.raises(
        ConfigError, match=r"sample.yaml: unknown key 'speed'; allowed keys: name, rate_hz"
    ):
        load_config(file, Sample)
    file.write_text("rate_hz: fast\n")
    with pytest.raises(ConfigError, match=r"rate_hz: .*\(got 'fast'\)"):
        load_config(file, Sample)
    file.write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        load_config(file, Sample)
    with pytest.raises(ConfigError, match="check the path"):
        load_config(tmp_path / "none.yaml", Sample)


def test_the_hash_follows_values_not_order() -> None:
    assert config_hash(Sample(rate_hz=5, name="a")) == config_hash(Sample(name="a", rate_hz=5))
    assert config_hash(Sample(rate_hz=5)) != config_hash(Sample(rate_hz=6))


def test_the_cells_that_we_ship_are_valid() -> None:
    twin, lab = load_robot("twin"), load_robot("example_lab")
    assert twin.twin is not None
    assert lab.twin is None
    view = twin.camera.T_base_cam[:3, 2]
    assert view == pytest.approx(
        [0, 0.8648, -0.5021], abs=1e-3
    )  # from the robot's right, down to the table


def test_interpolation_arrives_when_due() -> None:
    path = TargetInterpolator(np.zeros(2), 0)
    path.set_target([(50, np.array([1.0, 2.0])), (100, np.array([1.0, 4.0]))], 0)
    assert path.sample(25) == pytest.approx([0.5, 1.0])
    assert path.sample(75) == pytest.approx([1.0, 3.0])
    assert path.sample(500) == pytest.approx([1.0, 4.0])
    path.set_target([(10, np.zeros(2))], 600)  # due already: at once
    assert path.sample(600) == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_inverse_kinematics_reaches_poses_of_the_arm(seed: int) -> None:
    embodiment, kinematics = load_embodiment(), Kinematics()
    q = embodiment.home.copy()
    q[:7] += np.random.default_rng(seed).uniform(-0.3, 0.3, 7)
    q = embodiment.clip(q)
    result = solve_palm(kinematics.site_pose(q, "palm"), embodiment.home, kinematics)
    assert result.within(1e-4, 1e-3)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.6, 0.8, 0.0)])
def test_a_palm_that_is_turned_round_is_far_from_its_goal(axis: tuple[float, ...]) -> None:
    kinematics, home = Kinematics(), load_embodiment().home
    goal = kinematics.site_pose(home, "palm")
    turn = 2.0 * np.outer(axis, axis) - np.eye(3)
    goal[:3, :3] = turn @ goal[:3, :3]
    result = solve_palm(goal, home, kinematics, iterations=0)
    assert result.rotation_error_rad == pytest.approx(np.pi)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hand": {"interface": "socketcan", "warn_c": 80.0}}, "warn_c 80 must be below stop_c"),
        ({"camera": {"near_m": 3.0, "far_m": 0.2}}, "near_m 3 must be below far_m 0.2"),
    ],
)
def test_limits_in_the_wrong_order_are_named(change: dict, message: str) -> None:
    values = load_robot("twin").model_dump()
    for section, keys in change.items():
        values[section].update(keys)
    with pytest.raises(ConfigError, match=message):
        validate(values, RobotConfig, "cell.yaml")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("arm", "address", "192.168.1.214"),
        ("arm", "address", "xarm.local"),
        ("hand", "host", "10.0.0.7"),
        ("hand", "interface", "socketcan"),
        ("camera", "stream", "zed-box:30000"),
        ("twin", "address", "0.0.0.0"),
    ],
)
def test_a_cell_with_a_twin_section_reaches_nothing_real(
    section: str, key: str, value: str
) -> None:
    """It may arm by itself: an address that was filled in must not lead to a real arm."""
    values = load_robot("twin").model_dump()
    values[section][key] = value
    with pytest.raises(ConfigError, match=rf"{section}\.{key}.* twin section"):
        validate(values, RobotConfig, "cell.yaml")
    if key == "address" and section == "arm":
        with pytest.raises(ConfigError, match=r"twin_address .* must be a loopback address"):
            load_robot("twin").moved(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize(("section", "key"), [("hand", "stop_c"), ("table", "center_m")])
def test_a_number_that_is_not_finite_is_named(section: str, key: str, number: float) -> None:
    """A comparison with one is false: a limit that is not finite would never be reached."""
    values = load_robot("twin").model_dump()
    there = values[section][key]
    values[section][key] = (number, *there[1:]) if isinstance(there, tuple) else number
    with pytest.raises(ConfigError, match=rf"{section}\.{key}.* finite number"):
        validate(values, RobotConfig, "cell.yaml")


def test_a_fault_comes_after_the_hold() -> None:
    values = load_safety().model_dump()
    values["watchdog"]["feedback_hold_s"] = 5.0
    with pytest.raises(ConfigError, match="feedback_hold_s 5 must be below feedback_fault_s"):
        validate(values, SafetyConfig, "safety.yaml")


def test_a_margin_leaves_every_joint_a_range(tmp_path: Path) -> None:
    shipped = config_path("safety.yaml").read_text()
    (tmp_path / "safety.yaml").write_text(
        shipped.replace("hand_margin_rad: 0.0", "hand_margin_rad: 0.5")
    )
    with pytest.raises(ConfigError, match=r"hand_margin_rad 0\.5 leaves allegro_index_0 no range"):
        load_safety(tmp_path)


def test_a_loop_answers_or_counts_every_deadline_and_makes_none_up() -> None:
    period_ns, done = 10_000_000, threading.Event()
    answered: list[tuple[int, int]] = []  # deadline, time of the call

    def step(deadline_ns: int) -> None:
        answered.append((deadline_ns, time.monotonic_ns()))
        if len(answered) == 5:
            time.sleep(0.035)
        if len(answered) == 20:
            done.set()

    loop = DeadlineLoop(period_ns, step, "test")
    begin_ns = time.monotonic_ns()
    loop.start()
    assert done.wait(30.0)
    loop.stop(10.0)
    assert not loop.running
    stats, deadlines = loop.stats(), np.array([deadline for deadline, _ in answered])
    assert all(called_ns >= deadline_ns for deadline_ns, called_ns in answered)
    assert (np.diff(deadlines) % period_ns == 0).all()
    assert (np.diff(deadlines) >= period_ns).all()
    assert deadlines[5] - deadlines[4] >= 3 * period_ns  # the step of 35 ms was not made up for
    first = (deadlines[0] - begin_ns) // period_ns  # a start on a busy machine may be late
    spanned = (deadlines[-1] - deadlines[0]) // period_ns + 1
    assert len(answered) == stats.ticks
    assert spanned <= stats.ticks + stats.missed <= spanned + first
    assert stats.missed >= 2
    assert stats.hz == pytest.approx(100.0 * (stats.ticks - 1) / (spanned - 1))


def test_a_loop_that_fails_keeps_its_error(recwarn: pytest.WarningsRecorder) -> None:
    loop = DeadlineLoop(1_000_000, lambda _t: 1 / 0, "failing")
    loop.start()
    deadline = time.monotonic() + 10.0
    while loop.running and time.monotonic() < deadline:
        time.sleep(0.001)
    assert not loop.running
    assert isinstance(loop.error, ZeroDivisionError)
