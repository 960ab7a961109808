"""Which target is in force: by receive time, by name, at most 150 ms, while a source asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import AlignmentError, ModelError
from hop_core.state import HopState, Source
from hop_core.state_report import StateReport
from hop_policy import messages
from hop_policy.decode import JointReader
from hop_policy.label_rule import TargetTimeline

MS = 1_000_000


def timeline() -> TargetTimeline:
    return TargetTimeline(JointReader(JOINT_NAMES))


def target(value: float, stamp_ns: int = 0) -> object:
    return messages.joint_trajectory(JOINT_NAMES, np.full(23, value), stamp_ns, "")


def test_target_is_in_force_from_its_receipt_not_from_its_stamp() -> None:
    targets = timeline()
    targets.add(100 * MS, target(1.0, stamp_ns=80 * MS))
    assert targets.in_force(100 * MS - 1) is None
    assert targets.in_force(100 * MS)[0] == 1.0


def test_target_without_successor_is_in_force_for_150_ms() -> None:
    targets = timeline()
    targets.add(0, target(1.0))
    assert targets.in_force(150 * MS)[0] == 1.0
    assert targets.in_force(150 * MS + 1) is None


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=30, unique=True), st.integers(0, 2200))
def test_newest_received_target_counts(received_ms: list[int], at_ms: int) -> None:
    targets = timeline()
    for ms in sorted(received_ms):
        targets.add(ms * MS, target(float(ms)))
    past = [ms for ms in received_ms if ms <= at_ms]
    found = targets.in_force(at_ms * MS)
    if past and at_ms - max(past) <= 150:
        assert found[0] == max(past)
    else:
        assert found is None


def test_of_a_chunk_the_first_point_not_yet_due_is_pursued() -> None:
    targets = timeline()
    points = np.arange(3.0)[:, None] * np.ones(23)
    due = (50 * MS, 100 * MS, 150 * MS)
    targets.add(10 * MS, messages.joint_trajectory(JOINT_NAMES, points, 0, "", due))
    at = {20: 0.0, 50: 0.0, 51: 1.0, 100: 1.0, 150: 2.0, 155: 2.0}
    assert {ms: targets.in_force(ms * MS)[0] for ms in at} == at


def test_joints_are_mapped_by_name() -> None:
    targets = timeline()
    names = list(reversed(JOINT_NAMES))
    targets.add(0, messages.joint_trajectory(names, np.arange(23.0), 0, ""))
    assert targets.in_force(0).tolist() == list(range(22, -1, -1))


def test_only_what_a_source_asked_for_is_a_label() -> None:
    targets = timeline()
    for ms in range(0, 1000, 50):
        targets.add(ms * MS, target(float(ms)))
    for ms, state, source in (
        (100, HopState.ARMED, Source.NONE),
        (200, HopState.ACTIVE, Source.POLICY),
        (400, HopState.HOLD, Source.POLICY),
        (600, HopState.ACTIVE, Source.HOME),
        (800, HopState.ACTIVE, Source.TELEOP),
    ):
        targets.supervisor_is(ms * MS, StateReport("supervisor", state, source=source))
    asked = [ms for ms in range(0, 1000, 25) if targets.in_force(ms * MS) is not None]
    assert asked == [*range(200, 400, 25), *range(800, 1000, 25)]


def test_wrong_names_and_values_are_refused() -> None:
    names = ["elbow", *JOINT_NAMES[1:]]
    with pytest.raises(ModelError, match="elbow"):
        timeline().add(0, messages.joint_trajectory(names, np.zeros(23), 0, ""))
    with pytest.raises(AlignmentError, match="22 values for 23 names"):
        timeline().add(0, messages.joint_trajectory(JOINT_NAMES, np.zeros(22), 0, ""))
    with pytest.raises(AlignmentError, match=r"joint1.* not finite"):
        timeline().add(0, target(float("nan")))
