"""The policy's part of `hop doctor`: contract and camera, recorder and disk, shipped policy."""

from pathlib import Path

import pytest
import yaml

from hop_core.health import DoctorContext, Health
from hop_core.robot_config import load_robot
from hop_policy import doctor
from hop_policy.contract import load_contract
from hop_policy.shipped import FOLDER, SHIPPED_TASK

CONFIG = Path(__file__).parents[3] / "config"
TWIN = DoctorContext("twin", CONFIG, load_robot("twin", CONFIG))
CAMERA = {
    "position_m": [0.5, -0.62, 0.42],
    "quaternion_wxyz": list(TWIN.cell.camera.quaternion_wxyz),
}


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A complete checkpoint for this contract, installed; its folder."""
    folder = tmp_path / "share" / "hop_policy" / FOLDER / SHIPPED_TASK
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "metrics.json"):
        (folder / name).write_text("")
    write_contract(folder, load_contract(CONFIG).model_dump(mode="json"), [CAMERA])
    monkeypatch.setenv("AMENT_PREFIX_PATH", str(tmp_path))
    return folder


def write_contract(folder, values, cameras=()):
    made_with = {"contract": values, "cameras": list(cameras)}
    (folder / "config.yaml").write_text(yaml.safe_dump(made_with))


def test_the_contract_s_crop_must_fit_into_the_camera_s_image():
    assert doctor.contract(TWIN).state is Health.OK
    narrow = TWIN.cell.camera.model_copy(update={"focal_per_width": 0.9})
    cell = TWIN.cell.model_copy(update={"camera": narrow})
    finding = doctor.contract(DoctorContext("twin", CONFIG, cell))
    assert finding.state is Health.MISS
    assert "58.5" in finding.found


def test_a_broken_recorder_configuration_is_named(tmp_path):
    (tmp_path / "recorder.yaml").write_text("root: /tmp\nspeed: 3\n")
    (finding,) = doctor.recorder(DoctorContext("twin", tmp_path))
    assert finding.state is Health.MISS
    assert "recorder.yaml" in finding.found


@pytest.mark.parametrize(
    ("free_mb", "state"), [(400, Health.MISS), (4000, Health.WARN), (6000, Health.OK)]
)
def test_recordings_need_room_on_a_disk_whose_folder_need_not_exist(
    tmp_path, monkeypatch, free_mb, state
):
    usage = type("Usage", (), {"free": free_mb << 20})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: usage)
    finding = doctor.disk(tmp_path / "not" / "yet", min_free_mb=500)
    assert finding.state is state
    assert str(tmp_path) in finding.found


def test_the_shipped_policy_is_there_and_of_this_contract(shipped):
    finding = doctor.shipped(TWIN)
    assert finding.state is Health.OK
    assert str(shipped) in finding.found


def test_an_incomplete_shipped_policy_is_told(shipped):
    (shipped / "model.safetensors").unlink()
    finding = doctor.shipped(TWIN)
    assert finding.state is Health.MISS
    assert "model.safetensors" in finding.found


def test_a_shipped_policy_of_another_contract_is_told_with_the_field(shipped):
    values = load_contract(CONFIG).model_dump(mode="json")
    write_contract(shipped, {**values, "label_offset_ms": 0})
    finding = doctor.shipped(TWIN)
    assert finding.state is Health.WARN
    assert "label_offset_ms" in finding.found
    assert "finetuned for this cell" in finding.fix


@pytest.mark.parametrize(
    ("cameras", "told"),
    [([{**CAMERA, "position_m": [0.5, -0.62, 0.9]}], "48.0 cm"), ([], "does not say where")],
)
def test_a_shipped_policy_that_learnt_from_another_or_an_unknown_place_of_the_camera_is_told(
    shipped, cameras, told
):
    write_contract(shipped, load_contract(CONFIG).model_dump(mode="json"), cameras)
    finding = doctor.shipped(TWIN)
    assert finding.state is Health.WARN
    assert told in finding.found
    assert doctor.shipped(DoctorContext("none", CONFIG)).state is Health.OK


@pytest.mark.parametrize("text", ["", "contract: 3\n", "model: {}\n", "a: [\n"])
def test_a_damaged_shipped_policy_is_told(shipped, text):
    (shipped / "config.yaml").write_text(text)
    assert doctor.shipped(TWIN).state is Health.MISS


@pytest.mark.parametrize("cameras", ["3", "[3]", "[{position_m: [0, 0, 1]}]", "null"])
def test_damaged_cameras_of_a_shipped_policy_are_told(shipped, cameras):
    write_contract(shipped, load_contract(CONFIG).model_dump(mode="json"))
    file = shipped / "config.yaml"
    file.write_text(file.read_text().replace("cameras: []", f"cameras: {cameras}"))
    assert doctor.shipped(TWIN).state is Health.MISS
