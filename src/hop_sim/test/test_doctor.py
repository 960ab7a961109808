"""The simulator's part of `hop doctor`: tasks, and rendering in a process of its own."""

import shutil
from pathlib import Path

import pytest

from hop_core.health import DoctorContext, Health
from hop_core.robot_config import load_robot
from hop_sim import doctor

CONFIG = Path(__file__).parents[3] / "config"
TWIN = DoctorContext("twin", CONFIG, load_robot("twin", CONFIG))


def test_a_ball_half_a_metre_away_is_rendered_there():
    finding = doctor.rendering(Health.MISS)
    assert finding.state is Health.OK, finding.found
    assert "320x180" in finding.found


@pytest.mark.parametrize("bad", [Health.WARN, Health.MISS])
def test_a_machine_that_cannot_render_is_told_why(monkeypatch, bad):
    monkeypatch.setenv("MUJOCO_GL", "glfw")
    finding = doctor.rendering(bad)
    assert finding.state is bad
    assert "MUJOCO_GL=glfw" in finding.found
    assert "libegl1" in finding.fix


def test_a_renderer_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "_RENDER_S", 0.01)
    finding = doctor.rendering(Health.MISS)
    assert finding.state is Health.MISS
    assert "no image" in finding.found


def test_a_depth_that_is_wrong_is_told(monkeypatch):
    monkeypatch.setattr(doctor, "_BALL_M", 0.7)  # not in the process that renders
    finding = doctor.rendering(Health.MISS)
    assert finding.state is Health.MISS
    assert "wrong by 0.100 m" in finding.found


def test_a_broken_task_is_named(tmp_path):
    assert {finding.state for finding in doctor.tasks(TWIN)} == {Health.OK}
    shutil.copytree(CONFIG / "tasks", tmp_path / "tasks")
    text = (CONFIG / "tasks" / "grasp_lift.yaml").read_text()
    (tmp_path / "tasks" / "grasp_lift.yaml").write_text(text.replace("hold_s:", "hold:"))
    findings = doctor.tasks(DoctorContext("twin", tmp_path, TWIN.cell))
    (finding,) = (each for each in findings if each.state is Health.MISS)
    assert "hold" in finding.found
