"""`hop table1`: what is run, once; what is told of it; a small run from tracks to tables."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tyro
import yaml

from hop_core.cli import INTERRUPTED
from hop_core.config import config_path, load_config, validate
from hop_core.errors import ConfigError, EvaluationError, HopError
from hop_policy import checkpoint as ck
from hop_policy import finetune_cli
from hop_policy.contract import load_contract
from hop_policy.model import PolicyConfig
from hop_sim import pretrain_cli, table1_cli
from hop_sim.contenders import checkpoint_identity
from hop_sim.eval_run import EvalRun
from hop_sim.motion_record import Motion
from hop_sim.outcome_file import OutcomeFile
from hop_sim.paired_bootstrap import Interval
from hop_sim.realism import Realism
from hop_sim.rollout import SUCCESS, TIME_LIMIT, CellSpec, Outcome
from hop_sim.table1.cells import cells
from hop_sim.table1.config import CONFIG, Table1Config
from hop_sim.table1.jobs import Job, JobRunner, Record, _write_record, command, read_records
from hop_sim.table1.keep import keep
from hop_sim.table1.page import BEGIN, END, _difference, page_of
from hop_sim.table1.plan import Plan
from hop_sim.table1.results import Results, require_present_policies
from hop_sim.table1.run_folder import locked
from hop_sim.table1.sittings import SITTINGS, read_sittings
from hop_sim.table1.splice import splice

SMALL = {
    "name": "tiny",
    "rollouts": 4,
    "at_once": 1,
    "corpus": {"tracks": 4, "attempts": 4, "trajectories": 6},
    "pretrain": {"config": "train_pretrain.yaml", "max_steps": 2},
    "finetune": {"config": "train.yaml", "max_steps": 2, "overrides": {"validate_every": 1}},
    "scratch_learning_rates": [1.0e-4, 1.0e-3],
    "bases": {"hop": {}, "masked": {"objects": "masked"}},
    "tasks": {
        "grasp_lift": {
            "attempts": 4,
            "demos": 3,
            "arms": ["hop", "scratch"],
            "seeds": [0, 1],
            "fewer": [2],
            "fewer_arms": ["hop"],
            "at_last": ["hop", "scratch"],
            "in_conditions": ["hop"],
            "controls": ["blind", "nearest", "zero"],
        }
    },
    "conditions": {"moved": {"noise": 2.0, "shift_m": [0.05, 0.0, 0.0]}},
    "variants": {
        "quiet": {
            "task": "grasp_lift",
            "arm": "hop",
            "seed": 0,
            "overrides": {"augment.arm_noise_std": 0.0},
        }
    },
}
LIFT = SMALL["tasks"]["grasp_lift"]


def config(**changes: object) -> Table1Config:
    return validate({**SMALL, **changes}, Table1Config, "tiny.yaml")


def trained(folder: Path, best: float, last: float) -> None:
    """What a finished run leaves of its losses; the best at step 1 of 2."""
    entries = [{"step": step, "whitened": loss} for step, loss in ((1, best), (2, last))]
    copied = {name: {"whitened": 0.5} for name in ("copy_proprio", "previous_label")}
    metrics = {"units": "whitened", "best": min(entries, key=lambda e: e["whitened"])}
    ck.save_json(
        make(folder),
        ck.METRICS,
        {**metrics, "last": entries[-1], "baselines": copied, "last_blind": {"whitened": 0.9}},
    )


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def rolled_out(
    file: Path,
    agents: dict[str, list[bool]],
    task_hash: str = "a",
    realism: object = None,
    checkpoint: str = "",
    form: str | None = None,
) -> None:
    setting = {"mode": "lock-step", "task_hash": task_hash, "realism": realism}
    with OutcomeFile(file, setting) as outcomes:
        for kind, successes in agents.items():
            told = {} if form is None else {"form": form}
            outcomes.begin(kind, {"kind": kind, "checkpoint": checkpoint, **told})
            ends = [
                Outcome(seed, done, 4.0, 0.1, SUCCESS if done else TIME_LIMIT, (0.5, 0.0), Motion())
                for seed, done in enumerate(successes)
            ]
            list(outcomes.keeping(kind, ends))


@pytest.mark.parametrize("name", ["table1.yaml", "table1_paper.yaml"])
def test_shipped_configurations_are_the_papers_table(name: str) -> None:
    shipped = load_config(config_path(name), Table1Config)
    demos = {task: plan.demos for task, plan in shipped.tasks.items()}
    assert demos == {"grasp_lift": 50, "grasp_drop": 15, "grasp_pour": 15}
    assert shipped.rollouts == 100
    assert len(shipped.tasks["grasp_lift"].seeds) == 3
    arms = set(shipped.tasks["grasp_lift"].arms)
    assert arms == {"hop", "scratch", "hand_only", "shuffled", "reaches"}
    for plan in shipped.tasks.values():
        assert {"hop", "scratch"} <= set(plan.arms) & set(plan.at_last)
        assert {"blind", "nearest", "zero"} <= set(plan.controls)
    assert shipped.first_state >= 2000  # policies were judged on lower ones
    assert len(shipped.scratch_learning_rates) == 3


def test_a_variants_values_go_before_the_tried_rate_and_that_before_the_tasks(
    tmp_path: Path,
) -> None:
    of_task = {"learning_rate": 0.02, "clip": 0.5, "augment.displaced_m": 0.0}
    of_variant = {"learning_rate": 0.01, "clip": 1.0}
    varied = {"task": "grasp_lift", "arm": "scratch", "seed": 1, "overrides": of_variant}
    run = config(tasks={"grasp_lift": {**LIFT, "overrides": of_task}}, variants={"loose": varied})
    plan = Plan(run, tmp_path, 1)
    for rate in run.scratch_learning_rates:
        trained(plan.trial(rate), rate, 0.1)
    for cell in plan.cells:
        trained(plan.policy(cell), 0.2, 0.1)
    tried = plan.scratch_rate()
    jobs = {job.name: job.argv for stage in plan.stages() for job in stage}
    said = {name: jobs[f"finetune/grasp_lift/{name}_n3_s1"] for name in ("loose", "scratch", "hop")}
    for name, rate, clip in (("loose", 0.01, 1.0), ("scratch", tried, 0.5), ("hop", 0.02, 0.5)):
        wanted = {f"learning_rate={rate}", f"clip={clip}", "augment.displaced_m=0.0"}
        assert wanted <= set(said[name])
        assert sum(word.startswith(("clip=", "learning_rate=")) for word in said[name]) == 2


def test_a_curve_may_have_fewer_seeds_than_its_end() -> None:
    of_one = {"grasp_lift": {**LIFT, "fewer_seeds": [1]}}
    found = [cell.name for cell in cells(config(tasks=of_one)) if cell.demos == 2]
    assert found == ["grasp_lift/hop_n2_s1"]
    both = [cell.seed for cell in cells(config()) if cell.demos == 2]
    assert both == [0, 1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {"juggle": LIFT}}, "unknown task 'juggle'"),
        ({"bases": {}}, r"arms \['hop'\] are not among the bases"),
        ({"rollouts": 0}, "rollouts"),
        ({"scratch_learning_rates": [1e-3, 1.0000001e-3]}, "0.001, 0.001 holds one twice"),
        ({"tasks": {"grasp_lift": {**LIFT, "fewer_arms": ["hop", "hop"]}}}, "fewer_arms: names"),
        ({"tasks": {"grasp_lift": {**LIFT, "attempts": 2}}}, "attempts"),
        ({"tasks": {"grasp_lift": {**LIFT, "fewer": [3]}}}, "fewer"),
        (
            {"tasks": {"grasp_lift": {**LIFT, "in_conditions": ["masked"]}}},
            r"in_conditions: \['masked'\] are not its arms",
        ),
        ({"conditions": {"../moved": {"noise": 2.0}}}, r"conditions.*\.\./moved"),
        ({"conditions": {}}, "in_conditions: there are no conditions"),
        (
            {"tasks": {"grasp_lift": {**LIFT, "in_conditions": []}}},
            "conditions: no task's in_conditions",
        ),
        ({"tasks": {"grasp_lift": {**LIFT, "fewer_arms": []}}}, "fewer_arms go together"),
        ({"tasks": {"grasp_lift": {**LIFT, "fewer": []}}}, "fewer_arms go together"),
        (
            {"bases": {**SMALL["bases"], "scratch": {}}},
            "'scratch' is the arm without a base",
        ),
        ({"tasks": {"grasp_lift": {**LIFT, "seeds": [0, 0]}}}, "seeds: names something twice"),
        ({"variants": {"hop": SMALL["variants"]["quiet"]}}, "variants.hop: is the name of an arm"),
        ({"conditions": {"moved": {"shift": [0.05, 0.0, 0.0]}}}, "conditions.moved.shift"),
        ({"conditions": {"moved": {"noise": -1.0}}}, "noise must be a number from 0 on, got -1.0"),
        (
            {"variants": {"quiet": {**SMALL["variants"]["quiet"], "seed": 7}}},
            "variants.quiet: is of no run",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_told(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_every_arm_learns_from_the_same_demonstrations_for_the_same_steps(tmp_path: Path) -> None:
    plan = Plan(config(scratch_learning_rates=[1.0e-3]), tmp_path, cores=2)
    for cell in plan.cells:
        trained(plan.policy(cell), 0.2, 0.1)
    jobs = {job.name: " ".join(job.argv) for stage in plan.stages() for job in stage}
    assert len(jobs) == plan.count - 4  # the last weights are the best ones here
    hop, scratch = (jobs[f"finetune/grasp_lift/{arm}_n3_s1"] for arm in ("hop", "scratch"))
    start = f" --init {tmp_path}/bases/hop"
    assert hop.replace(start, "").replace("/hop_n3", "/scratch_n3") == scratch.replace(
        " learning_rate=0.001", ""
    )
    assert "--objects masked" in jobs["pretrain/masked"]
    assert jobs["finetune/grasp_lift/quiet_n3_s0"].endswith("augment.arm_noise_std=0.0")
    nearest = jobs["eval/grasp_lift/hop_n3_s0"]
    assert "--controls blind nearest zero" in nearest
    assert "--most 3" in nearest
    moved = jobs["eval/grasp_lift/hop_n3_s0_in_moved"]
    camera = " --realism.jitter 1.0 --realism.noise 2.0 --realism.shift-m 0.05 0.0 0.0"
    agents = f"{camera} --controls"
    assert moved.endswith(agents)
    assert moved.replace(camera, "").replace("_in_moved", "") == nearest.replace(
        " blind nearest zero", ""
    ).replace(f" --demos {tmp_path}/demos --most 3", "")


def test_random_reaches_pass_the_same_filter_as_the_hands_that_they_stand_beside(
    tmp_path: Path,
) -> None:
    bases = {"hop": {}, "reaches": {"tracks": "reaches"}}
    plan = Plan(config(bases=bases, scratch_learning_rates=[1.0e-3]), tmp_path, cores=2)
    for cell in plan.cells:
        trained(plan.policy(cell), 0.1, 0.1)
    jobs = {job.name: " ".join(job.argv) for stage in plan.stages() for job in stage}
    for step in ("retarget", "thin", "render"):
        assert jobs[f"{step}/hands"].replace("hands", "reaches") == jobs[f"{step}/reaches"]
    for base, corpus in (("hop", "hands"), ("reaches", "reaches")):
        kept = tyro.cli(pretrain_cli.Arguments, args=jobs[f"pretrain/{base}"].split()[1:])
        assert (kept.kept, kept.stores) == ("contact", (str(tmp_path / "stores" / corpus),))


def test_a_training_that_was_stopped_goes_on_with_the_data_that_it_began_with(
    tmp_path: Path,
) -> None:
    bases = {**SMALL["bases"], "reaches": {"tracks": "reaches"}}
    plan = Plan(config(bases=bases, scratch_learning_rates=[1.0e-3]), tmp_path, cores=2)
    for cell in plan.cells:
        trained(plan.policy(cell), 0.1, 0.1)
    jobs = [job for stage in plan.stages() for job in stage if job.again]
    verbs = {"pretrain": pretrain_cli.Arguments, "finetune": finetune_cli.Arguments}
    assert len(jobs) == len(plan.config.bases) + len(plan.cells)
    for job in jobs:
        kind = verbs[job.argv[0]]
        begun, again = (tyro.cli(kind, args=list(argv[1:])) for argv in (job.argv, job.again))
        set_once = {"config": None, "init": None, "seed": None, "vision": None, "set": ()}
        assert again == replace(begun, resume=True, **set_once)


def test_a_seed_is_rolled_out_once_it_is_trained_and_beside_the_next(tmp_path: Path) -> None:
    tasks = {"grasp_lift": {**LIFT, "seeds": [0, 1, 2]}}
    run = config(scratch_learning_rates=[1.0e-3], tasks=tasks)
    plan = Plan(run, tmp_path, cores=2)
    cell_of = {f"finetune/{cell.name}": cell for cell in plan.cells}
    stages = []
    for stage in plan.stages():  # each is asked for when those before it are done
        stages.append([job.name for job in stage])
        for name in cell_of.keys() & set(stages[-1]):
            trained(plan.policy(cell_of[name]), 0.2, 0.1 if name.endswith("s0") else 0.3)
    at = {name: number for number, stage in enumerate(stages) for name in stage}
    assert len(at) == sum(len(stage) for stage in stages)
    rollouts = {name for name in at if name.startswith("eval/")}
    assert {name.removeprefix("eval/") for name in rollouts} >= {cell.name for cell in plan.cells}
    last = {seed: max(at[name] for name in rollouts if f"_s{seed}" in name) for seed in (0, 1, 2)}
    assert last[0] < last[1] < last[2] == len(stages) - 1
    last_weights = {name for name in rollouts if "_last" in name}
    assert last_weights == {
        f"eval/grasp_lift/{arm}_n3_s{s}_last" for arm in ("hop", "scratch") for s in (1, 2)
    }
    for cell in plan.cells:
        assert at[f"finetune/{cell.name}"] < at[f"export/{cell.name}"] < at[f"eval/{cell.name}"]
        if cell.seed:
            assert at[f"finetune/{cell.name}"] == last[cell.seed - 1]


def test_too_few_demonstrations_are_told_before_anything_is_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = dict(enumerate(["failure"] * 4))
    monkeypatch.setattr("hop_sim.table1.plan.find_episodes", lambda *_: list(labels))
    monkeypatch.setattr(
        "hop_sim.table1.plan.open_episode", lambda number: SimpleNamespace(label=labels[number])
    )
    make(tmp_path / "demos/grasp_lift")
    for successes in range(3):
        stages = Plan(config(), tmp_path, 2).stages()
        assert [job.name for job in next(stages)] == ["collect/grasp_lift"]
        with pytest.raises(ConfigError, match=f"{successes} of the expert's 4 attempts succeed"):
            next(stages)
        labels[successes] = "success"
    stages = Plan(config(), tmp_path, 2).stages()
    assert [job.name for job in (*next(stages), *next(stages))][1] == "tracks/hands"


def test_scratch_takes_the_learning_rate_with_the_least_validation_loss(tmp_path: Path) -> None:
    plan = Plan(config(), tmp_path, cores=2)
    trained(plan.trial(1.0e-4), 0.3, 0.3)
    trained(plan.trial(1.0e-3), 0.2, 0.4)
    assert plan.scratch_rate() == 1.0e-3
    tried, other = (cell for cell in plan.cells if cell.arm == "scratch")
    assert plan.policy(tried) == plan.trial(1.0e-3)  # and is not trained again
    for cell in plan.cells:
        if cell != tried:
            trained(plan.policy(cell), 0.2, 0.1)
    jobs = [job.name for stage in plan.stages() for job in stage]
    assert f"finetune/{tried.name}" not in jobs
    assert f"finetune/{other.name}" in jobs
    assert jobs[0] == "collect/grasp_lift"


def test_a_job_is_done_once_and_by_one_command(tmp_path: Path) -> None:
    def job(count: int) -> Job:
        return Job("tracks/hands", ("tracks", "generate", "-n", str(count), "-o", str(tmp_path)))

    told: list[str] = []
    assert read_records(tmp_path) == []
    for _ in range(2):
        runner = JobRunner(tmp_path, 1, told.append)
        runner.run([job(1)])
        assert runner.ended == 1
    assert len(told) == len(read_sittings(tmp_path)) == 1
    assert "1 written" in (tmp_path / "logs/tracks/hands.log").read_text()
    (record,) = read_records(tmp_path)
    assert (record.name, record.argv) == ("tracks/hands", job(1).argv)
    with pytest.raises(ConfigError, match="'tracks/hands' was begun by another command"):
        JobRunner(tmp_path, 1, told.append).run([job(2)])
    with pytest.raises(ConfigError, match="'tracks/hands' was begun by another configuration"):
        JobRunner(tmp_path, 1, told.append).run([replace(job(1), settings="other")])
    JobRunner(tmp_path, 1, told.append).run([replace(job(1), aside=("--seed", "3"))])
    assert len(told) == 1


def test_another_training_configuration_is_another_job_and_another_machine_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recorded(cores: int) -> dict[str, tuple[tuple[str, ...], str]]:
        plan = Plan(config(scratch_learning_rates=[1.0e-3]), tmp_path, cores)
        for cell in plan.cells:
            trained(plan.policy(cell), 0.2, 0.1)
        jobs = [job for stage in plan.stages() for job in stage]
        return {job.name: (job.argv, job.settings) for job in jobs}

    folder = tmp_path / "config"
    shutil.copytree(config_path("train.yaml").parent, folder)
    monkeypatch.setenv("HOP_CONFIG_DIR", str(folder))
    before = recorded(cores=2)
    assert recorded(cores=8) == before
    file = folder / "train.yaml"
    file.write_text(file.read_text().replace("clip: 0.25", "clip: 0.5"))
    changed = {name for name, job in recorded(cores=2).items() if job != before[name]}
    assert changed == {name for name in before if name.startswith("finetune/")}
    file = folder / "tasks/grasp_lift.yaml"
    file.write_text(file.read_text().replace("lift_height_m: 0.10", "lift_height_m: 0.05"))
    changed |= {"collect/grasp_lift"}
    assert {name for name, job in recorded(cores=2).items() if job != before[name]} == changed


def test_a_job_that_fails_is_told_with_its_reason_and_tried_again(tmp_path: Path) -> None:
    job = Job("check", ("tracks", "check", str(tmp_path / "none")))
    for _ in range(2):
        with pytest.raises(HopError, match=r"'check' failed \(exit code 1\): .*none"):
            JobRunner(tmp_path, 1, lambda _line: None).run([job])
    assert (tmp_path / "logs/check.log").read_text().count("$ hop tracks check") == 2
    for out in (tmp_path / "logs/check.log", Path("/proc/none")):
        with pytest.raises(HopError, match=f"{out}: cannot be written to"):
            JobRunner(out, 1, lambda _line: None).run([job])


@pytest.mark.parametrize("says", ["", "more than the log takes"])
def test_a_log_that_takes_nothing_more_is_told_with_its_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    """The disk is full from the beginning, or once the command says something."""
    log = make(tmp_path / "logs") / "check.log"
    if not says:
        log.symlink_to("/dev/full")

    def run(*_: object) -> int:
        sys.stdout.flush()
        os.dup2(os.open("/dev/full", os.O_WRONLY), sys.stdout.fileno())
        print(says)
        return 0

    monkeypatch.setattr("hop_sim.table1.jobs.run_verb", run)
    sentence = f"'check' failed: {tmp_path}: cannot be written to: No space left on device"
    with pytest.raises(HopError, match=re.escape(sentence)):
        JobRunner(tmp_path, 1, lambda _line: None).run([Job("check", ("tracks", "check"))])
    assert [record.wall_s for record in read_records(tmp_path)] == [None]


def test_a_run_is_the_same_however_its_folder_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    monkeypatch.setattr(
        "hop_sim.table1.jobs.run_verb", lambda _group, _hop, argv: ran.append(argv[0]) or 0
    )
    run, inside = make(tmp_path / "some/run"), tmp_path / "some/run"
    spellings = [
        (tmp_path, "some/run"),
        (tmp_path, str(run)),
        (inside, "."),
        (tmp_path, "some/run"),
    ]

    def job(out: Path, demos: str) -> Job:
        return Job("finetune/a", command("finetune", out / demos, "--most", 3, "-o", out / "a"))

    def do(out: Path, *jobs: Job) -> None:
        JobRunner(out, 1, lambda _line: None).run(jobs)

    for begun_from, begun_as in spellings:
        shutil.rmtree(run / "jobs", ignore_errors=True)
        monkeypatch.chdir(begun_from)
        do(Path(begun_as), job(Path(begun_as), "demos"))
        ran.clear()
        for folder, spelled in spellings:
            monkeypatch.chdir(folder)
            do(Path(spelled), job(Path(spelled), "demos"))
            for other in (job(Path(spelled), "others"), job(Path("/elsewhere"), "demos")):
                with pytest.raises(ConfigError, match="'finetune/a' was begun by another command"):
                    do(Path(spelled), other)
        assert ran == []


def test_a_job_that_goes_on_with_other_code_tells_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that got nowhere was done by the last code alone."""
    state = tmp_path / "state"

    def code_of(job: Job, *commits: str) -> str:
        shutil.rmtree(tmp_path / "jobs", ignore_errors=True)
        for commit in commits:
            monkeypatch.setattr("hop_sim.table1.jobs.source_commit", lambda commit=commit: commit)
            ends = 0 if commit == commits[-1] else INTERRUPTED
            monkeypatch.setattr("hop_sim.table1.jobs.run_verb", lambda *_, ends=ends: ends)
            with suppress(KeyboardInterrupt):
                JobRunner(tmp_path, 1, lambda _line: None).run([job])
        (record,) = read_records(tmp_path)
        assert record.wall_s is not None
        return record.commit

    goes_on_itself, training = Job("eval/a", ("eval",)), Job("finetune/a", ("finetune",), state)
    assert code_of(goes_on_itself, "a1", "a1") == "a1"
    assert code_of(goes_on_itself, "a1", "b2", "a1", "c3") == "a1 and b2 and c3"
    assert code_of(goes_on_itself, "", "b2") == "an unknown commit and b2"
    assert code_of(training, "a1", "b2") == "b2"
    state.touch()
    assert code_of(training, "a1", "b2") == "a1 and b2"
    results = Results(Plan(config(), tmp_path, cores=2))
    assert "; 1 by the code of a1 and b2." in page_of(results)


