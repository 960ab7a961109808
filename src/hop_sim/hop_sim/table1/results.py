"""What a run has found so far: rollouts, validation losses, wall times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hop_core.errors import EvaluationError
from hop_policy.checkpoint import read_json
from hop_policy.checkpoint_files import CONFIG as CHECKPOINT_CONFIG
from hop_policy.checkpoint_files import LAST_WEIGHTS, WEIGHTS
from hop_sim.contenders import checkpoint_identity
from hop_sim.eval_run import EvalRun
from hop_sim.outcome_file import Identity, Setting, read_outcomes, require_setting
from hop_sim.paired_bootstrap import ArmOutcomes, Interval, mean_success, paired_difference
from hop_sim.rollout import CellSpec, Outcome
from hop_sim.table1.cells import Cell
from hop_sim.table1.config import Table1Config
from hop_sim.table1.jobs import RECORDS, read_records
from hop_sim.table1.learnt import Learnt, read_learnt
from hop_sim.table1.plan import OUTCOMES, Plan
from hop_sim.table1.sittings import Sitting, read_sittings
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.summary import summary

POLICY = "policy"
_CAMERA = "realism"
FEW = 20
"""Rollouts of the paper; the first of ours."""


@dataclass(frozen=True)
class Arm:
    """The runs of one arm of a task, that were done.

    Attributes:
        name: the arm's.
        runs: outcomes by training seed, of the best weights.
        last: those of the last weights, where they are wanted.
        learnt: losses by training seed.
    """

    name: str
    runs: Mapping[int, Sequence[Outcome]]
    last: Mapping[int, Sequence[Outcome]]
    learnt: Mapping[int, Learnt]

    @property
    def outcomes(self) -> list[Outcome]:
        """All outcomes, seed after seed."""
        return [outcome for run in self.runs.values() for outcome in run]

    @property
    def table(self) -> ArmOutcomes:
        """{training seed: {start state: success}}."""
        return {str(seed): by_state(run) for seed, run in self.runs.items()}

    @property
    def has_all_last(self) -> bool:
        """Whether the last weights of all its runs were rolled out, or are the best ones."""
        return set(self.last) == set(self.runs)

    def at_last(self) -> Arm:
        """Return the arm with its last weights in place of the best."""
        return replace(self, runs=self.last)

    def of_seed(self, seed: int) -> Arm | None:
        """Return the arm's run of one training seed alone; None: it was not done."""
        if seed not in self.runs:
            return None
        last = {seed: self.last[seed]} if seed in self.last else {}
        return Arm(self.name, {seed: self.runs[seed]}, last, {seed: self.learnt[seed]})

    def success(self) -> Interval:
        """Return the mean success, with its interval over states and training seeds."""
        return mean_success(self.table)

    def ahead_of(self, other: Arm) -> Interval:
        """Return by how much this arm succeeds more often than `other`, state by state."""
        return paired_difference(self.table, other.table)


def by_state(outcomes: Sequence[Outcome]) -> dict[int, bool]:
    """Return {start state: success}."""
    return {outcome.seed: outcome.success for outcome in outcomes}


def require_present_settings(plan: Plan) -> None:
    """Pass if all rollouts that are there were done as those to come will be.

    Raises:
        EvaluationError: naming a file of others, and what differs.
    """
    for task in plan.config.tasks:
        present, _ = _apart(EvalRun(CellSpec(task), [], [], workers=1).setting("lock-step"))
        for file in sorted((plan.out / OUTCOMES / task).glob("*.jsonl")):
            found, _ = _apart(read_outcomes(file).setting)
            require_setting(file, present, found, f"{_remedy(task)}, or --report what is there")


def require_present_policies(plan: Plan) -> None:
    """Pass if all rollouts that are there are of the policies that are there.

    Raises:
        EvaluationError: naming a file of others.
    """
    results = Results(plan)
    for cell in plan.cells:
        _require_policy(results, cell)
    for cell in plan.cells:
        results.arm(cell.task, cell.arm, cell.demos, cell.variant)
    for task, plans in plan.config.tasks.items():
        for arm in plans.in_conditions:
            for condition in plan.config.conditions:
                results.under(task, arm, condition)


