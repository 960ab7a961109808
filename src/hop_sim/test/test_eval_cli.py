"""`hop eval`: what it reports, when it exits with 1, and what it says of wrong options."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from rich.console import Console

from hop_core.errors import (
    BagError,
    CheckpointError,
    ConfigError,
    EvaluationError,
    TwinError,
)
from hop_core.robot_config import CameraPose
from hop_policy import checkpoint as ck
from hop_policy import shipped
from hop_policy.contract import VisionKind, load_contract
from hop_policy.dataset import Episode
from hop_sim import eval_cli, eval_run
from hop_sim.agents import BlindAgent, NearestDemonstrationAgent
from hop_sim.episode_progress import watched
from hop_sim.eval_report import Cadence, Report
from hop_sim.evaluate import AgentSpec, evaluate
from hop_sim.live_eval import LiveOptions
from hop_sim.motion_record import Motion
from hop_sim.rollout import CellSpec, Outcome

ONE = {"policy": ["policy"]}
"""Arms of a report on a single policy."""


def outcome_of(seed: int, ok: bool) -> Outcome:
    reason, motion = ("success" if ok else "time limit"), Motion(10, 2, {"velocity": 2}, 3.0, 4.0)
    return Outcome(seed, ok, 6.0 + seed, 0.2 * ok, reason, (0.5, 0.0), motion)


def outcomes(*successes: bool) -> list[Outcome]:
    return [outcome_of(seed, ok) for seed, ok in enumerate(successes)]


def test_json_gives_the_policy_first_and_the_controls_beside_it() -> None:
    report = Report(
        {"task": "t"},
        {"policy": outcomes(True, True, False), "blind": outcomes(False, False, True)},
        ONE,
    )
    figures = json.loads(json.dumps(report.as_dict()))
    assert figures["success"] == pytest.approx(0.6667)
    assert figures["failed_seeds"] == [2]
    assert figures["agents"]["blind"]["successes"] == 1
    assert figures["wilson_low"] < 0.6667 < figures["wilson_high"]


def test_live_and_lock_step_disagree_on_named_states() -> None:
    report = Report(
        {},
        {"policy": outcomes(True, False, True), "lock-step": outcomes(True, True, False)},
        ONE,
        pairs={"policy": "lock-step"},
    )
    assert report.as_dict()["disagree"] == [1, 2]


def test_too_few_successes_or_a_broken_cadence_fall_short() -> None:
    good = Report({}, {"policy": outcomes(True, True)}, ONE)
    assert good.shortfalls(require=2) == []
    assert good.shortfalls(require=3) == ["policy: 2 successes, 3 are required"]
    cadence = {"policy": Cadence({"arm_hz": 90.0}, "the cadence is broken: arm")}
    broken = Report({}, {"policy": outcomes(True)}, ONE, cadence)
    assert broken.shortfalls(require=0) == ["the cadence is broken: arm"]
    assert broken.as_dict()["cadence"] == {"arm_hz": 90.0}


def test_the_table_tells_how_the_robot_moved_and_what_ended_it() -> None:
    stopped = Outcome(2, False, 1.0, 0.0, "HOLD: too fast", (0.5, 0.0), Motion(5, 5, {"table": 5}))
    report = Report({"task": "t"}, {"policy": [*outcomes(True, False), stopped]}, ONE)
    figures = report.as_dict()
    assert figures["interventions"] == {"episodes": 1, "reasons": {"HOLD: too fast": 1}}
    assert figures["clamps"] == {
        "targets": 25,
        "changed": 9,
        "reasons": {"velocity": 4, "table": 5},
    }
    assert (figures["arm_jerk_rad_s3"], figures["hand_jerk_rad_s3"]) == (3.0, 4.0)
    text = io.StringIO()
    report.show(Console(file=text, width=200))
    for words in (
        "36.0% (table 5, velocity 4)",
        "success [s]",
        "3 / 4",
        "1 x time limit; 1 x HOLD: too fast",
    ):
        assert words in text.getvalue()


def test_arms_are_compared_on_paired_states() -> None:
    a, b, c = outcomes(*[True] * 9, False), outcomes(*[True] * 10), outcomes(*[False] * 10)
    arms = {"ours": ["a", "b"], "scratch": ["c"]}
    report = Report({"task": "t"}, {"a": a, "b": b, "c": c}, arms)
    figures = report.as_dict()
    assert figures["arms"] == arms
    assert figures["means"]["ours"]["value"] == 0.95  # type: ignore[index]
    difference = figures["differences"]["ours - scratch"]  # type: ignore[index]
    assert (difference["value"], difference["shown"]) == (0.95, True)
    assert difference["training_seeds"] == [2, 1]
    assert "success" not in figures  # of which one?
    text = io.StringIO()
    report.show(Console(file=text, width=200))
    assert "higher: the interval excludes 0" in text.getvalue()


@pytest.mark.parametrize("terminal", [False, True])
def test_a_log_file_or_dumb_terminal_gets_a_line_of_progress_with_the_time_to_go(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setenv("TERM", "dumb" if terminal else "xterm")
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal)
    assert watched(iter([1, 2, 3]), "blind", 3, console) == [1, 2, 3]
    assert text.getvalue().startswith("blind: 3 of 3, 0.0 s each, 0 s to go")


DEPTH, CLOUD = "base_depth", "base_point_cloud"  # shipped


@pytest.mark.parametrize(
    ("argv", "error", "sentence"),
    [
        (["-n", "0"], ConfigError, "--rollouts and --workers must be at least 1"),
        (["--paired"], ConfigError, "--paired and --record go with --live"),
        (["--live", "--controls", "zero"], ConfigError, "--controls run in lock-step"),
        (["--controls", "nearest"], ConfigError, "needs demonstrations; pass --demos"),
        (["--demos", "/a", "--controls", "zero"], ConfigError, "--most are for the control near"),
        (["--most", "5"], ConfigError, "--demos and --most are for the control nearest"),
        (["--controls", "nearest", "--demos", "/a", "--most", "-1"], ConfigError, "at least 1"),
        (["--first", "999999", "-n", "5"], ConfigError, "belong to demonstrations"),
        (["--realism.noise", "-1"], ConfigError, "noise must be a number from 0 on, got -1.0"),
        (["--realism.jitter", "nan"], ConfigError, "jitter must be a number from 0 on, got nan"),
        (["--realism.shift-m", "inf", "0", "0"], ConfigError, "must be three finite numbers"),
        (["--policy", "/nowhere", "-n", "1"], CheckpointError, "/nowhere"),
        (["--policy", DEPTH, CLOUD, DEPTH, "-n", "1"], ConfigError, f"/{DEPTH} is named 2 times"),
        (["--policy", f"{DEPTH}={CLOUD}", DEPTH, "-n", "1"], ConfigError, "both an arm and a"),
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
        BlindAgent(None, [])  # type: ignore[arg-type]


def test_a_missing_demonstration_folder_is_named(tmp_path: Path) -> None:
    spec = AgentSpec("nearest", demos=tmp_path / "none")
    with pytest.raises(BagError, match="none"):
        list(evaluate(CellSpec("grasp_lift"), spec, [0], 1))


def test_what_rolls_out_in_its_own_process_gives_the_threads_back() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        rolled = evaluate(CellSpec("grasp_lift"), AgentSpec("zero"), [0], 1)
        next(rolled)
        assert torch.get_num_threads() == 1
        rolled.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


Save = Callable[..., str]
Rolled = list[tuple[str, str, tuple[int, ...]]]


@pytest.fixture
def save(save_policy: Callable[..., Path]) -> Save:
    """Returns what writes a policy; it returns the policy as a command takes it."""

    def save(
        path: Path, seed: int, vision: VisionKind = "depth", cameras: tuple[CameraPose, ...] = ()
    ) -> str:
        contract = load_contract(vision=vision)
        return str(save_policy(path, contract, seed=seed, cameras=cameras))

    return save


@pytest.fixture
def rolled(monkeypatch: pytest.MonkeyPatch) -> Rolled:
    """Rollouts that only say what was asked for: the even seeds succeed, blind ones never."""
    asked: Rolled = []

    def evaluate(
        _cell: CellSpec, agent: AgentSpec, seeds: Sequence[int], _workers: int
    ) -> Iterator[Outcome]:
        name = "" if agent.checkpoint is None else agent.checkpoint.name
        asked.append((agent.name, name, tuple(seeds)))
        yield from (outcome_of(seed, agent.name == "policy" and seed % 2 == 0) for seed in seeds)

    monkeypatch.setattr(eval_run, "evaluate", evaluate)
    return asked


def run_json(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, dict[str, object]]:
    assert eval_cli.main([*argv, "--json"]) == 0
    figures: dict[str, dict[str, object]] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return figures


def test_several_policies_run_on_the_same_states_each_beside_its_controls(
    save: Save, tmp_path: Path, rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (save(tmp_path / run / "best", seed) for seed, run in enumerate("ab"))
    figures = run_json(capsys, "--policy", first, second, "-n", "4", "--controls", "blind", "zero")
    assert list(figures["agents"]) == ["a/best", "a/best, blind", "b/best", "b/best, blind", "zero"]
    assert rolled == [
        ("policy", "best", (0, 1, 2, 3)),
        ("blind", "best", (0, 1, 2, 3)),
        ("policy", "best", (0, 1, 2, 3)),
        ("blind", "best", (0, 1, 2, 3)),
        ("zero", "", (0, 1, 2, 3)),
    ]
    assert figures["differences"]["a/best - b/best"]["value"] == 0.0  # type: ignore[index]


def test_a_policy_is_shown_what_it_was_trained_to_see(
    save: Save, tmp_path: Path, rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    depth, cloud = (save(tmp_path / kind, 0, kind) for kind in get_args(VisionKind))
    run_json(capsys, "--policy", cloud, "-n", "1", "--controls", "zero")
    assert [kind for kind, *_ in rolled] == ["policy", "zero"]
    for live in ([], ["--live"]):
        with pytest.raises(CheckpointError, match=r"vision"):
            eval_cli.main(["--policy", depth, cloud, "-n", "1", *live])


ELSEWHERE = CameraPose(position_m=(0.5, -0.62, 0.9), quaternion_wxyz=(1.0, 0.0, 0.0, 0.0))


@pytest.mark.parametrize("mode", [[], ["--live"]])
def test_one_whose_camera_stood_elsewhere_is_refused_before_any_other_runs(
    save: Save, tmp_path: Path, rolled: Rolled, mode: list[str]
) -> None:
    here = save(tmp_path / "here", 0)
    there = save(tmp_path / "there", 1, cameras=(ELSEWHERE,))
    with pytest.raises(CheckpointError, match=r"there learnt from a camera at .* 48\.0 cm and"):
        eval_cli.main(["--policy", here, there, "-n", "1", *mode])
    assert rolled == []


def test_a_policy_whose_camera_stood_elsewhere_is_not_rolled_out(
    save: Save, tmp_path: Path
) -> None:
    policy = save(tmp_path / "there", 0, cameras=(ELSEWHERE,))
    spec = AgentSpec("policy", checkpoint=Path(policy))
    with pytest.raises(CheckpointError, match=r"48\.0 cm and"):
        list(evaluate(CellSpec("grasp_lift"), spec, [0], 1))


def test_outcomes_that_are_kept_are_not_run_again(
    save: Save, tmp_path: Path, rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, out = save(tmp_path / "run", 0), tmp_path / "figures" / "lift.jsonl"
    command = ["--policy", policy, "--out", str(out)]
    run_json(capsys, *command, "-n", "3")
    figures = run_json(capsys, *command, "-n", "5")
    assert [seeds for kind, _, seeds in rolled if kind == "policy"] == [(0, 1, 2), (3, 4)]
    assert figures["successes"] == 3  # type: ignore[comparison-overlap]
    lines = out.read_text()
    out.write_text(lines + '{"agent": "run", "epis')  # killed while it wrote
    run_json(capsys, *command, "-n", "5")
    assert out.read_text() == lines
    assert len(rolled) == 4


def test_a_file_of_another_setting_or_checkpoint_is_refused(
    save: Save, tmp_path: Path, rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, out = save(tmp_path / "run", 0), tmp_path / "lift.jsonl"
    command = ["--policy", policy, "--out", str(out), "-n", "1"]
    run_json(capsys, *command)
    with pytest.raises(EvaluationError, match=r"another setting: realism is .* there and .* here"):
        eval_cli.main([*command, "--realism.noise", "2"])
    save(tmp_path / "run", 1)
    with pytest.raises(EvaluationError, match="outcomes of another 'run': checkpoint is"):
        eval_cli.main(command)


def test_a_policy_that_was_exported_since_is_another(
    save: Save, tmp_path: Path, rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    policy, out = save(tmp_path / "run", 0), tmp_path / "lift.jsonl"
    command = ["--policy", policy, "--out", str(out), "-n", "1"]
    run_json(capsys, *command)
    (Path(policy) / ck.EXPORT_SEAL).touch()
    (Path(policy) / ck.EXPORT).touch()
    with pytest.raises(EvaluationError, match="form is eager there and exported here"):
        eval_cli.main(command)


def test_a_control_that_replays_other_recordings_is_another(
    tmp_path: Path,
    rolled: Rolled,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The same names and lengths are not enough: what is in them tells."""
    vision, action = np.zeros((2, 60, 60), np.float32), np.zeros((2, 23), np.float32)
    demos = [Episode("expert_0", np.zeros((2, 23), np.float32), vision, action)]
    monkeypatch.setattr(eval_run, "demonstrations", lambda *_: demos)
    command = ["--task", "grasp_pour", "--controls", "nearest", "--demos", str(tmp_path)]
    command += ["-n", "1", "--out", str(tmp_path / "pour.jsonl")]
    for _ in range(2):
        run_json(capsys, *command)
    assert rolled == [("nearest", "", (0,))]
    action[1, 3] = 0.5
    with pytest.raises(EvaluationError, match="another 'nearest': demonstrations is"):
        eval_cli.main(command)


