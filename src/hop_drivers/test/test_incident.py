"""Incidents: the last seconds in order, complete or absent."""

import json
from pathlib import Path

import numpy as np

from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_drivers.incident import IncidentRecorder


def test_the_ring_holds_the_last_seconds_in_order(tmp_path):
    recorder = IncidentRecorder(tmp_path, seconds=2.0, rate_hz=10.0)
    for k in range(50):
        recorder.sample(k, np.full(23, k), np.full(23, -k))
    recorder.report(10, StateReport("xarm", HopState.IDLE))
    recorder.report(45, StateReport("xarm", HopState.FAULT, "C31"))
    told = []
    recorder.write("xarm: C31", {"stale": 3}, told.append)
    recorder.finish()
    (folder,) = tmp_path.iterdir()
    assert told == [f"the last seconds before the fault are in {folder}"]
    with np.load(folder / "joints.npz") as arrays:
        np.testing.assert_array_equal(arrays["stamp_ns"], np.arange(30, 50))
        np.testing.assert_array_equal(arrays["measured_rad"][:, 0], np.arange(30, 50))
        np.testing.assert_array_equal(arrays["command_rad"][:, 22], -np.arange(30, 50))
    facts = json.loads((folder / "incident.json").read_text())
    assert facts["reason"] == "xarm: C31"
    assert facts["counters"] == {"stale": 3}
    assert [report["reason"] for report in facts["reports"]] == ["C31"]
    assert "numpy" in facts["versions"]


def test_an_incident_before_any_sample_is_written_too(tmp_path):
    recorder = IncidentRecorder(tmp_path, seconds=1.0, rate_hz=10.0)
    recorder.write("early", {}, lambda _line: None)
    recorder.finish()
    (folder,) = tmp_path.iterdir()
    assert (folder / "incident.json").exists()


def test_an_incident_that_cannot_be_written_is_told():
    recorder = IncidentRecorder(Path("/proc/none"), seconds=1.0, rate_hz=10.0)
    told = []
    recorder.write("full", {}, told.append)
    recorder.finish()
    assert len(told) == 1
    assert "could not be kept in /proc/none" in told[0]