def _require_policy(results: Results, cell: Cell) -> None:
    """Pass if the policy of `cell` is there, or nothing came of it yet.

    Raises:
        EvaluationError: naming all by which the jobs of the cell count as done.
    """
    plan, missing = results.plan, results.plan.missing(cell)
    rollouts = plan.rollouts(cell)
    jobs = [*missing, f"export/{cell.name}", *rollouts]
    outcomes = [file for file in rollouts.values() if file.exists()]
    if not missing or not (outcomes or any(map(results.is_done, jobs))):
        return
    records = [plan.out / RECORDS / f"{job}.json" for job in jobs]
    left = [str(file.relative_to(plan.out)) for file in (*records, *outcomes) if file.exists()]
    raise EvaluationError(
        f"{', '.join(map(str, missing.values()))} is no longer there, but what came of it is; put "
        f"it back, or remove {', '.join(left)} of {plan.out}, and all of it is made again"
    )


def _apart(setting: Setting) -> tuple[Setting, Setting]:
    """Return what all outcomes of a task share, and the camera, which conditions change."""
    others = {key: value for key, value in setting.items() if key != _CAMERA}
    return others, {_CAMERA: setting.get(_CAMERA)}


def _remedy(task: str) -> str:
    return f"remove {OUTCOMES}/{task} and jobs/eval/{task} of the run, and roll all out again"


