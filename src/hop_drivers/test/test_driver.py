"""What both drivers share, on a device that does as it is told: latches, arming ids, threads."""

import threading
import time
from functools import partial

import pytest

from hop_core.clock import ClockOffset
from hop_core.embodiment import ARM, load_embodiment
from hop_core.errors import DeviceError
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_drivers import driver as driver_module
from hop_drivers.driver import CLEAR_KEY, Driver
from hop_drivers.follower import device_follower

SAFETY = load_safety()


class MovableClock(ClockOffset):
    """The system's clock, which somebody has set by `set_ns`; counts how often it was looked at."""

    def __init__(self):
        self.set_ns = self.checks = 0
        super().__init__(lambda: time.time_ns() + self.set_ns)

    def check(self):
        self.checks += 1
        return super().check()


class FakeAdapter:
    """A connection that can be made while its driver's `answers`."""

    def __init__(self, driver):
        self.driver = driver

    def open(self):
        if not self.driver.answers:
            raise DeviceError("nobody answers")

    def close(self):
        pass


class FakeDriver(Driver[FakeAdapter]):
    """A driver whose device answers at once; `stop_errors` are raised by the next stops.

    `stops` are the adapters that were stopped.
    """

    running = True
    last_resort = "press the red button"

    def __init__(self):
        self.clock = MovableClock()
        follower = device_follower(load_embodiment(), SAFETY, ARM)
        make = partial(FakeAdapter, self)
        super().__init__("fake", make, SAFETY, follower, self.clock, lambda _view: None)
        self.answers = True
        self.halts = True
        self.enables = threading.Event()
        self.enables.set()
        self.stop_errors = []
        self.stops = []

    def diagnostics(self):
        return {}

    def _stop(self, adapter):
        self.stops.append(adapter)
        if self.stop_errors:
            raise self.stop_errors.pop()
        self.state.note("confirmed")

    def _enable(self):
        self.enables.wait(60.0)

    def _nothing(self):
        pass

    _clear = _opened = _nothing

    def _disable(self):
        if not self.halts:
            raise DeviceError("it does not halt")

    def arm(self, arming_id="a"):
        self.request_arm()
        self.say(HopState.ARMING, arming_id=arming_id)

    def lose(self):
        """The cable is pulled."""
        self.answers = False
        adapter = self.link.adapter
        self._lose(adapter, "silent")
        return adapter

    def say(self, state, arming_id="", clear_id=""):
        extra = {CLEAR_KEY: clear_id}
        self.on_supervisor(StateReport("supervisor", state, arming_id=arming_id, extra=extra))


@pytest.fixture
def driver(wait_for, monkeypatch):
    monkeypatch.setattr(driver_module, "_RECONNECT_S", 0.05)
    made = FakeDriver()
    made.start()
    try:
        wait_for(lambda: made.state.view.state is HopState.IDLE, 20.0, "IDLE")
        yield made
    finally:
        made.enables.set()
        made.close()


def test_a_supervisor_that_was_started_anew_releases_no_estop(driver):
    driver.say(HopState.IDLE, clear_id="first")
    driver.request_estop("pressed")
    driver.say(HopState.DISCONNECTED, clear_id="")
    assert driver.state.view.state is HopState.ESTOP
    driver.say(HopState.ESTOP, clear_id="")
    assert driver.state.view.state is HopState.ESTOP
    driver.say(HopState.IDLE, clear_id="second")
    assert driver.state.view.state is HopState.IDLE


def test_an_arming_that_has_failed_cannot_be_taken_up_later(driver):
    driver.say(HopState.ARMING, arming_id="a")
    driver.say(HopState.FAULT)
    driver.request_arm()
    assert driver.state.view.state is HopState.IDLE
    driver.say(HopState.ARMING, arming_id="b")
    assert driver.state.view.arming_id == "b"


def test_a_stop_that_fails_in_an_unknown_way_says_so_and_the_next_one_works(driver, wait_for):
    driver.stop_errors = [ValueError("from the vendor's SDK")]
    driver.request_estop("pressed")
    wait_for(lambda: "not confirmed" in driver.state.view.reason, 20.0, "the reason")
    assert "from the vendor's SDK" in driver.state.view.reason
    wait_for(lambda: driver.state.view.reason == "pressed (confirmed)", 20.0, "a second stop")
    assert len(driver.stops) == 2
    assert driver.workers_alive


def test_an_estop_while_nothing_is_connected_says_so_and_stops_the_device_when_it_is_back(
    driver, wait_for
):
    driver.lose()
    wait_for(lambda: driver.link._lost is None, 20.0, "the first try to connect")
    driver.request_estop("pressed")
    wait_for(lambda: "press the red button" in driver.state.view.reason, 20.0, "the reason")
    assert driver.state.view.reason.startswith("pressed (")
    assert not driver.stops
    driver.answers = True
    wait_for(lambda: driver.stops == [driver.link.adapter], 20.0, "the stop")
    wait_for(lambda: driver.state.view.reason == "pressed (confirmed)", 20.0, "the confirmation")
    assert driver.state.view.state is HopState.ESTOP


