"""The twin's state as a memory-mapped file: one writer (the twin), any number of readers.

A sequence lock keeps readers consistent without ever making the writer wait: the counter is odd
while a write is under way. The compiled model lies beside the file, so that a reader renders
exactly what the twin simulates. Why a mapped file and not `multiprocessing.shared_memory`: on
Python 3.11 a reader's exit unlinks the owner's segment.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import mujoco
import numpy as np

from hop_core.errors import TwinError

_MAGIC = b"HOPTWIN1"
_HEADER = np.dtype(
    [("magic", "S8"), ("model_hash", "S16"), ("nq", "<i8"), ("pid", "<i8"), ("sequence", "<u8")]
)
_SEQUENCE_AT = _HEADER.itemsize - 8
_PREFIX = "hop_twin_"
_READ_PATIENCE_S = 0.05
_PAUSE_S = 20e-6


@dataclass(frozen=True, slots=True)
class TwinState:
    """One consistent snapshot.

    Attributes:
        stamp_ns: wall clock (ROS time) of the snapshot.
        monotonic_ns: the same moment on the monotonic clock.
        time_s: simulated time.
        episode: counts resets.
        seed: of the last reset; the camera's noise follows it.
        noise_scale: 1 is the stereo noise of a ZED-2.
        camera_connected: False while the camera is unplugged.
        T_base_cam: (4, 4) true pose of the optical frame, with this episode's jitter.
        qpos: (nq,) of the whole model.
    """

    stamp_ns: int
    monotonic_ns: int
    time_s: float
    episode: int
    seed: int
    noise_scale: float
    camera_connected: bool
    T_base_cam: np.ndarray
    qpos: np.ndarray


_SCALARS = {
    "stamp_ns": "<i8",
    "monotonic_ns": "<i8",
    "time_s": "<f8",
    "episode": "<i8",
    "seed": "<i8",
    "noise_scale": "<f8",
    "camera_connected": "<i8",
}


def _layout(nq: int) -> np.dtype:
    arrays = [("T_base_cam", "<f8", (4, 4)), ("qpos", "<f8", (nq,))]
    return np.dtype([*_SCALARS.items(), *arrays])


def state_path(address: str, port: int) -> Path:
    """Return where the twin at `address` with control channel `port` keeps its state."""
    return Path(tempfile.gettempdir()) / f"{_PREFIX}{address}_{port}.state"


def model_path(path: Path) -> Path:
    """Return where the compiled model of the state file `path` lies."""
    return path.with_suffix(".mjb")


def model_hash(model: mujoco.MjModel) -> str:
    """Return 16 hex digits that identify the compiled model."""
    buffer = np.empty(mujoco.mj_sizeModel(model), dtype=np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return hashlib.sha256(buffer.tobytes()).hexdigest()[:16]


def _remove_orphans(folder: Path) -> None:
    """Remove the files of twins that were killed and could not do so themselves."""
    for path in folder.glob(f"{_PREFIX}*.state"):
        with contextlib.suppress(OSError, ValueError, IndexError):  # another twin removed it first
            if not Path(f"/proc/{StateReader.owner(path)}").exists():
                path.unlink()
                model_path(path).unlink()


class StateWriter:
    """Creates the file, writes it, and removes it at `close`."""

    def __init__(self, path: Path, model: mujoco.MjModel) -> None:
        """Create the file and the model beside it; both appear complete or not at all.

        Raises:
            TwinError: the folder cannot be written.
        """
        self.path = path
        _remove_orphans(path.parent)
        self.model_hash = model_hash(model)
        header = np.zeros(1, _HEADER)
        header["magic"], header["model_hash"] = _MAGIC, self.model_hash.encode()
        header["nq"], header["pid"] = model.nq, os.getpid()
        layout = _layout(model.nq)
        try:
            beside = model_path(path).with_suffix(f".{os.getpid()}.tmp")
            mujoco.mj_saveModel(model, str(beside), None)
            beside.replace(model_path(path))
            beside.write_bytes(header.tobytes() + bytes(layout.itemsize))
            beside.replace(path)
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
        except (OSError, mujoco.FatalError) as error:
            raise TwinError(
                f"cannot create the twin's state file {path}: {error}; make the folder writable"
            ) from error
        self._sequence = np.frombuffer(self._map, "<u8", 1, _SEQUENCE_AT)
        self._record = np.frombuffer(self._map, layout, 1, _HEADER.itemsize)
        self._fields = [(name, self._record[name]) for name in layout.names or ()]

    def write(self, state: TwinState) -> None:
        """Publish a snapshot; about 5 microseconds."""
        self._sequence[0] += 1
        for name, field in self._fields:
            field[0] = getattr(state, name)
        self._sequence[0] += 1

    def close(self) -> None:
        """Remove both files; a file that a newer twin has put in their place stays."""
        self._fields.clear()
        del self._record, self._sequence
        self._map.close()
        with contextlib.suppress(OSError):  # already gone
            if StateReader.owner(self.path) == os.getpid():
                self.path.unlink()
                model_path(self.path).unlink()


class StateReader:
    """Maps the file of a running twin.

    Attributes:
        model_hash: of the twin's model.
    """

    def __init__(self, path: Path) -> None:
        """Map `path`.

        Raises:
            TwinError: there is no such file, or it is not a twin's state.
        """
        self.path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise TwinError(
                f"no twin state at {path}; start the twin (hop twin run) first"
            ) from error
        header = (
            np.frombuffer(self._map, _HEADER, 1)[0] if len(self._map) >= _HEADER.itemsize else None
        )
        if header is None or header["magic"] != _MAGIC:
            raise TwinError(f"{path} is not the state of a twin of this version; restart the twin")
        self.model_hash = header["model_hash"].decode()
        self._layout = _layout(int(header["nq"]))
        self._counter = np.frombuffer(self._map, "<u8", 1, _SEQUENCE_AT)
        self._begin, self._end = _HEADER.itemsize, _HEADER.itemsize + self._layout.itemsize
        if len(self._map) < self._end:
            raise TwinError(f"{path} is cut short; restart the twin")

    @staticmethod
    def owner(path: Path) -> int:
        """Return the process id of the twin that wrote `path`.

        Raises:
            OSError: there is no such file.
        """
        header = np.frombuffer(path.read_bytes()[: _HEADER.itemsize], _HEADER, 1)[0]
        return int(header["pid"])

    def model(self) -> mujoco.MjModel:
        """Return the twin's compiled model.

        Raises:
            TwinError: the model beside the file is missing or another one.
        """
        path = model_path(self.path)
        try:
            model = mujoco.MjModel.from_binary_path(str(path))
        except (OSError, ValueError) as error:
            raise TwinError(
                f"cannot load the twin's model {path}: {error}; restart the twin"
            ) from error
        if model_hash(model) != self.model_hash:
            raise TwinError(
                f"the model {path} is not the one that the twin simulates; restart the twin"
            )
        return model

    def read(self) -> TwinState:
        """Return the newest complete snapshot.

        Raises:
            TwinError: no write completed within 50 ms: the twin died while writing.
        """
        give_up = time.monotonic() + _READ_PATIENCE_S
        while True:
            before = int(self._counter[0])
            if before and not before & 1:
                data = self._map[self._begin : self._end]
                if int(self._counter[0]) == before:
                    return self._decode(data)
            if time.monotonic() > give_up:
                raise TwinError(f"the twin's state {self.path} is never complete; restart the twin")
            time.sleep(_PAUSE_S)

    def _decode(self, data: bytes) -> TwinState:
        record = np.frombuffer(data, self._layout, 1)[0]
        values = {name: record[name].item() for name in _SCALARS}
        values["camera_connected"] = bool(values["camera_connected"])
        return TwinState(**values, T_base_cam=record["T_base_cam"], qpos=record["qpos"])

    def close(self) -> None:
        """Unmap the file."""
        del self._counter
        self._map.close()
