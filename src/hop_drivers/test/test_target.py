"""Targets at the boundary: order by name, and everything that cannot be meant is refused with its
kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, WONIK_JOINTS
from hop_core.safety_config import load_safety
from hop_drivers.target import RefusedTarget, TargetReader

MS = 1_000_000
NOW = 1_000_000 * MS
WATCHDOG = load_safety().watchdog


def read(reader, names=JOINT_NAMES, points=None, stamp=NOW - 20 * MS, now=NOW):
    points = points or [(50 * MS, list(range(len(names))))]
    return reader.read(names, points, stamp, "id", now)


@given(st.permutations(JOINT_NAMES))
def test_values_are_ordered_by_name(names):
    value = {name: float(i) for i, name in enumerate(JOINT_NAMES)}
    reader = TargetReader(JOINT_NAMES, WATCHDOG)
    target = read(reader, names, [(50 * MS, [value[name] for name in names])])
    np.testing.assert_array_equal(target.q[0], np.arange(23.0))
    assert target.due_ns == (NOW + 30 * MS,)


def test_the_hand_driver_takes_its_joints_from_all_23_whatever_the_order():
    names = [*WONIK_JOINTS, *ARM_JOINTS]
    value = {name: float(i) for i, name in enumerate(JOINT_NAMES)}
    reader = TargetReader(HAND_JOINTS, WATCHDOG, subset=True)
    target = read(reader, names, [(50 * MS, [value[name] for name in names])])
    np.testing.assert_array_equal(target.q[0], np.arange(7.0, 23.0))


def test_a_changed_order_of_names_is_noticed():
    reader = TargetReader(ARM_JOINTS, WATCHDOG)
    values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert read(reader, list(ARM_JOINTS), [(50 * MS, values)]).q[0, 0] == 0.0
    assert read(reader, list(reversed(ARM_JOINTS)), [(50 * MS, values)]).q[0, 0] == 6.0


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("names", {"names": JOINT_NAMES[:-1]}),
        ("names", {"names": (*JOINT_NAMES[:-1], "joint99")}),
        ("names", {"names": (*JOINT_NAMES[:-1], "joint1")}),
        ("size", {"points": [(50 * MS, [0.0] * 22)]}),
        ("size", {"points": [(50 * MS, [0.0] * 24)]}),
        ("not_finite", {"points": [(50 * MS, [float("nan")] + [0.0] * 22)]}),
        ("not_finite", {"points": [(50 * MS, [float("inf")] + [0.0] * 22)]}),
        ("stale", {"stamp": NOW - 151 * MS}),
        ("future", {"stamp": NOW + 6 * MS}),
        ("too_far", {"points": [(2100 * MS, [0.0] * 23)]}),
        ("order", {"points": [(50 * MS, [0.0] * 23), (50 * MS, [0.0] * 23)]}),
        ("order", {"points": [(50 * MS, [0.0] * 23), (51 * MS - 1, [0.0] * 23)]}),
        ("order", {"points": [(0, [0.0] * 23)]}),
    ],
)
def test_what_cannot_be_meant_is_refused(kind, change):
    with pytest.raises(RefusedTarget) as refusal:
        read(TargetReader(JOINT_NAMES, WATCHDOG), **change)
    assert refusal.value.kind == kind


def test_no_point_is_refused():
    with pytest.raises(RefusedTarget, match="no point"):
        TargetReader(JOINT_NAMES, WATCHDOG).read(JOINT_NAMES, [], NOW, "id", NOW)