def test_a_job_that_nobody_expected_to_fail_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise MemoryError("no more")

    monkeypatch.setattr("hop_sim.table1.jobs.run_verb", fail)
    with pytest.raises(HopError, match=r"'check' failed \(exit code 1\): MemoryError: no more"):
        JobRunner(tmp_path, 1, lambda _line: None).run([Job("check", ("tracks", "check"))])
    assert "Traceback" in (tmp_path / "logs/check.log").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrain": {"config": "train_pre.yaml", "max_steps": 2}}, r"train_pre\.yaml"),
        ({"bases": {"hop": {"overrides": {"augmnt.roll": 1}}}}, "augmnt"),
        ({"tasks": {"grasp_lift": {**LIFT, "overrides": {"clip": "much"}}}}, "clip"),
    ],
)
def test_a_training_that_cannot_be_configured_is_told_before_anything_is_made(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump({**SMALL, **changes}))
    with pytest.raises(ConfigError, match=message):
        table1_cli.main(["-o", str(tmp_path / "run"), "--config", str(file)])
    assert not (tmp_path / "run/jobs").exists()


def test_a_run_whose_job_is_interrupted_is_interrupted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hop_sim.table1.jobs.run_verb", lambda *_: INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        JobRunner(tmp_path, 1, lambda _line: None).run([Job("check", ("tracks", "check"))])
    assert [record.wall_s for record in read_records(tmp_path)] == [None]


