"""Checks that `hop doctor` plugs in: tasks, and off-screen OpenGL for the twin's camera."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable

import mujoco
import numpy as np

from hop_core.errors import ConfigError, TwinError
from hop_core.health import DoctorContext, Finding, Health
from hop_sim.depth_renderer import DepthRenderer
from hop_sim.tasks.registry import TASKS, load_task

_RENDER_S = 5.0
_WIDTH, _HEIGHT, _FOCAL = 320, 180, 132.0  # px, as of the twin's camera
_BALL_M, _RADIUS_M = 0.6, 0.1
_TOLERANCE_M = 1e-3
_SCENE = f"""
<mujoco>
  <worldbody><geom type="sphere" size="{_RADIUS_M}" pos="0 0 {_BALL_M}"/></worldbody>
</mujoco>"""
_INSTALL = "apt install libegl1 libegl-mesa0, or libosmesa6 and export MUJOCO_GL=osmesa"


def check(context: DoctorContext) -> Iterable[Finding]:
    """Return the findings about the tasks and about rendering, which only a twin needs."""
    yield from tasks(context)
    yield rendering(Health.WARN if context.real else Health.MISS)


def tasks(context: DoctorContext) -> list[Finding]:
    """Return for each task whether its configuration is valid."""
    if context.cell is None:
        return []
    findings = []
    for name in sorted(TASKS):
        file = f"tasks/{name}.yaml"
        try:
            task = load_task(name, context.cell.table, context.config_dir)
        except ConfigError as error:
            fix = "mend that file, or pass --config-dir"
            findings.append(Finding(file, Health.MISS, str(error), fix))
            continue
        findings.append(Finding(file, Health.OK, f"objects {', '.join(task.objects)}"))
    return findings


def rendering(bad: Health) -> Finding:
    """Return whether depth can be rendered without a display, tried in another process.

    A broken OpenGL driver hangs or takes its process along. `bad` is what a failure counts as.
    """
    name = "off-screen OpenGL"
    command = [sys.executable, "-m", "hop_sim.doctor"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_RENDER_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding(name, bad, f"no image within {_RENDER_S:g} s", _INSTALL)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode != 0 or not lines:
        last = lines[-1] if lines else f"the renderer died with code {done.returncode}"
        return Finding(name, bad, last, _INSTALL)
    image = json.loads(lines[-1])
    found = f"{image['width']}x{image['height']} depth in {image['ms']:.1f} ms"
    error_m = abs(image["center_m"] - (_BALL_M - _RADIUS_M))
    if error_m > _TOLERANCE_M:
        return Finding(name, bad, f"{found}, but wrong by {error_m:.3f} m", _INSTALL)
    return Finding(name, Health.OK, found)


def render() -> dict[str, float]:
    """Render a ball in front of a camera twice; return depth at its centre [m] and time [ms].

    Raises:
        TwinError: no off-screen OpenGL on this machine.
    """
    model = mujoco.MjModel.from_xml_string(_SCENE)
    renderer = DepthRenderer(model, _WIDTH, _HEIGHT, _FOCAL)
    renderer.render(np.zeros(model.nq), np.eye(4))
    start = time.perf_counter()
    depth_m = renderer.render(np.zeros(model.nq), np.eye(4))
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "ms": (time.perf_counter() - start) * 1e3,
        "center_m": float(depth_m[_HEIGHT // 2, _WIDTH // 2]),
    }


def main() -> int:
    """Print what `render` returns as JSON on stdout, or why not on stderr; return the exit code."""
    try:
        sys.stdout.write(json.dumps(render()) + "\n")
    except TwinError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
