"""dex-retargeting, which lives in another interpreter, on the same robot and problems."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hop_core.embodiment import JOINT_NAMES
from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.solver import Bounds
from hop_core.robot_model import urdf
from retarget_support.problems import ProblemSet

WORKER = Path(__file__).parent / "dex_worker.py"


@dataclass(frozen=True)
class DexRun:
    """What dex-retargeting made of a set of problems.

    Attributes:
        a: (B, 23) joint angles [rad].
        us_per_solve: its own CPU time.
        failures: solves that ended in an error, which it answers with the old posture.
        version: of the package.
    """

    a: np.ndarray
    us_per_solve: float
    failures: int
    version: str


def run_dex(
    python: Path, problems: ProblemSet, config: RetargetConfig, bounds: Bounds, points: list[int]
) -> DexRun | str:
    """Returns its answers by `PositionOptimizer` as it comes, or the reason why there are none.

    Args:
        python: interpreter that has it.
        problems: goals and postures.
        config: where the robot's points are.
        bounds: of the joints.
        points: which of the robot's points it shall bring to their goals; it knows no weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "robot.urdf").write_text(_urdf_with_points(config), encoding="utf-8")
        np.savez(root / "problems.npz", x_h=problems.x_h[:, points], phi=problems.phi)
        job = {
            "joints": list(JOINT_NAMES),
            "links": [f"point_{config.points[k].name}" for k in points],
            "limits": np.stack([bounds.lower, bounds.upper], axis=1).tolist(),
        }
        (root / "job.json").write_text(json.dumps(job), encoding="utf-8")
        try:
            done = subprocess.run(
                [str(python), str(WORKER), folder], capture_output=True, text=True, check=False
            )
        except OSError as error:
            return f"cannot start {python.name}: {error.strerror}"
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            return f"the peer's process failed: {last}"
        with np.load(root / "answers.npz") as answers:
            return DexRun(
                answers["a"],
                float(answers["us_per_solve"]),
                int(answers["failures"]),
                str(answers["version"]),
            )


def _urdf_with_points(config: RetargetConfig) -> str:
    """Our URDF with a link at each of the robot's points."""
    links = "".join(
        f'<link name="point_{point.name}"/>'
        f'<joint name="point_{point.name}_fixed" type="fixed"><parent link="{point.frame}"/>'
        f'<child link="point_{point.name}"/>'
        f'<origin xyz="{" ".join(map(str, point.offset_m))}" rpy="0 0 0"/></joint>'
        for point in config.points
    )
    return urdf().replace("</robot>", f"{links}</robot>")
