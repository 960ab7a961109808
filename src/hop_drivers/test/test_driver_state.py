"""The driver's state: armed only through ARMING, faults and e-stops latch, and no way out of them
leads into motion."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hop_core.state import HopState
from hop_drivers.driver_state import DriverState


def armed_state():
    state = DriverState(lambda _view: None)
    state.connected()
    assert state.begin_arming("a")
    assert state.armed("a")
    return state


def test_a_new_driver_is_disconnected_and_comes_up_idle():
    state = DriverState(lambda _view: None)
    assert state.view.state is HopState.DISCONNECTED
    state.connected()
    assert state.view.state is HopState.IDLE


@pytest.mark.parametrize("end", ["fault", "estop"])
def test_a_latched_state_ends_idle_and_disarmed(end):
    state = armed_state()
    getattr(state, end)("why")
    state.connected()
    state.following()
    assert not state.begin_arming("b")
    assert state.view.reason == "why"
    state.clear_estop()
    state.recovered()
    assert state.view.state is HopState.IDLE
    assert state.view.arming_id == ""


def test_an_estop_outranks_a_fault_and_recover_does_not_release_it():
    state = armed_state()
    state.fault("f")
    state.estop("e")
    state.recovered()
    assert state.view.state is HopState.ESTOP


def test_clearing_an_estop_leaves_the_fault_before_it_to_recover():
    state = armed_state()
    state.fault("too hot")
    state.estop("pressed")
    state.clear_estop()
    assert (state.view.state, state.view.reason) == (HopState.FAULT, "too hot")
    assert not state.begin_arming("b")
    state.recovered()
    state.estop("pressed again")
    state.clear_estop()
    assert state.view.state is HopState.IDLE


def test_losing_an_armed_device_is_a_fault_that_its_return_does_not_clear():
    state = armed_state()
    state.disconnected("cable")
    state.connected()
    assert state.view.state is HopState.FAULT
    assert state.view.reason == "cable"


def test_an_arming_that_was_stopped_meanwhile_does_not_arm():
    state = DriverState(lambda _view: None)
    state.connected()
    state.begin_arming("a")
    state.estop("e")
    assert not state.armed("a")
    state.clear_estop()
    assert not state.armed("a")


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: motion needs ARMING with its own id right before."""

    def __init__(self):
        super().__init__()
        self.views = []
        self.state = DriverState(self.views.append)

    @rule(name=st.sampled_from(["connected", "following", "disarm", "clear_estop", "recovered"]))
    def plain(self, name):
        getattr(self.state, name)()

    @rule(name=st.sampled_from(["disconnected", "hold", "fault", "estop", "note"]))
    def with_reason(self, name):
        getattr(self.state, name)("r")

    @rule(name=st.sampled_from(["begin_arming", "armed"]), arming_id=st.sampled_from("ab"))
    def with_id(self, name, arming_id):
        getattr(self.state, name)(arming_id)

    @invariant()
    def motion_comes_only_from_arming(self):
        for before, after in zip(self.views, self.views[1:], strict=False):
            if after.state.may_move and not before.state.may_move:
                assert before.state is HopState.ARMING
                assert before.arming_id == after.arming_id

    @invariant()
    def only_an_arming_carries_an_id(self):
        view = self.state.view
        assert bool(view.arming_id) == (view.state.may_move or view.state is HopState.ARMING)


AnyOrder.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_order = AnyOrder.TestCase