def test_a_training_that_was_stopped_goes_on_by_the_configuration_that_began_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []
    state = tmp_path / "state"

    def stopped(_group: str, _program: str, argv: list[str]) -> int:
        commands.append(argv)
        state.touch()
        return INTERRUPTED if len(commands) < 2 else 0

    monkeypatch.setattr("hop_sim.table1.jobs.run_verb", stopped)
    runner = JobRunner(tmp_path, 1, lambda _line: None)
    job = Job("finetune/x", ("finetune", "slowly"), state, ("finetune", "--resume"), "a")
    with pytest.raises(KeyboardInterrupt):
        runner.run([job])
    for other in (replace(job, argv=("finetune", "fast")), replace(job, settings="b")):
        with pytest.raises(ConfigError, match="'finetune/x' was begun by another"):
            runner.run([other])
    runner.run([job])
    assert commands == [["finetune", "slowly"], ["finetune", "--resume"]]
    state.unlink()  # what got nowhere binds nobody
    _write_record(tmp_path, replace(read_records(tmp_path)[0], wall_s=None))
    runner.run([replace(job, settings="b")])


@pytest.mark.parametrize(
    "text", ["{", "{}", '{"name": "a", "argv": [], "settings": "", "wall_s": "long"}']
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "jobs/check.json"
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"check\.json is damaged; remove it"):
        JobRunner(tmp_path, 1, lambda _line: None).run([Job("check", ("tracks", "check"))])


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(HopError, match="another run is at work here"):
        JobRunner(tmp_path, 1, lambda _line: None).run([])
    JobRunner(tmp_path, 1, lambda _line: None).run([])


