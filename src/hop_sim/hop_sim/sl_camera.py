"""The camera of the `pyzed.sl` stand-in: it renders what the running twin simulates.

It finds its twin through `InitParameters.set_from_stream(address, control_port)`, else at the
default address. `grab` waits for the frame's deadline and takes the world's newest state; the
retrieve calls render it at the size asked for, on the thread that opened the camera.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import numpy as np

from hop_core.config import validate
from hop_core.errors import HopError
from hop_core.robot_config import CameraConfig
from hop_sim.camera import noise_rng
from hop_sim.depth_renderer import DepthRenderer
from hop_sim.shared_state import StateReader, TwinState
from hop_sim.sl_enums import ERROR_CODE, MEASURE, MEM, METRES, MODEL, SIZES, TIME_REFERENCE, VIEW
from hop_sim.sl_types import (
    CalibrationParameters,
    CameraConfiguration,
    CameraInformation,
    CameraParameters,
    DeviceProperties,
    InitParameters,
    Mat,
    Resolution,
    RuntimeParameters,
    Timestamp,
)
from hop_sim.stereo_noise import BASELINE_M, StereoLens, stereo_noise
from hop_sim.twin_client import TwinClient

SERIAL_NUMBER = 20_000_001
DEFAULT_TWIN = ("127.0.0.1", 29600)
_NS_PER_S = 1_000_000_000
_STALE_NS = _NS_PER_S // 2
_RETRY_S = 0.001
_U16_MAX_MM = 65000.0
_log = logging.getLogger(__name__)


def _is_stale(state: TwinState) -> bool:
    return time.monotonic_ns() - state.monotonic_ns > _STALE_NS


def _failed(error: HopError) -> ERROR_CODE:
    _log.error("%s", error)
    return ERROR_CODE.FAILURE


class Camera:
    """The twin's ZED-2."""

    def __init__(self) -> None:
        """Create a closed camera."""
        self._reader: StateReader | None = None
        self._renderers: dict[tuple[int, int], DepthRenderer] = {}
        self._thread = 0

    def open(self, py_init: InitParameters | None = None) -> ERROR_CODE:
        """Connect to the twin; CAMERA_NOT_DETECTED if there is none or it is unplugged."""
        self.close()
        self._init = py_init or InitParameters()
        address, port = self._init.stream or DEFAULT_TWIN
        try:
            with TwinClient(address, port) as client:
                hello = client.hello()
            self._config = validate(
                hello["camera"], CameraConfig, f"camera of the twin at {address}:{port}"
            )
            reader = StateReader(Path(hello["state_file"]))
            state = reader.read()
            self._model = reader.model()
        except HopError as error:
            _log.warning("%s", error)
            return ERROR_CODE.CAMERA_NOT_DETECTED
        if not state.camera_connected:
            reader.close()
            return ERROR_CODE.CAMERA_NOT_DETECTED
        self._reader, self._state = reader, state
        self._thread = threading.get_ident()
        self._episode = -1
        self._dropped = 0
        self._fps = self._init.camera_fps or self._config.fps
        self._period_ns = round(_NS_PER_S / self._fps)
        self._deadline_ns = time.monotonic_ns() + self._period_ns
        try:
            self._renderer(self._config.width, self._config.height)
        except HopError as error:
            _log.error("%s", error)
            self.close()
            return ERROR_CODE.NO_GPU_DETECTED
        return ERROR_CODE.SUCCESS

    def is_opened(self) -> bool:
        """Return whether `open` succeeded and `close` was not called."""
        return self._reader is not None

    def close(self) -> None:
        """Free everything."""
        for renderer in self._renderers.values():
            renderer.close()
        self._renderers.clear()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def grab(self, py_runtime: RuntimeParameters | None = None) -> ERROR_CODE:
        """Wait for the next frame's deadline and take the world's newest state."""
        if self._reader is None:
            return ERROR_CODE.CAMERA_NOT_INITIALIZED
        if threading.get_ident() != self._thread:
            _log.error(
                "the twin's camera renders on its opening thread: call open and grab on one thread"
            )
            return ERROR_CODE.INVALID_FUNCTION_CALL
        self._wait()
        try:
            state = self._newer_state(self._reader)
        except HopError as error:
            _log.warning("%s", error)
            return self._gone()
        if not state.camera_connected or _is_stale(state):
            return self._gone()
        self._state = state
        if state.episode != self._episode:
            self._episode = state.episode
            self._rng = noise_rng(state.seed)
        return ERROR_CODE.SUCCESS

    def _newer_state(self, reader: StateReader) -> TwinState:
        """Return a state that is not the last frame's: wait while the world is held up."""
        state = reader.read()
        while state.monotonic_ns <= self._state.monotonic_ns and not _is_stale(state):
            time.sleep(_RETRY_S)
            state = reader.read()
        return state

    def _gone(self) -> ERROR_CODE:
        recovering = self._init.async_grab_camera_recovery
        return ERROR_CODE.CAMERA_REBOOTING if recovering else ERROR_CODE.CAMERA_NOT_DETECTED

    def _wait(self) -> None:
        wait_ns = self._deadline_ns - time.monotonic_ns()
        if wait_ns > 0:
            time.sleep(wait_ns / _NS_PER_S)
        late_ns = max(0, time.monotonic_ns() - self._deadline_ns)
        skipped = late_ns // self._period_ns
        self._dropped += skipped
        self._deadline_ns += (1 + skipped) * self._period_ns

    def retrieve_measure(
        self,
        py_mat: Mat,
        measure: MEASURE = MEASURE.DEPTH,
        type: MEM = MEM.CPU,
        resolution: Resolution | None = None,
    ) -> ERROR_CODE:
        """Render depth of the grabbed frame into `py_mat`.

        DEPTH is float32 in the units of `InitParameters`: NaN unknown, -inf too near, +inf too far;
        DEPTH_U16_MM is uint16 [mm] with 0 for all of these.
        """
        if self._reader is None:
            return ERROR_CODE.CAMERA_NOT_INITIALIZED
        width, height = self._size(resolution)
        try:
            depth = self._measured(self._state, width, height)
        except HopError as error:
            return _failed(error)
        if measure == MEASURE.DEPTH_U16_MM:
            known = np.isfinite(depth)
            millimetres = np.where(known, np.clip(depth * 1000.0, 0.0, _U16_MAX_MM), 0.0)
            py_mat.fill(np.rint(millimetres).astype(np.uint16), Timestamp(self._state.stamp_ns))
        else:
            unit_m = METRES[self._init.coordinate_units]
            py_mat.fill(depth / np.float32(unit_m), Timestamp(self._state.stamp_ns))
        return ERROR_CODE.SUCCESS

    def _measured(self, state: TwinState, width: int, height: int) -> np.ndarray:
        true = self._renderer(width, height).render(state.qpos, state.T_base_cam)
        near, far = self._init.depth_minimum_distance, self._init.depth_maximum_distance
        unit_m = METRES[self._init.coordinate_units]
        lens = StereoLens(
            self._config.focal_per_width * width,
            near * unit_m if near > 0 else self._config.near_m,
            far * unit_m if far > 0 else self._config.far_m,
        )
        return stereo_noise(true, self._rng, lens, state.noise_scale)

    def retrieve_image(
        self,
        py_mat: Mat,
        view: VIEW = VIEW.LEFT,
        type: MEM = MEM.CPU,
        resolution: Resolution | None = None,
    ) -> ERROR_CODE:
        """Render the left image of the grabbed frame into `py_mat`, BGRA uint8."""
        if self._reader is None:
            return ERROR_CODE.CAMERA_NOT_INITIALIZED
        width, height = self._size(resolution)
        state = self._state
        try:
            rgb = self._renderer(width, height).render_color(state.qpos, state.T_base_cam)
        except HopError as error:
            return _failed(error)
        image = np.full((height, width, 4), 255, dtype=np.uint8)
        image[..., :3] = rgb[..., ::-1]
        py_mat.fill(image, Timestamp(self._state.stamp_ns))
        return ERROR_CODE.SUCCESS

    def _size(self, resolution: Resolution | None) -> tuple[int, int]:
        if resolution is None or resolution.area() == 0:
            return SIZES[self._init.camera_resolution]
        return resolution.width, resolution.height

    def _renderer(self, width: int, height: int) -> DepthRenderer:
        if (width, height) not in self._renderers:
            focal_px = self._config.focal_per_width * width
            self._renderers[width, height] = DepthRenderer(self._model, width, height, focal_px)
        return self._renderers[width, height]

    def get_timestamp(self, time_reference: TIME_REFERENCE) -> Timestamp:
        """Return when the grabbed frame's state was taken, or the present time."""
        return Timestamp(
            self._state.stamp_ns if time_reference == TIME_REFERENCE.IMAGE else time.time_ns()
        )

    def get_camera_information(self, resizer: Resolution | None = None) -> CameraInformation:
        """Return model and calibration, for images of size `resizer` (default: the native one)."""
        width, height = self._size(resizer)
        size, focal = Resolution(width, height), self._config.focal_per_width * width
        lens = CameraParameters(focal, focal, (width - 1) / 2, (height - 1) / 2, size)
        baseline = BASELINE_M / METRES[self._init.coordinate_units]
        calibration = CalibrationParameters(lens, lens, baseline)
        return CameraInformation(
            SERIAL_NUMBER, MODEL.ZED2, CameraConfiguration(size, self._fps, calibration)
        )

    def get_current_fps(self) -> float:
        """Return the rate of frames [Hz]."""
        return float(self._fps)

    def get_frame_dropped_count(self) -> int:
        """Return how many frames were skipped because `grab` came too late."""
        return self._dropped

    @staticmethod
    def get_device_list() -> list[DeviceProperties]:
        """Return the twin's camera."""
        return [DeviceProperties(SERIAL_NUMBER)]
