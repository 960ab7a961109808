"""`hop tracks`: what it writes, what it says, and when it exits with 1."""

from __future__ import annotations

import configparser
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import hop_sim.tracks_cli
from hop_core.config import config_path
from hop_core.errors import ConfigError, TrackError, TrackWriteError
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks_cli import main

COUNT = 4


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with COUNT synthetic tracks, for all tests to copy."""
    folder = tmp_path_factory.mktemp("generated")
    assert main(["generate", "-n", str(COUNT), "-o", str(folder), "--seed", "5"]) == 0
    return folder


@pytest.fixture
def folder(generated: Path, tmp_path: Path) -> Path:
    """A folder with COUNT synthetic tracks."""
    return shutil.copytree(generated, tmp_path / "t")


def test_generate_continues_where_it_was_stopped(folder, capsys) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    (folder / "synthetic_5_00002.json").unlink()
    assert main(["generate", "-n", str(COUNT + 1), "-o", str(folder), "--seed", "5"]) == 0
    assert f"2 written, {COUNT - 1} kept, 0 passed over, 0 refused" in capsys.readouterr().out
    after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert len(after) == 2 * (COUNT + 1)
    assert after["synthetic_5_00001.npz"] == before["synthetic_5_00001.npz"]


def test_a_full_disk_ends_the_run_in_one_sentence(folder, monkeypatch) -> None:
    """What comes after could not be written either; the run goes on when there is room."""
    argv = ["generate", "-n", str(COUNT + 3), "-o", str(folder), "--seed", "5"]
    tried: list[str] = []

    def full(_folder: Path, contents: Mapping[str, bytes]) -> None:
        tried.extend(contents)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("hop_sim.tracks.files.replace_files", full)
        with pytest.raises(TrackWriteError, match=r"_00004\.json: cannot be written: No space"):
            main(argv)
    assert tried == ["synthetic_5_00004.npz", "synthetic_5_00004.json"]
    assert main(["check", str(folder)]) == 0
    assert main(argv) == 0
    assert len(list(folder.iterdir())) == 2 * (COUNT + 3)


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path) -> None:
    assert main(["generate", "-n", "2", "-o", str(tmp_path / "again"), "--seed", "5"]) == 0
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_check_counts_and_says_how_different_the_tracks_are(folder, capsys) -> None:
    assert main(["check", str(folder), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["tracks"], figures["synthetic"], figures["objects"]) == (COUNT, COUNT, COUNT)
    assert figures["refused"] == 0
    assert figures["nearest_min_mm"] > 30.0
    assert main(["check", str(folder)]) == 0
    assert "nearest_min_mm" in capsys.readouterr().out


def test_check_names_each_damaged_track_and_goes_on(folder, capsys) -> None:
    cut = folder / "synthetic_5_00001.npz"
    cut.write_bytes(cut.read_bytes()[:1000])
    (folder / "notes.json").write_text("{}")
    assert main(["check", str(folder), "--json"]) == 1
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert (figures["tracks"], figures["refused"]) == (COUNT - 1, 2)
    assert "synthetic_5_00001.npz: sha256: the arrays are not those of" in said.err
    assert "notes.json: format: Field required" in said.err
    assert len(said.err.strip().splitlines()) == 2


def test_show_says_that_a_track_is_synthetic_and_how_good_it_is(folder, capsys) -> None:
    assert main(["show", str(folder / "synthetic_5_00000.npz")]) == 0
    out = capsys.readouterr().out
    assert "SYNTHETIC: made, not seen" in out
    for figure in ("palm_speed_m_s", "contact_share", "time_scale", "provenance seed"):
        assert figure in out


def test_show_exits_with_one_for_a_track_that_cannot_be_used(folder, tmp_path, capsys) -> None:
    text = config_path("tracks.yaml").read_text()
    (tmp_path / "tracks.yaml").write_text(text.replace("touch_m: 0.03", "touch_m: 0.00001"))
    argv = ["show", str(folder / "synthetic_5_00000.json"), "--config-dir", str(tmp_path)]
    assert main(argv) == 1
    assert "keypoints_m: the hand comes no nearer than" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "error", "sentence"),
    [
        (["check", "/nowhere"], TrackError, "/nowhere: is no folder of tracks"),
        (["show", "/nowhere/a.npz"], TrackError, r"/nowhere/a\.json: cannot be read"),
        (["generate", "-n", "0", "-o", "x"], ConfigError, "--count must be at least 1"),
        (["import", "npz", "/nowhere", "-o", "x", "--config-dir", "/nowhere"], ConfigError,
         r"no configuration 'tracks\.yaml'"),
        (["import", "dexycb", "/nowhere", "-o", "x"], TrackError, "calibration: is missing"),
        (["import", "dexycb", "/nowhere", "-o", "x", "--up=+z"], ConfigError, "--up goes with npz"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_one_sentence(argv, error, sentence, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=sentence):
        main(argv)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_and_a_missing_file_are_told(tmp_path, capsys) -> None:
    with pytest.raises(TrackError, match="holds no track; hop tracks generate makes some"):
        main(["check", str(tmp_path)])
    with pytest.raises(TrackError, match=r"holds no \.npz file"):
        main(["import", "npz", str(tmp_path), "-o", str(tmp_path / "o")])
    assert main(["import", "npz", str(tmp_path / "a.npz"), "-o", str(tmp_path / "o")]) == 1
    assert "a.npz: cannot be read: No such file" in capsys.readouterr().err


def test_an_unknown_key_of_the_configuration_is_named(tmp_path) -> None:
    text = config_path("tracks.yaml").read_text()
    (tmp_path / "tracks.yaml").write_text(text + "\nfps: 3\n")
    with pytest.raises(ConfigError, match=r"tracks\.yaml: unknown key 'fps'; allowed keys: dexycb"):
        load_tracks_config(tmp_path)
    wrong = text.replace("palm_length_m: [0.06, 0.13]", "palm_length_m: [0.13, 0.06]")
    (tmp_path / "tracks.yaml").write_text(wrong)
    with pytest.raises(ConfigError, match=r"limits\.palm_length_m: .*lower < upper"):
        load_tracks_config(tmp_path)


def test_the_verb_is_registered() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(hop_sim.tracks_cli.__file__).parents[1] / "setup.cfg")
    verbs = setup["options.entry_points"]["hop.verbs"]
    assert "tracks = hop_sim.tracks_cli:main" in verbs


def test_numbers_in_json_are_numbers(folder) -> None:
    """A record is read again without a NaN in it."""
    for path in folder.glob("*.json"):
        quality = json.loads(path.read_text())["meta"]["quality"]
        assert all(value is None or np.isfinite(value) for value in quality.values())
