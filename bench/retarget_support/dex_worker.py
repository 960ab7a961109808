"""Solves the problems of a folder by dex-retargeting; run by `dex_peer` with its interpreter."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from dex_retargeting.optimizer import PositionOptimizer
from dex_retargeting.robot_wrapper import RobotWrapper


def main(folder: Path) -> None:
    """Writes `answers.npz`: joint angles [rad], CPU time a solve [us], failures."""
    torch.set_num_threads(1)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    with np.load(folder / "problems.npz") as problems:
        x_h, phi = problems["x_h"], problems["phi"]
    optimizer = PositionOptimizer(
        RobotWrapper(str(folder / "robot.urdf")),
        job["joints"],
        job["links"],
        np.arange(len(job["links"])),
    )
    optimizer.set_joint_limit(np.array(job["limits"]))
    optimizer.retarget(x_h[0], fixed_qpos=[], last_qpos=phi[0])
    answers, failures, spent = np.empty(phi.shape), 0, 0.0
    for i in range(len(x_h)):
        start = time.process_time()
        answers[i] = optimizer.retarget(x_h[i], fixed_qpos=[], last_qpos=phi[i])
        spent += time.process_time() - start
        failures += optimizer.opt.last_optimize_result() < 0
    np.savez(
        folder / "answers.npz",
        a=answers,
        us_per_solve=1e6 * spent / len(x_h),
        failures=failures,
        version=version("dex-retargeting"),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