def test_the_expert_and_who_sees_its_episodes_are_others_once_it_acts_in_another_way(
    save: Save,
    tmp_path: Path,
    rolled: Rolled,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = save(tmp_path / "run", 0)
    for control, name in (("blind", "run, blind"), ("expert", "expert")):
        command = ["--policy", policy, "--controls", control, "-n", "1"]
        command += ["--out", str(tmp_path / f"{control}.jsonl")]
        for _ in range(2):
            run_json(capsys, *command)
        with monkeypatch.context() as later:
            later.setattr(eval_run, "ACTS", -1)
            with pytest.raises(
                EvaluationError, match=rf"another '{name}': acts is \d+ there and -1"
            ):
                eval_cli.main(command)
    assert [kind for kind, *_ in rolled] == ["policy", "blind", "policy", "expert"]


def test_a_broken_cadence_stays_with_the_outcomes_that_came_of_it(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = "the cadence is broken: arm_hz is 90"

    def live(
        _options: LiveOptions,
        seeds: Sequence[int],
        watch: eval_run.Watch,
        judged: Callable[[Cadence], None],
    ) -> list[Outcome]:
        try:
            return watch(outcomes_until(seeds, stop=1))
        finally:
            judged(Cadence({"arm_hz": 90.0}, problem))

    def outcomes_until(seeds: Sequence[int], stop: int) -> Iterator[Outcome]:
        for seed in seeds:
            if seed == stop:
                raise TwinError("the graph died")
            yield outcome_of(seed, True)

    monkeypatch.setattr(eval_run, "evaluate_live", live)
    policy, out = save(tmp_path / "run", 0), tmp_path / "lift.jsonl"
    command = ["--live", "--policy", policy, "--out", str(out)]
    with pytest.raises(TwinError):
        eval_cli.main([*command, "-n", "2"])
    assert eval_cli.main([*command, "-n", "1"]) == 1  # with nothing left to do
    assert (
        f"of an earlier run whose outcomes stand in the file, {problem}" in capsys.readouterr().err
    )


def test_a_policy_is_not_judged_on_scenes_that_it_was_trained_on(
    save: Save, tmp_path: Path, rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = save(tmp_path / "run", 0)
    ck.save_json(Path(policy), ck.PROVENANCE, {"scene_seeds": [1, 2, 7]})
    with pytest.raises(ConfigError, match="recordings of 2 of these scenes, such as seed 1"):
        eval_cli.main(["--policy", policy, "-n", "3"])
    assert rolled == []
    run_json(capsys, "--policy", policy, "-n", "3", "--first", "3")
    ck.save_json(Path(policy), ck.PROVENANCE, {"training_episodes": ["e1"]})
    eval_cli.main(["--policy", policy, "-n", "3"])
    told = capsys.readouterr().err
    assert "run does not say all the scenes that it was trained on" in told
    assert "run does not say where the camera stood that it learnt from" in told


def test_copies_of_a_checkpoint_are_no_training_seeds(
    save: Save, tmp_path: Path, rolled: Rolled
) -> None:
    copies = [f"ours={save(tmp_path / name, 0)}" for name in "ab"]
    with pytest.raises(ConfigError, match="2 checkpoints of the arm 'ours' are copies"):
        eval_cli.main(["--policy", *copies, "-n", "1"])
    assert rolled == []


def test_demonstrations_that_are_not_there_are_told_before_anything_runs(
    save: Save, tmp_path: Path, rolled: Rolled
) -> None:
    policy = save(tmp_path / "run", 0)
    command = ["--policy", policy, "--controls", "nearest", "--demos", str(tmp_path / "none")]
    with pytest.raises(BagError, match="no demonstrations"):
        eval_cli.main([*command, "-n", "1"])
    assert rolled == []
