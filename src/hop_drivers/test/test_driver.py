"""What both drivers share, on a device that does as it is told: latches, arming ids, threads."""

import pytest

from hop_core.clock import ClockOffset
from hop_core.embodiment import ARM, load_embodiment
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_drivers.driver import CLEAR_KEY, Driver
from hop_drivers.follower import device_follower

SAFETY = load_safety()


class FakeDriver(Driver):
    """A driver whose device answers at once; `stop_errors` are raised by the next stops."""

    running = True

    def __init__(self):
        clock = ClockOffset()
        follower = device_follower(load_embodiment(), SAFETY, ARM)
        super().__init__("fake", SAFETY, follower, clock, lambda _view: None)
        self.stop_errors = []
        self.stops = 0

    def diagnostics(self):
        return {}

    def _connect(self):
        self._device = True

    def _connected(self):
        return getattr(self, "_device", False)

    def _stop(self):
        self.stops += 1
        if self.stop_errors:
            raise self.stop_errors.pop()

    def _nothing(self):
        pass

    _enable = _disable = _clear = _release = _nothing

    def say(self, state, arming_id="", clear_id=""):
        extra = {CLEAR_KEY: clear_id}
        self.on_supervisor(StateReport("supervisor", state, arming_id=arming_id, extra=extra))


@pytest.fixture
def driver(wait_for):
    made = FakeDriver()
    made.start()
    wait_for(lambda: made.state.view.state is HopState.IDLE, 2.0, "IDLE")
    yield made
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
    wait_for(lambda: "not confirmed" in driver.state.view.reason, 2.0, "the reason")
    assert "from the vendor's SDK" in driver.state.view.reason
    driver.request_estop("pressed again")
    wait_for(lambda: driver.stops == 2, 2.0, "a second stop")
    assert driver.workers_alive


def test_a_dead_worker_does_not_pass_for_a_live_one(driver, wait_for, monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    driver._jobs.put(lambda: 1 / 0)
    wait_for(lambda: not driver.workers_alive, 2.0, "the worker's end")