class Results:
    """Reads the folder of a run; what was not run yet is None or left out.

    Outcomes of one task stand beside each other only if all of them are of one setting, but for the
    camera of a condition, and, where they say it, all of best weights were done in one form; and
    those of a policy only if all are of the same weights. These and the form are those of the
    policy in the run, where it is there. Else an EvaluationError says what differs.

    Attributes:
        plan, config: of the run.
        sittings: in which it was done; none where they were not counted.
    """

    def __init__(self, plan: Plan) -> None:
        """Read from the places of `plan`."""
        self.plan = plan
        self.config: Table1Config = plan.config
        self._settings: dict[str, Setting] = {}
        self._policies: dict[tuple[Cell, bool], Identity] = {}  # by cell, and whether the last
        self._forms: dict[str, object] = {}  # by task
        self._records = {record.name: record for record in read_records(plan.out)}
        self.sittings: list[Sitting] = read_sittings(plan.out)

    def minutes(self) -> dict[str, tuple[int, float]]:
        """Return {kind of job: how many are done, and the minutes that their last commands took}.

        A job that was stopped goes on by another command; what it took before is not known.
        """
        out: dict[str, tuple[int, float]] = {}
        for record in self._records.values():
            if record.wall_s is None:
                continue
            kind = record.name.partition("/")[0]
            count, minutes = out.get(kind, (0, 0.0))
            out[kind] = count + 1, minutes + record.wall_s / 60
        return out

    def commits(self) -> dict[str, int]:
        """Return {commit of the code, or several: jobs that it did}; empty: it is not known."""
        done = Counter(
            record.commit for record in self._records.values() if record.wall_s is not None
        )
        return dict(done.most_common())

    def arm(self, task: str, arm: str, demos: int, variant: str = "") -> Arm | None:
        """Return an arm of a task with what is there of it; None: nothing."""
        mine = [
            cell
            for cell in self.plan.cells
            if (cell.task, cell.arm, cell.demos, cell.variant) == (task, arm, demos, variant)
        ]
        runs = {cell.seed: self._agent(cell) for cell in mine}
        done = {seed: run for seed, run in runs.items() if run}
        if not done:
            return None
        learnt = {c.seed: read_learnt(self.plan.policy(c)) for c in mine if c.seed in done}
        last = {cell.seed: self._last(cell, done[cell.seed]) for cell in mine if cell.seed in done}
        return Arm(variant or arm, done, {s: run for s, run in last.items() if run}, learnt)

    def control(self, task: str, name: str) -> Sequence[Outcome]:
        """Return the outcomes of an agent that is not trained; empty: it was not run."""
        return self._agent(self.plan.first_cell(task), name)

    def under(self, task: str, arm: str, condition: str) -> Sequence[Outcome]:
        """Return the outcomes of the first policy of an arm in a condition; empty: not run.

        The empty condition is evaluation's own.
        """
        return self._agent(self.plan.first_cell(task, arm), condition=condition)

    def changed_by(self, task: str, arm: str, condition: str) -> Interval | None:
        """Return how much more often that policy succeeds in a condition; None: not run."""
        there, usual = (self.under(task, arm, name) for name in (condition, ""))
        if not there or not usual:
            return None
        return paired_difference({arm: by_state(there)}, {arm: by_state(usual)})

    def base(self, name: str) -> Learnt | None:
        """Return the losses of a base policy; None: it is not trained to its end yet."""
        path = self.plan.base(name)
        return read_learnt(path) if self.is_done(f"pretrain/{name}") else None

    def corpus(self, name: str) -> dict[str, Any] | None:
        """Return the figures of the trajectories that bases learn from; None: not made yet."""
        store, kept = self.plan.store(name), self.plan.corpus_figures(name)
        if not self.is_done(f"thin/{name}"):
            return None
        if store.exists():
            return summary(TrajectoryStore.open(str(store)))
        return read_json(kept) if kept.exists() else None

    def is_done(self, job: str) -> bool:
        """Return whether the job of that name is recorded as done."""
        return job in self._records and self._records[job].wall_s is not None

    def _last(self, cell: Cell, best: Sequence[Outcome]) -> Sequence[Outcome]:
        if not self.plan.wants_last(cell):
            return ()
        if not self.plan.has_last(cell):
            return best
        return self._agent(cell, last=True)

    def _agent(
        self, cell: Cell, kind: str = POLICY, last: bool = False, condition: str = ""
    ) -> Sequence[Outcome]:
        """The outcomes of the agent of `kind` beside a cell, if all rollouts were done."""
        file = self.plan.outcomes(cell, last, condition)
        episodes = self._read(cell, kind, last, condition) if file.exists() else []
        if len(episodes) == self.config.rollouts:
            return episodes
        if self.is_done(job := self._job_of(file)):
            raise EvaluationError(
                f"{file} holds {len(episodes)} of {self.config.rollouts} rollouts of '{kind}', "
                f"which {RECORDS}/{job}.json records as done; restore it, or remove both and roll "
                "it out again"
            )
        return ()

    def _job_of(self, file: Path) -> str:
        return f"eval/{file.relative_to(self.plan.out / OUTCOMES).with_suffix('')}"

    def _read(self, cell: Cell, kind: str, last: bool, condition: str) -> list[Outcome]:
        task, file = cell.task, self.plan.outcomes(cell, last, condition)
        read = read_outcomes(file)
        others, camera = _apart(read.setting)
        for of, found in ((task, others), (f"{task} in {condition}", camera)):
            require_setting(file, self._settings.setdefault(of, found), found, _remedy(task))
        for name, identity in read.agents.items():
            if identity["kind"] == kind:
                if kind == POLICY:
                    self._require_own(cell, last, file, identity)
                return list(read.episodes[name].values())
        return []

    def _require_own(self, cell: Cell, last: bool, file: Path, identity: Identity) -> None:
        """Pass if the rollouts in `file` are of the cell's policy, as others of it are."""
        policy = self.plan.policy(cell)
        if (cell, last) not in self._policies:
            own = identity
            if (policy / CHECKPOINT_CONFIG).is_file():  # what is kept of a run has no weights
                own = checkpoint_identity(policy, LAST_WEIGHTS if last else WEIGHTS)
            self._policies[cell, last] = own
        own = self._policies[cell, last]
        again = f"remove it and {RECORDS}/{self._job_of(file)}.json, and roll it out again"
        if identity.get("checkpoint") != own.get("checkpoint"):
            raise EvaluationError(
                f"{file} was rolled out by other weights than those of {policy} that the run has "
                f"now, or than its other rollouts; {again}"
            )
        form = identity.get("form")  # older outcomes do not say it
        if last or form is None:
            return
        wanted = self._forms.setdefault(cell.task, own.get("form", form))
        if {form, own.get("form", form)} != {wanted}:
            raise EvaluationError(
                f"{file} was rolled out in the form '{form}', other than {policy} has now, or than "
                f"others of the task were: outputs are not the same to the bit; {again} (where an "
                f"export was lost, hop export {policy} is enough)"
            )
