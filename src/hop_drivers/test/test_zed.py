"""The camera: clear sentences for what is missing, and a camera that comes and goes."""

import sys
import time
import types
from enum import IntEnum
from types import SimpleNamespace

import numpy as np
import pytest

from hop_core.errors import DeviceError
from hop_core.robot_config import load_robot
from hop_core.state import HopState
from hop_drivers.camera_loop import CameraDriver
from hop_drivers.zed import DepthFrame, Intrinsics, Zed, load_sl

LENS = Intrinsics(132.0, 132.0, 159.5, 89.5)


def test_the_unrelated_pyzed_is_recognised(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyzed", types.ModuleType("pyzed"))  # a module, no package
    with pytest.raises(DeviceError, match="unrelated package, not the ZED SDK"):
        load_sl("pyzed.sl")


def test_a_missing_sdk_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "pyzed", raising=False)
    with pytest.raises(DeviceError, match=r"get_python_api\.py"):
        load_sl("pyzed.sl")


class Status(IntEnum):
    """Codes of the SDK."""

    SENSOR_CONFIGURATION_CHANGED = -4
    CORRUPTED_FRAME = -3
    CAMERA_REBOOTING = -1
    SUCCESS = 0
    CAMERA_NOT_DETECTED = 3


@pytest.fixture
def opened():
    """An open camera of a fake SDK, and what its next calls of grab and retrieve answer."""
    zed, said, retrieved = Zed(load_robot("twin").camera), [], []
    zed._sl = SimpleNamespace(
        ERROR_CODE=Status,
        MEASURE=SimpleNamespace(DEPTH=0),
        MEM=SimpleNamespace(CPU=0),
        TIME_REFERENCE=SimpleNamespace(IMAGE=0),
    )
    stamp = SimpleNamespace(get_nanoseconds=lambda: 7)
    zed._camera = SimpleNamespace(
        grab=lambda _runtime: said.pop(0),
        retrieve_measure=lambda *_: retrieved.pop(0) if retrieved else Status.SUCCESS,
        get_timestamp=lambda _which: stamp,
    )
    zed._mat = SimpleNamespace(get_data=lambda: np.ones((2, 3), np.float32))
    zed._runtime = zed._size = None
    return zed, said, retrieved


def test_a_warning_of_the_sdk_is_no_error(opened, caplog):
    zed, said, _ = opened
    said += [Status.SENSOR_CONFIGURATION_CHANGED] * 2
    assert [zed.grab().stamp_ns for _ in range(2)] == [7, 7]
    assert len(caplog.records) == 1
    said.append(Status.CORRUPTED_FRAME)
    assert zed.grab() is None
    said.append(Status.CAMERA_NOT_DETECTED)
    with pytest.raises(DeviceError, match="check its USB cable"):
        zed.grab()


def test_depth_that_was_not_retrieved_is_not_that_of_before(opened):
    zed, said, retrieved = opened
    said += [Status.SUCCESS] * 2
    assert zed.grab() is not None
    retrieved.append(Status.CAMERA_NOT_DETECTED)
    with pytest.raises(DeviceError, match="gave no depth"):
        zed.grab()


def test_a_wrong_injected_module_is_named():
    with pytest.raises(DeviceError, match="no_such_module"):
        load_sl("no_such_module")
    with pytest.raises(DeviceError, match="has no Camera"):
        load_sl("json")


class Camera:
    """A camera that plays a script of frames and errors, then blocks or ends."""

    script = ()

    def __init__(self, _config):
        self.closed = False

    def open(self):
        return LENS

    def grab(self):
        if not Camera.script:
            time.sleep(0.02)
            return None
        step = Camera.script.pop(0)
        if isinstance(step, DeviceError):
            raise step
        return step

    def close(self):
        self.closed = True


def frame(stamp_ns):
    return DepthFrame(np.zeros((2, 3), np.uint16), stamp_ns)


@pytest.fixture
def play():
    drivers = []

    def begin(*script):
        Camera.script = list(script)
        frames, views = [], []
        driver = CameraDriver(
            load_robot("twin").camera, Camera, lambda f, _lens: frames.append(f), views.append
        )
        driver.start()
        drivers.append(driver)
        return driver, frames, views

    yield begin
    for driver in drivers:
        driver.close()


def test_frames_flow_and_an_old_one_is_never_repeated(play, wait_for):
    driver, frames, views = play(frame(10), frame(20), frame(20), frame(15), frame(30))
    wait_for(lambda: frames and frames[-1].stamp_ns == 30, 20.0, "the last frame")
    assert [f.stamp_ns for f in frames] == [10, 20, 30]
    assert driver.diagnostics()["repeated"] == 2
    assert views[-1].state is HopState.IDLE


def test_frames_flow_on_after_the_clock_was_set_back(play, wait_for):
    now_ns, hour_ns = time.time_ns(), 3_600_000_000_000
    _, frames, views = play(
        frame(now_ns + hour_ns), frame(now_ns), frame(now_ns), frame(now_ns + 1)
    )
    wait_for(lambda: len(frames) == 3, 20.0, "the frames of now")
    assert [f.stamp_ns - now_ns for f in frames] == [hour_ns, 0, 1]
    assert views[-1].state is HopState.IDLE


def test_a_camera_that_stops_is_a_fault_until_it_is_back(play, wait_for):
    _, frames, views = play(frame(10), DeviceError("the cable"), frame(20))
    wait_for(lambda: len(frames) == 2, 20.0, "the second frame")
    wait_for(lambda: views[-1].state is HopState.IDLE, 20.0, "the end of the fault")
    states = [view.state for view in views]
    assert states == [HopState.DISCONNECTED, HopState.IDLE, HopState.FAULT, HopState.IDLE]
    assert views[2].reason == "the cable"


def test_a_grab_that_never_returns_is_noticed(play, wait_for):
    driver, frames, views = play(frame(10))
    wait_for(lambda: frames, 20.0, "a frame")
    time.sleep(0.6)
    driver.check()
    assert views[-1].state is HopState.FAULT
    assert "no frame for" in views[-1].reason


def test_a_thread_that_ended_does_not_pass_for_a_camera(play, wait_for, monkeypatch):
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    monkeypatch.setattr(Camera, "grab", lambda _self: 1 / 0)
    driver, _, _ = play()
    wait_for(lambda: not driver.running, 20.0, "the thread's end")