def test_the_page_tells_what_was_run_and_what_was_not(tmp_path: Path) -> None:
    plan = Plan(config(), tmp_path, cores=2)
    for cell in plan.cells:
        if cell.arm == "hop" and cell.demos == 3 and not cell.variant:
            trained(plan.policy(cell), 0.1, 0.2)
            agents = {"policy": [True, True, True, False]}
            if cell.seed == 0:
                agents |= {"zero": [False] * 4, "nearest": [True]}  # the latter was interrupted
            rolled_out(plan.outcomes(cell), agents)
    page = page_of(Results(plan))
    of_task = page.partition("paired rollouts a policy")[2].partition("**")[0]
    lines = {line.split(" | ")[0].strip("| "): line for line in of_task.splitlines()}
    assert page.startswith(BEGIN)
    assert f"0 of at most {plan.count} jobs are done." in page
    assert page.rstrip().endswith(END)
    assert "0.75 (6/8)" in lines["hop"]
    assert "0.75 (3/4), 0.75 (3/4)" in lines["hop"]
    assert "0.00 (0/4)" in lines["zero"]
    assert "not run" in lines["scratch"]
    assert "not run" in lines["nearest"]
    assert "not run" in lines["blind (hop, seed 0)"]


def test_last_weights_have_a_row_of_their_own_once_all_seeds_have_them(tmp_path: Path) -> None:
    plan = Plan(config(), tmp_path, cores=2)
    row = "| hop, last weights | 0.00 (0/8) |"
    for cell in plan.cells:
        if cell.arm == "hop" and cell.demos == 3 and not cell.variant:
            trained(plan.policy(cell), 0.1, 0.2)
            rolled_out(plan.outcomes(cell), {"policy": [True] * 4})
            assert row not in page_of(Results(plan))
            rolled_out(plan.outcomes(cell, last=True), {"policy": [False] * 4})
    assert row in page_of(Results(plan))