def test_a_link_that_is_lost_while_armed_is_used_for_a_last_stop(driver, wait_for):
    driver.arm()
    wait_for(lambda: driver.state.may_move, 20.0, "ARMED")
    lost = driver.lose()
    wait_for(lambda: driver.stops == [lost], 20.0, "the stop")
    assert driver.state.view.state is HopState.FAULT
    driver.answers = True
    wait_for(lambda: driver.stops[1:] == [driver.link.adapter], 20.0, "a stop of the new link")
    assert driver.state.view.state is HopState.FAULT


def test_a_device_that_does_not_halt_is_stopped(driver, wait_for):
    driver.halts = False
    driver.arm()
    wait_for(lambda: driver.state.may_move, 20.0, "ARMED")
    driver.request_disarm()
    wait_for(lambda: driver.state.view.state is HopState.FAULT, 20.0, "FAULT")
    wait_for(lambda: driver.stops, 20.0, "the stop")
    wait_for(lambda: "it does not halt (confirmed)" in driver.state.view.reason, 20.0, "the reason")


def test_a_device_that_was_lost_with_a_stop_owed_may_not_be_at_rest(driver, wait_for):
    driver.arm()
    wait_for(lambda: driver.state.may_move, 20.0, "ARMED")
    driver.stop_errors = [DeviceError("it does not answer")] * 1000
    driver.lose()
    wait_for(lambda: driver.stops and driver.link._lost is None, 20.0, "a try to connect")
    driver.close()
    assert not driver._rests


def test_a_stop_that_is_owed_outlives_the_latch(driver, wait_for):
    """The e-stop is cleared before the device, which never heard of it, is back."""
    driver.lose()
    wait_for(lambda: driver.link._lost is None, 20.0, "the first try to connect")
    driver.request_estop("pressed")
    wait_for(lambda: "not connected" in driver.state.view.reason, 20.0, "the reason")
    driver.say(HopState.IDLE, clear_id="first")
    driver.say(HopState.IDLE, clear_id="second")
    assert driver.state.view.state is HopState.DISCONNECTED
    driver.stops.clear()
    driver.answers = True
    wait_for(lambda: driver.stops, 20.0, "the stop")
    assert driver.stops == [driver.link.adapter]
    assert driver.state.view.state is HopState.IDLE


def looked_at(clock, wait_for):
    """Wait until the clock has been looked at twice more: once from now on, for sure."""
    before = clock.checks
    wait_for(lambda: clock.checks >= before + 2, 20.0, "a look at the clock")


def test_a_clock_that_was_set_before_arming_is_no_fault(driver, wait_for):
    driver.clock.set_ns = 10**9
    driver.arm()
    wait_for(lambda: driver.state.may_move, 20.0, "ARMED")
    looked_at(driver.clock, wait_for)
    assert driver.state.may_move


def test_a_clock_that_is_set_while_armed_is_a_fault_and_a_stop(driver, wait_for):
    driver.arm()
    wait_for(lambda: driver.state.may_move, 20.0, "ARMED")
    driver.clock.set_ns = 10**9
    wait_for(lambda: driver.state.view.state is HopState.FAULT, 20.0, "FAULT")
    assert "clock was set" in driver.state.view.reason
    wait_for(lambda: driver.stops, 20.0, "the stop")


def test_a_stop_waits_for_no_arming(driver, wait_for):
    driver.enables.clear()  # the device takes its time
    driver.arm()
    wait_for(lambda: driver.state.view.state is HopState.ARMING, 20.0, "ARMING")
    driver.request_estop("pressed")
    wait_for(lambda: driver.stops, 20.0, "the stop")
    assert driver.state.view.state is HopState.ESTOP
    driver.enables.set()
    looked_at(driver.clock, wait_for)  # the worker is past the arming
    assert driver.state.view.state is HopState.ESTOP


def test_news_of_a_latched_state_take_each_others_place(driver, wait_for):
    for _ in range(3):
        driver.request_estop("pressed")
        wait_for(lambda: not driver._stop_wanted.is_set(), 20.0, "the stop")
    wait_for(lambda: driver.state.view.reason == "pressed (confirmed)", 20.0, "the confirmation")


def test_a_dead_worker_does_not_pass_for_a_live_one(driver, wait_for, monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    monkeypatch.setattr(driver, "_clear", lambda: 1 / 0)
    driver.request_recover()
    wait_for(lambda: not driver.workers_alive, 20.0, "the worker's end")
