"""Reading pickled numbers without running anything that the file says.

An .npy file that holds Python objects is a pickle, and unpickling runs whatever the file names.
Here the few names that a pickled array needs lead to stand-ins of ours, which keep numbers and do
nothing else; any other name is refused before it is looked up. Not even NumPy's own functions are
called with what the file says.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from hop_core.errors import TrajectoryError

_NUMBER = re.compile(r"[fiu][248]|[iub]1")
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
# What the pickle module raises at the bytes of a damaged file.
_DAMAGED = (
    pickle.UnpicklingError, EOFError, ValueError, TypeError, AttributeError, LookupError,
    ImportError, MemoryError, OverflowError, RecursionError,
)  # fmt: skip


class _Refused(Exception):
    """The file holds what is not admitted; the message says what."""


class _Name:
    """What a name in a pickle leads to: a call into this module, and nothing to change."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any] | None) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        if self._make is None:
            raise _Refused("a call of numpy.ndarray")
        return self._make(*arguments)

    def __setstate__(self, state: object) -> None:
        raise _Refused("a changed function")


class _Kind:
    """The element type of a pickled array."""

    def __init__(self, code: object, *_flags: object) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "="):
            raise _Refused("a damaged element type")
        self.order = state[1]

    def numpy(self) -> np.dtype[Any]:
        """Return the type, if it is one of numbers."""
        if not isinstance(self.code, str) or not _NUMBER.fullmatch(self.code):
            raise _Refused(f"an array of {self.code!r}")
        return np.dtype(self.order + self.code)


class PickledArray:
    """An array as the pickle describes it: numbers, or a list of objects.

    Attributes:
        shape: of the array.
        values: its numbers; None if it holds objects.
        items: its objects; empty if it holds numbers.
    """

    def __init__(self, *_arguments: object) -> None:
        self.shape: tuple[int, ...] = (0,)
        self.values: np.ndarray | None = None
        self.items: list[Any] = []

    def __setstate__(self, state: object) -> None:
        """Take shape and content, if they fit each other."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise _Refused("a damaged array")
        _version, shape, kind, by_column, content = state
        if not isinstance(kind, _Kind) or not isinstance(shape, tuple):
            raise _Refused("a damaged array")
        if not all(type(n) is int and n >= 0 for n in shape):
            raise _Refused("a damaged array")
        self.shape = shape
        if isinstance(content, list) and kind.code in ("O8", "O"):
            self.items = content
        elif isinstance(content, bytes):
            try:
                flat = np.frombuffer(content, kind.numpy())
                self.values = flat.reshape(shape, order="F" if by_column else "C")
            except ValueError as error:
                raise _Refused("a damaged array") from error
        else:
            raise _Refused("a damaged array")


def _scalar(kind: object, content: object) -> float:
    """A NumPy scalar, as a float."""
    if not isinstance(kind, _Kind) or not isinstance(content, bytes):
        raise _Refused("a damaged number")
    values = np.frombuffer(content, kind.numpy())
    if len(values) != 1:
        raise _Refused("a damaged number")
    return float(values[0])


_ADMITTED = {
    ("numpy", "ndarray"): _Name(None),
    ("numpy", "dtype"): _Name(_Kind),
    **{
        (f"numpy.{core}.multiarray", name): _Name(make)
        for core in ("core", "_core")  # NumPy 1 and 2
        for name, make in (("_reconstruct", PickledArray), ("scalar", _scalar))
    },
}


class _Unpickler(pickle.Unpickler):
    """Looks no name up: admitted ones lead to stand-ins, others are refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name."""
        if (module, name) not in _ADMITTED:
            raise _Refused(f"{module}.{name}")
        return _ADMITTED[module, name]

    def persistent_load(self, pid: object) -> Any:
        """Refuse what lies outside the file."""
        raise _Refused("a reference to something outside the file")


def read_dictionary(path: Path) -> dict[Any, Any]:
    """Return the dictionary that an .npy file holds, made by `np.save(path, {...})`.

    Its values are dictionaries, lists, tuples, numbers, texts and `PickledArray`s.

    Raises:
        TrajectoryError: naming the file, if it cannot be read, is damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            return _dictionary(file)
    except _Refused as error:
        raise TrajectoryError(
            f"{path}: holds {error}, which is refused: only arrays, lists and dictionaries of "
            "numbers are read; do not load this file by other means unless you trust its source"
        ) from error
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be read: {error.strerror}") from error
    except _DAMAGED as error:
        raise TrajectoryError(
            f"{path}: is damaged or no .npy file ({error}); copy it again"
        ) from error


def _dictionary(file: BinaryIO) -> dict[Any, Any]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"version {version}")
    shape, _by_column, kind = _HEADERS[version](file)
    if not kind.hasobject or shape != ():
        raise ValueError(f"an array {shape} of {kind}, where a dictionary is expected")
    content = _Unpickler(file, encoding="ASCII").load()
    if not isinstance(content, PickledArray) or len(content.items) != 1:
        raise ValueError("no dictionary")
    (found,) = content.items
    if not isinstance(found, dict):
        raise ValueError(f"a {type(found).__name__}, where a dictionary is expected")
    return found