def test_a_single_run_has_wilsons_interval_wherever_it_stands(tmp_path: Path) -> None:
    plan = Plan(config(), tmp_path, cores=2)
    (quiet,) = (cell for cell in plan.cells if cell.variant == "quiet")
    trained(plan.policy(quiet), 0.1, 0.2)
    rolled_out(plan.outcomes(quiet), {"policy": [True] * 4})
    assert "| augment.arm_noise_std = 0.0 | 1.00 (0.51-1.00) | not run |" in page_of(Results(plan))


def test_a_variant_is_compared_with_the_run_that_it_varies_and_no_other(tmp_path: Path) -> None:
    plan = Plan(config(rollouts=6), tmp_path, cores=2)
    (quiet,) = (cell for cell in plan.cells if cell.variant == "quiet")
    for cell in plan.cells:
        if cell == quiet or (cell.arm == "hop" and cell.demos == quiet.demos):
            trained(plan.policy(cell), 0.1, 0.2)
            rolled_out(plan.outcomes(cell), {"policy": [cell == quiet or cell.seed == 1] * 6})
    row = "| 1.00 (0.61-1.00) | +1.00 (+1.00 to +1.00), over states alone |"
    assert f"| augment.arm_noise_std = 0.0 {row}" in page_of(Results(plan))


def test_variants_of_one_run_are_compared_with_the_first_of_them(tmp_path: Path) -> None:
    quiet = SMALL["variants"]["quiet"]
    loud = {**quiet, "overrides": {"augment.arm_noise_std": 0.5}}
    plan = Plan(config(rollouts=6, variants={"quiet": quiet, "loud": loud}), tmp_path, cores=2)
    for cell in plan.cells:
        if cell.variant:
            trained(plan.policy(cell), 0.1, 0.2)
            rolled_out(plan.outcomes(cell), {"policy": [cell.variant == "loud"] * 6})
    page = page_of(Results(plan))
    assert "| augment.arm_noise_std = 0.0 | 0.00 (0.00-0.39) | not run |  |" in page
    loud_row = "| 1.00 (0.61-1.00) | not run | +1.00 (+1.00 to +1.00), over states alone |"
    assert f"| augment.arm_noise_std = 0.5 {loud_row}" in page


def test_the_first_arm_is_compared_with_each_of_its_controls(tmp_path: Path) -> None:
    arms = {"grasp_lift": {**LIFT, "arms": ["hop", "scratch", "masked"]}}
    plan = Plan(config(rollouts=6, tasks=arms), tmp_path, cores=2)
    heading = "what the arm `hop` is ahead of its controls by"
    assert "| masked | not run |" in page_of(Results(plan)).partition(heading)[2]
    for cell in plan.cells:
        if cell.arm in ("hop", "masked") and cell.demos == 3 and not cell.variant:
            trained(plan.policy(cell), 0.1, 0.2)
            rolled_out(plan.outcomes(cell), {"policy": [cell.arm == "hop"] * 6})
    rows = page_of(Results(plan)).partition(heading)[2].partition("**grasp_lift")[0]
    assert "| masked | +1.00 (+1.00 to +1.00) |" in rows
    assert "scratch" not in rows
    assert heading not in page_of(Results(Plan(config(), tmp_path, cores=2)))


def test_a_curve_says_what_pretraining_adds_at_each_count_of_demonstrations(tmp_path: Path) -> None:
    both = {"grasp_lift": {**LIFT, "fewer_arms": ["hop", "scratch"]}}
    plan = Plan(config(scratch_learning_rates=[1.0e-3], rollouts=6, tasks=both), tmp_path, cores=2)
    for cell in plan.cells:
        if cell.demos == 2 and cell.seed == 0:
            trained(plan.policy(cell), 0.1, 0.2)
            rolled_out(plan.outcomes(cell), {"policy": [cell.arm == "hop"] * 6})
    row = "| hop minus scratch | +1.00 (+1.00 to +1.00), over states alone | not run |"
    assert row in page_of(Results(plan))


def test_a_difference_says_what_its_interval_is_over(tmp_path: Path) -> None:
    plan = Plan(config(scratch_learning_rates=[1.0e-3], rollouts=6), tmp_path, cores=2)
    runs = {
        (cell.arm, cell.seed): cell for cell in plan.cells if cell.demos == 3 and not cell.variant
    }
    for done, over in (
        ([("hop", 0), ("scratch", 0)], ", over states alone |"),
        ([("hop", 1)], ", over states and one arm's training seeds |"),
        ([("scratch", 1)], " |"),
    ):
        for key in done:
            trained(plan.policy(runs[key]), 0.1, 0.2)
            rolled_out(plan.outcomes(runs[key]), {"policy": [key[0] == "hop"] * 6})
        assert f"+1.00 (+1.00 to +1.00){over}" in page_of(Results(plan))


