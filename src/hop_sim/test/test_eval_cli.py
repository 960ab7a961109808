"""`hop eval`: what it reports, when it exits with 1, and what it says of wrong options."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from hop_core.errors import CheckpointError, ConfigError
from hop_policy import shipped
from hop_sim import eval_cli
from hop_sim.agents import BlindAgent, NearestDemonstrationAgent
from hop_sim.episode_progress import watched
from hop_sim.eval_cli import Report
from hop_sim.rollout import CellSpec, Outcome


def outcomes(*successes: bool) -> list[Outcome]:
    return [
        Outcome(seed, ok, 6.0 + seed, 0.2 * ok, "success" if ok else "time limit", (0.5, 0.0))
        for seed, ok in enumerate(successes)
    ]


def test_json_gives_the_policy_first_and_the_controls_beside_it() -> None:
    report = Report(
        {"task": "t"},
        {"policy": outcomes(True, True, False), "blind": outcomes(False, False, True)},
    )
    figures = json.loads(json.dumps(report.as_dict()))
    assert figures["success"] == pytest.approx(0.6667)
    assert figures["failed_seeds"] == [2]
    assert figures["agents"]["blind"]["successes"] == 1
    assert figures["wilson_low"] < 0.6667 < figures["wilson_high"]


def test_live_and_lock_step_disagree_on_named_states() -> None:
    report = Report(
        {}, {"policy": outcomes(True, False, True), "lock-step": outcomes(True, True, False)}
    )
    assert report.as_dict()["disagree"] == [1, 2]


def test_too_few_successes_or_a_broken_cadence_exit_with_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    good = Report({}, {"policy": outcomes(True, True)})
    assert good.exit_code(require=2) == 0
    assert good.exit_code(require=3) == 1
    assert "2 successes, 3 are required" in capsys.readouterr().err
    broken = Report({}, {"policy": outcomes(True)}, {"arm_hz": 90.0}, "the cadence is broken: arm")
    assert broken.exit_code(require=0) == 1
    assert "the cadence is broken" in capsys.readouterr().err


def test_a_log_file_gets_a_line_of_progress_with_the_time_to_go() -> None:
    text = io.StringIO()
    assert watched(iter([1, 2, 3]), "blind", 3, Console(file=text)) == [1, 2, 3]
    assert text.getvalue().startswith("blind: 3 of 3, 0.0 s each, 0 s to go")


@pytest.mark.parametrize(
    ("argv", "error", "sentence"),
    [
        (["-n", "0"], ConfigError, "--rollouts and --workers must be at least 1"),
        (["--paired"], ConfigError, "--paired and --record go with --live"),
        (["--live", "--controls", "zero"], ConfigError, "--controls run in lock-step"),
        (["--first", "999999", "-n", "5"], ConfigError, "belong to demonstrations"),
        (["--policy", "/nowhere", "-n", "1"], CheckpointError, "/nowhere"),
    ],
)
def test_wrong_options_get_one_sentence(
    argv: list[str], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        eval_cli.main(argv)


def test_controls_that_need_no_policy_run_without_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipped, "FOLDER", "none")
    command = ["--task", "grasp_pour", "-n", "1", "--workers", "1", "--json"]
    assert eval_cli.main([*command, "--controls", "expert"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["policy"] == "none"
    assert figures["agents"]["expert"]["successes"] == 1
    assert "success" not in figures  # that would be a policy's
    for needy in ([], ["--controls", "zero", "blind"], ["--controls", "zero", "--require", "1"]):
        with pytest.raises(CheckpointError, match="no checkpoint is shipped for the task 'grasp_p"):
            eval_cli.main([*command, *needy])


def test_controls_say_what_they_need() -> None:
    cell = CellSpec("grasp_lift")
    camera, contract = cell.load_robot().camera, cell.load_contract()
    with pytest.raises(ConfigError, match="needs demonstrations"):
        NearestDemonstrationAgent(contract, camera, [])
    with pytest.raises(ConfigError, match="vision of at least one other episode"):
        BlindAgent(None, camera, [])  # type: ignore[arg-type]


def test_a_missing_demonstration_folder_is_named(tmp_path: Path) -> None:
    from hop_core.errors import BagError
    from hop_sim.evaluate import AgentSpec, evaluate

    spec = AgentSpec("nearest", demos=tmp_path / "none")
    with pytest.raises(BagError, match="none"):
        list(evaluate(CellSpec("grasp_lift"), spec, [0], 1))
