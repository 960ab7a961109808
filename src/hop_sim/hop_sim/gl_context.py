"""Off-screen OpenGL contexts for MuJoCo's renderer."""

from __future__ import annotations

import importlib
import os
from typing import Any

from hop_core.errors import TwinError

# Software rendering: one core a renderer, since more cost the control loops and gain nothing at
# these sizes.
os.environ.setdefault("LP_NUM_THREADS", "1")

_BACKENDS = {"egl": "mujoco.egl", "osmesa": "mujoco.osmesa"}


def open_context(width: int, height: int) -> Any:
    """Return a current off-screen OpenGL context; EGL unless MUJOCO_GL says osmesa.

    MuJoCo's own Renderer reads MUJOCO_GL once, when `mujoco` is first imported, and then opens
    windows by default.

    Raises:
        TwinError: no off-screen OpenGL on this machine.
    """
    name = os.environ.get("MUJOCO_GL") or "egl"
    if name not in _BACKENDS:
        raise TwinError(
            f"MUJOCO_GL={name} cannot render off-screen; set it to {' or '.join(_BACKENDS)}"
        )
    try:
        context = importlib.import_module(_BACKENDS[name]).GLContext(width, height)
        context.make_current()
    except (AttributeError, ImportError, OSError, RuntimeError) as error:
        raise TwinError(
            f"cannot render off-screen with MUJOCO_GL={name}: {error}; install libegl1 and "
            "libegl-mesa0, or libosmesa6 and set MUJOCO_GL=osmesa"
        ) from error
    return context