def test_a_bound_that_is_nearly_none_tells_its_side() -> None:
    shown = Interval(0.09, 0.0033, 0.18, seeds=(3, 3), states=100, chance=0.01)
    assert _difference(shown) == "+0.09 (+0.003 to +0.18)"
    assert _difference(replace(shown, low=-0.01)) == "+0.09 (-0.01 to +0.18), no difference shown"


def test_a_worse_camera_stands_beside_the_usual_one(tmp_path: Path) -> None:
    plan = Plan(config(rollouts=6), tmp_path, cores=2)
    hop = plan.first_cell("grasp_lift", "hop")
    trained(plan.policy(hop), 0.1, 0.2)
    rolled_out(plan.outcomes(hop), {"policy": [True] * 6})
    started = "| grasp_lift | hop | 0 | 1.00 (0.61-1.00) |"
    assert f"{started} not run | not run |" in page_of(Results(plan))
    moved = plan.outcomes(hop, condition="moved")
    rolled_out(moved, {"policy": [False] * 6}, realism={"noise": 2.0})
    page = page_of(Results(plan))
    assert "moved (jitter 1, noise 2, shift_m 0.05 0 0)" in page
    assert f"{started} 0.00 (0.00-0.39) | -1.00 (-1.00 to -1.00), over states alone |" in page
    moved.unlink()
    rolled_out(moved, {"policy": [False] * 4}, task_hash="b", realism={"noise": 2.0})
    with pytest.raises(EvaluationError, match="task_hash is b there and a here"):
        page_of(Results(plan))


def test_outcomes_of_another_task_do_not_stand_beside_the_others(tmp_path: Path) -> None:
    plan = Plan(config(scratch_learning_rates=[1.0e-3]), tmp_path, cores=2)
    hop, *_ = plan.cells
    scratch = next(cell for cell in plan.cells if cell.arm == "scratch")
    for cell in (hop, scratch):
        trained(plan.policy(cell), 0.1, 0.2)
        rolled_out(plan.outcomes(cell), {"policy": [True] * 4}, task_hash=cell.arm)
    with pytest.raises(EvaluationError, match="task_hash is scratch there and hop here"):
        page_of(Results(plan))


def test_rollouts_of_another_setting_are_told_before_hours_are_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Job] = []
    monkeypatch.setattr(JobRunner, "run", lambda _self, jobs: begun.extend(jobs))
    monkeypatch.setattr(Plan, "stages", lambda _self: iter([["a stage"]]))
    command = ["-o", str(tmp_path), "--config", "table1.yaml"]
    plan = Plan(load_config(config_path("table1.yaml"), Table1Config), tmp_path, cores=2)
    hop = plan.first_cell("grasp_lift")
    file = plan.outcomes(hop)
    trained(plan.policy(hop), 0.1, 0.2)
    cell = CellSpec("grasp_lift", Realism(noise=2.0))  # a condition's camera is no other setting
    with OutcomeFile(file, EvalRun(cell, [], [], workers=1).setting("lock-step")):
        pass
    assert table1_cli.main(command) == 0
    assert begun == ["a stage"]
    monkeypatch.setattr("hop_sim.eval_run.MOVES", -1)
    with pytest.raises(EvaluationError, match=r"moves is \d+ there and -1 here; remove outcomes/"):
        table1_cli.main(command)
    assert begun == ["a stage"]


def test_a_run_goes_on_by_its_own_configuration_and_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[Plan] = []
    monkeypatch.setattr(Plan, "stages", lambda plan: iter(ran.append(plan) or ()))
    mine, run = tmp_path / "mine.yaml", tmp_path / "run"
    mine.write_text(yaml.safe_dump({**SMALL, "name": "mine"}))
    command = ["-o", str(run)]
    assert table1_cli.main([*command, "--config", str(mine)]) == 0
    assert table1_cli.main(command) == 0
    assert [plan.config.name for plan in ran] == ["mine", "mine"]
    assert "this run goes on by" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"is a run of another configuration than .*its own is"):
        table1_cli.main([*command, "--config", "table1_paper.yaml"])
    assert (run / CONFIG).read_bytes() == mine.read_bytes()
    assert len(ran) == 2


