"""The twin's camera behaves as `pyzed.sl` does: names, blocking grab, depth codes, unplugging."""

from __future__ import annotations

import inspect
import os
import threading
import time

import numpy as np
import pytest

from hop_core.errors import TwinError
from hop_sim import sl
from hop_sim.twin_client import TwinClient

ADDRESS, ABSENT = (f"{os.environ['HOP_TEST_NET']}.{host}" for host in (3, 99))


def _parameters() -> sl.InitParameters:
    parameters = sl.InitParameters()
    parameters.camera_resolution = sl.RESOLUTION.HD720
    parameters.coordinate_units = sl.UNIT.METER
    parameters.set_from_stream(ADDRESS, 29600)
    return parameters


@pytest.fixture
def camera(running_twin):
    opened = sl.Camera()
    assert opened.open(_parameters()) == sl.ERROR_CODE.SUCCESS
    yield opened
    opened.close()


@pytest.fixture
def twin(running_twin):
    with TwinClient(ADDRESS, 29600) as client:
        yield client
        client.clear()


def _depth(camera: sl.Camera) -> np.ndarray:
    mat = sl.Mat()
    assert camera.grab(sl.RuntimeParameters()) == sl.ERROR_CODE.SUCCESS
    size = sl.Resolution(320, 180)
    assert camera.retrieve_measure(mat, sl.MEASURE.DEPTH, sl.MEM.CPU, size) == sl.ERROR_CODE.SUCCESS
    return mat.get_data(deep_copy=True)


def _grab_until(camera: sl.Camera, code: sl.ERROR_CODE) -> None:
    """Grab until `code` is returned: the twin says what has happened with its next set."""
    deadline = time.monotonic() + 20.0
    while camera.grab() != code:
        assert time.monotonic() < deadline, f"no {code}"


def test_a_renderer_that_fails_is_a_code_and_no_exception(camera, monkeypatch):
    def fail(*_args):
        raise TwinError("the renderer gave no image")

    assert camera.grab() == sl.ERROR_CODE.SUCCESS
    monkeypatch.setattr(sl.Camera, "_renderer", fail)
    size = sl.Resolution(320, 180)
    measured = camera.retrieve_measure(sl.Mat(), sl.MEASURE.DEPTH, sl.MEM.CPU, size)
    seen = camera.retrieve_image(sl.Mat(), sl.VIEW.LEFT, sl.MEM.CPU, size)
    assert (measured, seen) == (sl.ERROR_CODE.FAILURE, sl.ERROR_CODE.FAILURE)


def test_signatures_are_those_of_the_sdk():
    expected = {
        "open": ["py_init"],
        "grab": ["py_runtime"],
        "retrieve_measure": ["py_mat", "measure", "type", "resolution"],
        "retrieve_image": ["py_mat", "view", "type", "resolution"],
        "get_timestamp": ["time_reference"],
        "get_camera_information": ["resizer"],
        "get_current_fps": [],
        "get_frame_dropped_count": [],
        "is_opened": [],
        "close": [],
    }
    for name, names in expected.items():
        parameters = list(inspect.signature(getattr(sl.Camera, name)).parameters)
        assert parameters == ["self", *names]
    assert (
        sl.InitParameters().coordinate_units == sl.UNIT.MILLIMETER
    )  # the SDK's default, a known trap
    assert sl.InitParameters().depth_mode == sl.DEPTH_MODE.NEURAL


def test_grab_blocks_to_30_hz_with_growing_stamps_and_metric_depth(camera):
    _depth(camera)
    stamps, begin = [], time.monotonic()
    for _ in range(12):
        depth = _depth(camera)
        stamps.append(camera.get_timestamp(sl.TIME_REFERENCE.IMAGE).get_nanoseconds())
    assert time.monotonic() - begin > 9 / 30
    assert np.all(np.diff(stamps) > 0)
    assert 0 <= time.time_ns() - stamps[-1] < 1e10  # of the clock, not since some start
    assert depth.shape == (180, 320)
    assert depth.dtype == np.float32
    assert 0.3 < np.median(depth[np.isfinite(depth)]) < 2.0
    assert np.isnan(depth).any()


def test_calibration_is_the_zed_2_lens_at_the_size_asked_for(camera):
    information = camera.get_camera_information(sl.Resolution(320, 180))
    configuration = information.camera_configuration
    left = configuration.calibration_parameters.left_cam
    assert left.fx == pytest.approx(132.0)
    assert (left.cx, left.cy) == (159.5, 89.5)
    assert configuration.calibration_parameters.get_camera_baseline() == pytest.approx(0.12)
    native = camera.get_camera_information().camera_configuration
    assert (native.resolution.width, native.resolution.height) == (1280, 720)
    assert native.calibration_parameters.left_cam.fx == pytest.approx(528.0)


def test_sixteen_bit_depth_is_millimetres_with_zero_for_unknown(camera):
    mat = sl.Mat()
    camera.grab()
    camera.retrieve_measure(mat, sl.MEASURE.DEPTH_U16_MM, sl.MEM.CPU, sl.Resolution(320, 180))
    data = mat.get_data()
    assert data.dtype == np.uint16
    assert (data == 0).any()
    assert 300 < np.median(data[data > 0]) < 2000


def test_unplugged_camera_is_not_detected_and_comes_back(camera, twin):
    _depth(camera)
    twin.inject("camera_unplug")
    _grab_until(camera, sl.ERROR_CODE.CAMERA_NOT_DETECTED)
    other = sl.Camera()
    assert other.open(_parameters()) == sl.ERROR_CODE.CAMERA_NOT_DETECTED
    twin.clear()
    _grab_until(camera, sl.ERROR_CODE.SUCCESS)


def test_without_a_twin_no_camera_is_detected_and_an_unopened_one_does_not_grab():
    parameters = sl.InitParameters()
    parameters.set_from_stream(ABSENT, 29600)
    camera = sl.Camera()
    assert camera.open(parameters) == sl.ERROR_CODE.CAMERA_NOT_DETECTED
    assert camera.grab() == sl.ERROR_CODE.CAMERA_NOT_INITIALIZED


def test_grab_from_another_thread_than_the_opening_one_is_refused(camera):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(camera.grab()))
    thread.start()
    thread.join()
    assert codes == [sl.ERROR_CODE.INVALID_FUNCTION_CALL]


def test_left_image_is_bgra(camera):
    mat = sl.Mat()
    camera.grab()
    assert (
        camera.retrieve_image(mat, sl.VIEW.LEFT, sl.MEM.CPU, sl.Resolution(160, 90))
        == sl.ERROR_CODE.SUCCESS
    )
    assert mat.get_data().shape == (90, 160, 4)
    assert mat.get_data()[..., :3].std() > 5
