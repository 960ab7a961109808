"""MuJoCo's renderer on off-screen OpenGL contexts, several of which may live in one process."""

from __future__ import annotations

import importlib
import os
import threading
import weakref
from typing import Any

import mujoco
import numpy as np

from hop_core.errors import TwinError

# Software rendering in the thread that asks for it: threads beside it cost the control loops, gain
# nothing at these sizes, and handing over to a single one costs a tenth of a frame.
os.environ.setdefault("LP_NUM_THREADS", "0")

_BACKENDS = {"egl": "mujoco.egl", "osmesa": "mujoco.osmesa"}
_current = threading.local()
_abandoned: list[tuple[Any, mujoco.MjrContext]] = []


class Offscreen:
    """A renderer's buffers on a context of their own, for the thread that made them.

    OpenGL names buffers by numbers that are unique in their context alone, and MuJoCo frees those
    of whatever context is current. So the context of a renderer that nobody holds any more is made
    current to free them, and then the one before again: else a renderer beside it would lose its
    buffers, and show its last image for ever.
    """

    def __init__(self, model: mujoco.MjModel, width: int, height: int) -> None:
        """Open a context; the model's off-screen buffer must have this size [px].

        Raises:
            TwinError: no off-screen OpenGL on this machine.
        """
        self._context = _open_context(width, height)
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._mjr = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._mjr)
        self._mjr.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._probe, self._corner = np.empty((1, 1), np.float32), mujoco.MjrRect(0, 0, 1, 1)
        mine = threading.get_ident()
        self._finalizer = weakref.finalize(self, _free, self._context, self._mjr, mine)
        self._finalizer.atexit = False

    def depth(self, scene: mujoco.MjvScene, out: np.ndarray) -> None:
        """Render `scene` and read its depth into `out` (H, W) float32, the lowest row first.

        1 is the near plane, 0 the far one.

        Raises:
            TwinError: the renderer gave no image.
        """
        self._draw(scene)
        mujoco.mjr_readPixels(None, out, self._rect, self._mjr)

    def color(self, scene: mujoco.MjvScene) -> np.ndarray:
        """Render `scene` and return its image (H, W, 3) uint8, RGB, the lowest row first.

        Raises:
            TwinError: the renderer gave no image.
        """
        self._draw(scene)
        pixels = np.empty((self._rect.height, self._rect.width, 3), dtype=np.uint8)
        mujoco.mjr_readPixels(pixels, None, self._rect, self._mjr)
        return pixels

    def close(self) -> None:
        """Free context and buffers, on the thread that made them."""
        self._finalizer()

    def _draw(self, scene: mujoco.MjvScene) -> None:
        _make_current(self._context)
        mujoco.mjr_render(self._rect, scene, self._mjr)
        self._probe[:] = np.nan  # MuJoCo reads nothing from a buffer that is gone, and says nothing
        mujoco.mjr_readPixels(None, self._probe, self._corner, self._mjr)
        if np.isnan(self._probe[0, 0]):
            raise TwinError("the renderer gave no image; its OpenGL buffers are lost: start again")


def _open_context(width: int, height: int) -> Any:
    """Return a current off-screen OpenGL context; EGL unless MUJOCO_GL says osmesa.

    MuJoCo's own Renderer reads MUJOCO_GL once, when `mujoco` is first imported, and then opens
    windows by default.
    """
    name = os.environ.get("MUJOCO_GL") or "egl"
    if name not in _BACKENDS:
        raise TwinError(
            f"MUJOCO_GL={name} cannot render off-screen; set it to {' or '.join(_BACKENDS)}"
        )
    try:
        context = importlib.import_module(_BACKENDS[name]).GLContext(width, height)
        _make_current(context)
    except (AttributeError, ImportError, OSError, RuntimeError) as error:
        raise TwinError(
            f"cannot render off-screen with MUJOCO_GL={name}: {error}; install libegl1 and "
            "libegl-mesa0, or libosmesa6 and set MUJOCO_GL=osmesa"
        ) from error
    return context


def _make_current(context: Any) -> None:
    context.make_current()
    _current.context = context


def _free(context: Any, mjr: mujoco.MjrContext, thread: int) -> None:
    """Free a renderer's buffers in their own context; the one that is current stays so."""
    if thread != threading.get_ident():  # a context is its thread's: it is kept, not freed here
        _abandoned.append((context, mjr))
        return
    before = getattr(_current, "context", None)
    _make_current(context)
    mjr.free()
    context.free()
    _current.context = None
    if before is not None and before is not context:
        _make_current(before)