def test_rollouts_of_other_weights_are_told_before_hours_are_spent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a policy that was trained anew; and where no weights are, of one another."""
    monkeypatch.setattr(table1_cli, "require_present_settings", lambda _plan: None)
    (tmp_path / CONFIG).write_text(yaml.safe_dump(SMALL))
    plan = Plan(config(), tmp_path, cores=2)
    hop = plan.first_cell("grasp_lift", "hop")
    policy = plan.policy(hop)
    trained(policy, 0.1, 0.2)
    network = PolicyConfig(layers=1, width=16, heads=2)
    ck.save_config(policy, ck.CheckpointConfig(contract=load_contract(), model=network))
    (policy / ck.WEIGHTS).write_bytes(b"some")
    own = str(checkpoint_identity(policy)["checkpoint"])
    begun: list[Job] = []
    monkeypatch.setattr(JobRunner, "run", lambda _self, jobs: begun.extend(jobs))
    monkeypatch.setattr(Plan, "stages", lambda _plan: iter([["a stage"]]))
    rolled_out(plan.outcomes(hop), {"policy": [True] * 4}, checkpoint=own)
    rolled_out(plan.outcomes(hop, condition="moved"), {"policy": [True] * 4}, checkpoint=own)
    command = ["-o", str(tmp_path)]
    assert table1_cli.main(command) == 0
    assert begun == ["a stage"]
    (policy / ck.WEIGHTS).write_bytes(b"others")
    with pytest.raises(EvaluationError, match=r"hop_n3_s0.jsonl was rolled out by other weights"):
        table1_cli.main(command)
    (policy / ck.LAST_WEIGHTS).write_bytes(b"last")
    (policy / ck.WEIGHTS).write_bytes(b"some")
    at_last = plan.outcomes(hop, last=True)
    rolled_out(at_last, {"policy": [True] * 4}, checkpoint="of other last weights")
    with pytest.raises(EvaluationError, match=r"remove it and jobs/eval/.*hop_n3_s0_last.json"):
        table1_cli.main(command)
    at_last.unlink()
    assert begun == ["a stage"]
    for file in (ck.WEIGHTS, ck.CONFIG):
        (policy / file).unlink()
    assert table1_cli.main(command) == 0
    moved = plan.outcomes(hop, condition="moved")
    moved.unlink()
    rolled_out(moved, {"policy": [True] * 4}, checkpoint="another")
    with pytest.raises(EvaluationError, match=r"remove it and jobs/eval/.*hop_n3_s0_in_moved.json"):
        table1_cli.main(command)
    moved.unlink()
    (policy / ck.METRICS).unlink()
    with pytest.raises(EvaluationError, match=r"hop_n3_s0 is no longer there"):
        table1_cli.main(command)
    assert begun == ["a stage"] * 2


@pytest.mark.parametrize("name", ["grasp_lift/hop_n3_s1", "grasp_lift/scratch_n3_s0"])
def test_a_lost_policy_is_told_with_all_that_has_it_made_again(tmp_path: Path, name: str) -> None:
    plan = Plan(config(), tmp_path, cores=2)
    for rate in plan.config.scratch_learning_rates:
        trained(plan.trial(rate), rate, 1.0)
    for cell in plan.cells:
        trained(plan.policy(cell), 1.0e-4, 1.0)
        for job, file in plan.rollouts(cell).items():
            seen = "a condition" if "_in_" in job else None
            rolled_out(file, {"policy": [True] * 4}, realism=seen)
    jobs = [job for stage in plan.stages() for job in stage]
    for job in jobs:
        _write_record(plan.out, Record(job.name, job.argv, job.settings, 60.0))
    require_present_policies(plan)
    lost = next(cell for cell in plan.cells if cell.name == name)
    shutil.rmtree(plan.policy(lost))
    with pytest.raises(EvaluationError, match="is no longer there, but what came of it") as told:
        require_present_policies(plan)
    named = re.search(rf"or remove (.*) of {tmp_path}", str(told.value))
    assert named is not None
    for file in named[1].split(", "):
        (tmp_path / file).unlink()
    require_present_policies(plan)
    assert not any(file.exists() for file in plan.rollouts(lost).values())
    again = {job.name for job in jobs} - {record.name for record in read_records(tmp_path)}
    of_it = {f"export/{name}", f"eval/{name}", f"eval/{name}_last"}
    assert again == of_it | {"trial/0.0001" if lost.arm == "scratch" else f"finetune/{name}"}


def test_a_policy_that_is_still_trained_is_not_lost(tmp_path: Path) -> None:
    plan = Plan(config(), tmp_path, cores=2)
    _write_record(plan.out, Record(f"finetune/{plan.cells[0].name}", ("finetune",), "a", None))
    require_present_policies(plan)


def test_rollouts_of_two_forms_do_not_stand_in_one_table(tmp_path: Path) -> None:
    """Best weights alone: the last ones have one form. Older outcomes do not say theirs."""
    plan = Plan(config(scratch_learning_rates=[1.0e-3]), tmp_path, cores=2)
    hop, scratch = plan.first_cell("grasp_lift", "hop"), plan.first_cell("grasp_lift", "scratch")
    for cell in (hop, scratch):
        trained(plan.policy(cell), 0.1, 0.2)
    rolled_out(plan.outcomes(hop), {"policy": [True] * 4}, form="exported")
    rolled_out(plan.outcomes(hop, last=True), {"policy": [True] * 4}, form="eager")
    rolled_out(plan.outcomes(scratch), {"policy": [True] * 4})
    assert "| hop | 1.00 (4/4)" in page_of(Results(plan))
    for file in (plan.outcomes(scratch), plan.outcomes(hop, condition="moved")):
        file.unlink(missing_ok=True)
        rolled_out(file, {"policy": [True] * 4}, form="eager")
        with pytest.raises(
            EvaluationError, match=rf"{file.name} was rolled out in the form 'eager'"
        ):
            page_of(Results(plan))
        file.unlink()
    network = PolicyConfig(layers=1, width=16, heads=2)
    policy = plan.policy(hop)
    ck.save_config(policy, ck.CheckpointConfig(contract=load_contract(), model=network))
    (policy / ck.WEIGHTS).write_bytes(b"some")
    own = str(checkpoint_identity(policy)["checkpoint"])
    plan.outcomes(hop).unlink()
    plan.outcomes(hop, last=True).unlink()
    rolled_out(plan.outcomes(hop), {"policy": [True] * 4}, checkpoint=own, form="exported")
    with pytest.raises(EvaluationError, match=r"form 'exported', other than .*hop_n3_s0 has now"):
        page_of(Results(plan))
    (policy / ck.EXPORT_SEAL).touch()
    (policy / ck.EXPORT).touch()
    assert "| hop | 1.00 (4/4)" in page_of(Results(plan))


@pytest.mark.parametrize("there", [0, 3])
def test_rollouts_that_are_recorded_and_not_there_are_told(tmp_path: Path, there: int) -> None:
    """They were done: a table without them would tell something else than was found."""
    plan = Plan(config(), tmp_path, cores=2)
    hop = plan.first_cell("grasp_lift", "hop")
    trained(plan.policy(hop), 0.1, 0.2)
    if there:
        rolled_out(plan.outcomes(hop), {"policy": [True] * there})
    assert "| hop | not run |" in page_of(Results(plan))
    _write_record(plan.out, Record(f"eval/{hop.name}", ("eval",), "a", 60.0))
    with pytest.raises(EvaluationError, match=rf"holds {there} of 4 rollouts of '.*as done"):
        page_of(Results(plan))


def test_tables_go_between_their_marks_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "results.md"
    file.write_text(f"# Results\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    tables = f"{BEGIN}\n\nnew\n\n{END}\n"
    splice(file, tables)
    assert file.read_text() == f"# Results\n\nbefore\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    file.write_text("# Results\n")
    with pytest.raises(ConfigError, match="must hold the lines"):
        splice(file, tables)


def test_what_is_kept_gives_the_same_tables(tmp_path: Path) -> None:
    tiny = config(scratch_learning_rates=[1.0e-3])
    run, kept = Plan(tiny, tmp_path / "run", cores=2), Plan(tiny, tmp_path / "kept", cores=2)
    for cell in run.cells:
        trained(run.policy(cell), 0.1, 0.2)
        make(run.policy(cell)).joinpath("model.safetensors").touch()
        rolled_out(run.outcomes(cell), {"policy": [True, False, True, cell.arm == "hop"]})
    trained(run.base("hop"), 0.3, 0.4)
    (run.base("hop") / ck.WEIGHTS).write_bytes(b"weights of a base")
    make(run.store("hands").parent)
    figures = {"tracks": 4, "objects": 2, "trajectories": 6, "frames": 1200}
    figures["tracks_with_nothing_kept"] = 1
    run.corpus_figures("hands").write_text(json.dumps(figures))
    (run.out / CONFIG).write_text("name: tiny\n")
    goes = [{"began": f"2026-01-0{day}", "cores": 2, "wall_s": 4500.0} for day in (1, 2)]
    (run.out / SITTINGS).write_text(json.dumps(goes))
    for name in ("pretrain/hop", "thin/hands"):
        _write_record(run.out, Record(name, ("pretrain",), "a", 60.0, "c0ffee"))
    _write_record(run.out, Record("tracks/hands", ("tracks",), "a", 60.0))
    rolled_out(make(kept.out) / "outcomes/grasp_lift/old.jsonl", {"policy": [True] * 4})
    keep(Results(run), kept.out)
    page = page_of(Results(run))
    assert page_of(Results(kept)) == page
    assert not (kept.out / "outcomes/grasp_lift/old.jsonl").exists()
    assert (kept.out / CONFIG).read_text() == "name: tiny\n"
    assert "| hands | 3 | 2 | 6 | 1,200 |" in page  # nothing is learnt from one of 4 tracks
    assert f"3 of at most {run.count} jobs are done in 2.5 hours of 2 cores, in 2 sittings" in page
    (kept.out / SITTINGS).write_text(json.dumps(goes[:1]).replace("4500", "30"))
    assert "in 0.0 hours of 2 cores, in one sitting, others uncounted" in page_of(Results(kept))
    assert "pretrain 1 in 1 min, thin 1 in 1 min, tracks 1 in 1 min); 2 by the code of" in page
    assert "of c0ffee, 1 by code that is not known." in page
    assert list(kept.out.rglob("*.safetensors")) == [kept.base("hop") / ck.WEIGHTS]
    with pytest.raises(HopError, match="cannot be written to"):
        keep(Results(run), Path("/proc/none"))


def test_a_folder_of_other_things_does_not_keep_a_run(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(yaml.safe_dump(SMALL))
    (make(tmp_path / "mine/jobs") / "letter.json").touch()
    with pytest.raises(ConfigError, match="is no folder that keeps a run"):
        table1_cli.main(["-o", str(tmp_path), "--report", "--keep", str(tmp_path / "mine")])
    assert (tmp_path / "mine/jobs/letter.json").exists()
    for _ in range(2):
        kept = ["--keep", str(tmp_path / "kept")]
        assert table1_cli.main(["-o", str(tmp_path), "--report", *kept]) == 0


def test_what_is_still_at_work_is_not_told_as_done(tmp_path: Path) -> None:
    run = Plan(config(), tmp_path, cores=2)
    trained(run.base("hop"), 0.3, 0.4)
    make(run.store("hands"))
    for name in ("pretrain/hop", "thin/hands"):
        _write_record(run.out, Record(name, ("pretrain",), "a", None))
    assert Results(run).base("hop") is None
    assert Results(run).corpus("hands") is None


def test_a_report_is_of_a_run_and_by_its_own_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="there is no run in"):
        table1_cli.main(["-o", str(tmp_path / "none"), "--report"])
    (tmp_path / CONFIG).write_text(yaml.safe_dump({**SMALL, "name": "its own"}))
    assert table1_cli.main(["-o", str(tmp_path), "--report"]) == 0
    assert "configuration `its own`" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="no --config"):
        table1_cli.main(["-o", str(tmp_path), "--report", "--config", "table1_paper.yaml"])


def test_a_configuration_is_had_by_its_name(tmp_path: Path, monkeypatch: Any) -> None:
    ran: list[Plan] = []
    monkeypatch.setattr(table1_cli, "_run", lambda plan, _: ran.append(plan))
    assert table1_cli.main(["-o", str(tmp_path), "--config", "table1_paper.yaml"]) == 0
    assert ran[0].config.name == "paper"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_run_goes_from_tracks_to_tables_over_a_kill(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    shutil.copytree(config_path("table1.yaml").parent, folder)
    network = {"model.layers": 1, "model.width": 16, "model.heads": 2, "segments": 2, "windows": 2}
    budget = {"max_steps": 2, "overrides": {**network, "validate_every": 1, "device": "cpu"}}
    small = {
        **SMALL,
        "rollouts": 2,
        "scratch_learning_rates": [1.0e-3],
        "pretrain": {"config": "train_pretrain.yaml", **budget},
        "finetune": {"config": "train.yaml", **budget},
        "bases": {
            "hop": {},
            "reaches": {"tracks": "reaches", "overrides": {"aim_frames": 0}},  # as shipped
        },
        "variants": {},
    }
    small["tasks"] = {
        "grasp_lift": {
            **SMALL["tasks"]["grasp_lift"],
            "fewer": [],
            "fewer_arms": [],
            "seeds": [0],
            "controls": ["zero"],
        }
    }
    (folder / "table1.yaml").write_text(yaml.safe_dump(small))
    task = folder / "tasks/grasp_lift.yaml"
    task.write_text(task.read_text().replace("time_limit_s: 30.0", "time_limit_s: 9.0"))
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    environment = {**os.environ, "HOP_CONFIG_DIR": str(folder), "OMP_NUM_THREADS": "1"}
    code = "import sys; from hop_core.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "table1", "-o", str(tmp_path / "run")]
    first = subprocess.Popen([*command], env=environment, stderr=subprocess.PIPE, text=True)
    assert first.stderr is not None
    for line in first.stderr:
        if "render/hands" in line:
            first.kill()
            break
    first.wait()
    done = subprocess.run(
        [*command, "--into", str(page)], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "retarget/hands" not in done.stderr
    records = [json.loads(file.read_text()) for file in (tmp_path / "run/jobs").rglob("*.json")]
    assert {record["name"].split("/")[0] for record in records} == {
        "tracks", "retarget", "thin", "render", "pretrain", "collect", "finetune", "export", "eval",
    }  # fmt: skip
    text = page.read_text()
    assert "| hop | " in text
    assert "| scratch (learning rate 0.001) | " in text
    assert "not run" not in text
    # A training whose end was not recorded goes on where it was: here, at its end.
    for kind in ("pretrain", "finetune"):
        shutil.rmtree(tmp_path / "run/jobs" / kind)
    again = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "run/logs/pretrain/hop.log").read_text().count("--resume") == 1
