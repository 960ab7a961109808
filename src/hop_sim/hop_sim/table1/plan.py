"""The jobs of a run, stage by stage: demonstrations, trajectories, bases, policies, rollouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hop_core.errors import ConfigError
from hop_policy.bag_reader import find_episodes, open_episode
from hop_policy.checkpoint_files import METRICS
from hop_sim.realism import Realism
from hop_sim.table1.cells import Cell, cells
from hop_sim.table1.config import HANDS, REACHES, SCRATCH, Overrides, Table1Config
from hop_sim.table1.jobs import Job, command, settings_of
from hop_sim.table1.learnt import read_learnt
from hop_sim.table1.training_job import require_configurable, training_job

OUTCOMES = "outcomes"
_CELL = ("robots/twin.yaml", "safety.yaml")
_TRACKS = "tracks.yaml"


class Plan:
    """Jobs and places of a run.

    Attributes:
        config: what is run.
        out: folder of the run.
        cells: its finetuning runs.
    """

    def __init__(self, config: Table1Config, out: Path, cores: int) -> None:
        """Keep what jobs depend on; a job that runs alone may use `cores`."""
        self.config, self.out = config, out
        self.cells = cells(config)
        self._cores = str(cores)
        self._demos = out / "demos"

    @property
    def count(self) -> int:
        """Number of jobs, at most: where best and last weights are the same, one is left out."""
        finetuned = sum(not self._is_trial(cell) for cell in self.cells)
        trained = len(self.config.bases) + len(self._rates_tried()) + finetuned
        last = sum(self.wants_last(cell) for cell in self.cells)
        rolled_out = len(self.cells) + last + len(self._conditioned())
        prepared = len(self.config.tasks) + len(list(self._preparation()))
        return prepared + trained + len(self.cells) + rolled_out

    def require_configurations(self) -> None:
        """Pass if what all trainings are configured by can be used: told before hours of work.

        Raises:
            ConfigError: a file or a value cannot.
        """
        runs = [(self.config.pretrain, base.overrides) for base in self.config.bases.values()]
        runs += [(self.config.finetune, self._changes(cell)) for cell in self.cells]
        for budget, changes in runs:
            require_configurable(budget, changes)

    def stages(self) -> Iterator[list[Job]]:
        """Yield lists of jobs, each of which may begin when all before it are done.

        Later ones depend on results of earlier ones: a stage is made when it is asked for.
        Seed by seed, so that a run that is stopped late has something in every row. One seed is
        rolled out as cores come free from training the next, or they would wait at the end of each.
        """
        for task in self.config.tasks:
            yield [self._collect(task)]
            self._require_demonstrations(task)
        yield from ([job] for job in self._preparation())
        yield [self._pretrain(name) for name in self.config.bases]
        seeds = sorted({cell.seed for cell in self.cells})
        # Whoever starts from a base waits for no trial.
        pretrained = [c for c in self.cells if c.seed == seeds[0] and c.arm != SCRATCH]
        trials = [self._trial(rate) for rate in self._rates_tried()]
        yield [*trials, *(self._finetune(cell) for cell in pretrained)]
        trained: list[Cell] = []
        for seed in seeds:
            mine = [cell for cell in self.cells if cell.seed == seed]
            others = [c for c in mine if c not in pretrained and not self._is_trial(c)]
            # The long ones first: short ones then fill the cores to the end.
            yield [*(self._finetune(cell) for cell in others), *self._roll_outs(trained)]
            yield [self._export(cell) for cell in mine]
            trained = mine
        yield list(self._roll_outs(trained))

    def store(self, corpus: str) -> Path:
        """Return where the trajectories to learn from are."""
        return self.out / "stores" / corpus

    def corpus_figures(self, corpus: str) -> Path:
        """Return where the figures of these trajectories are kept without them."""
        return self.out / "stores" / f"{corpus}.json"

    def base(self, name: str) -> Path:
        """Return where a base policy is."""
        return self.out / "bases" / name

    def policy(self, cell: Cell) -> Path:
        """Return where the policy of `cell` is: of a trial's settings, it is the best trial's."""
        if self._is_trial(cell):
            return self.trial(self.scratch_rate())
        return self.out / "policies" / cell.name

    def missing(self, cell: Cell) -> dict[str, Path]:
        """Return {job: folder} of the trainings behind the policy of `cell` that left no losses.

        Where all have, it is empty; their weights need not be there.
        """
        trainings = {f"finetune/{cell.name}": self.out / "policies" / cell.name}
        if self._is_trial(cell):
            trainings = {f"trial/{rate:g}": self.trial(rate) for rate in self._rates_tried()}
        return {job: at for job, at in trainings.items() if not (at / METRICS).is_file()}

    def rollouts(self, cell: Cell) -> dict[str, Path]:
        """Return {job: file of outcomes} of all rollouts of `cell` that there may be."""
        ways = [(False, condition) for each, condition in self._conditioned() if each == cell]
        ways += [(False, ""), (True, "")] if self.wants_last(cell) else [(False, "")]
        return {f"eval/{_named(cell, *way)}": self.outcomes(cell, *way) for way in ways}

    def outcomes(self, cell: Cell, last: bool = False, condition: str = "") -> Path:
        """Return where the rollouts of `cell` are, of its best weights or its last ones.

        `condition` names the one that they were done in; empty: evaluation's own.
        """
        return self.out / OUTCOMES / f"{_named(cell, last, condition)}.jsonl"

    def has_last(self, cell: Cell) -> bool:
        """Return whether last weights are rolled out too: wanted, and not the best ones."""
        if not self.wants_last(cell):
            return False
        learnt = read_learnt(self.policy(cell))
        return learnt.best_step != learnt.last_step

    def wants_last(self, cell: Cell) -> bool:
        """Return whether last weights are to be compared with others' last weights."""
        task = self.config.tasks[cell.task]
        return not cell.variant and cell.demos == task.demos and cell.arm in task.at_last

    def first_cell(self, task: str, arm: str = "") -> Cell:
        """Return the first cell of a task, or of one of its arms.

        Beside that of the task, the agents that are not trained are rolled out.
        """
        return next(cell for cell in self.cells if cell.task == task and arm in ("", cell.arm))

    def trial(self, rate: float) -> Path:
        """Return where the arm without pretraining is tried at a learning rate."""
        return self.out / "trials" / f"{rate:g}"

    def scratch_rate(self) -> float:
        """Return the learning rate with the best validation loss, once all have been tried."""
        rates = self.config.scratch_learning_rates
        if len(rates) == 1:
            return rates[0]
        return min(rates, key=lambda rate: read_learnt(self.trial(rate)).best)

    def _tracks(self, corpus: str) -> Path:
        return self.out / "tracks" / corpus

    def _preparation(self) -> Iterator[Job]:
        """The jobs that make the trajectories, one after the other; none without a base."""
        if self.config.bases:
            yield from self._make_tracks()
        for corpus in self.config.corpora:
            yield from self._corpus(corpus)

    def _make_tracks(self) -> Iterator[Job]:
        """Hands that handle objects; beside them, where asked for, as many that reach about."""
        hands, count = self._tracks(HANDS), self.config.corpus.tracks
        generated = command("tracks", "generate", "-n", count, "-o", hands)
        how = settings_of("synthetic_tracks.yaml", _TRACKS)
        yield Job(f"tracks/{HANDS}", generated, settings=how)
        if REACHES in self.config.corpora:
            about = command("tracks", "reaches", hands, "-o", self._tracks(REACHES))
            how = settings_of("reach_tracks.yaml", _TRACKS)
            yield Job(f"tracks/{REACHES}", about, settings=how)

    def _corpus(self, name: str) -> Iterator[Job]:
        corpus, store, whole = self.config.corpus, self.store(name), self.out / "whole" / name
        tracks = self._tracks(name)
        tried = command("retarget", tracks, "-o", whole, "--attempts", corpus.attempts)
        how = settings_of("retarget.yaml", "retarget_engine.yaml", _TRACKS, *_CELL)
        yield Job(f"retarget/{name}", tried, settings=how, aside=("--threads", self._cores))
        most = ("--most", corpus.trajectories)
        yield Job(f"thin/{name}", command("trajectories", "thin", whole, "-o", store, *most))
        seen = command("trajectories", "render-depth", store)
        how = settings_of("policy.yaml", *_CELL)
        yield Job(f"render/{name}", seen, settings=how, aside=("--workers", self._cores))

    def _pretrain(self, name: str) -> Job:
        base, out = self.config.bases[name], self.base(name)
        what = ("pretrain", self.store(base.tracks), "--objects", base.objects)
        how, budget = ("--vision", "depth"), self.config.pretrain
        return training_job(f"pretrain/{name}", what, how, budget, out, base.overrides)

    def _collect(self, task: str) -> Job:
        count = self.config.tasks[task].attempts
        where = ("-n", count, "-o", self._demos)
        argv = command("demos", "collect", "--expert", "--task", task, *where)
        how = settings_of(f"tasks/{task}.yaml", "policy.yaml", *_CELL)
        return Job(f"collect/{task}", argv, settings=how, aside=("--workers", self._cores))

    def _require_demonstrations(self, task: str) -> None:
        """Pass if the expert succeeded often enough; recordings that are gone were enough once."""
        if not (self._demos / task).is_dir():
            return
        plan, bags = self.config.tasks[task], map(open_episode, find_episodes(self._demos, task))
        found = sum(bag.label == "success" for bag in bags)
        if found < plan.demos:
            raise ConfigError(
                f"{task}: {found} of the expert's {plan.attempts} attempts succeed, but "
                f"{plan.demos} are to be learnt from; begin a run of more attempts in another --out"
            )

    def _rates_tried(self) -> tuple[float, ...]:
        rates = self.config.scratch_learning_rates
        return rates if self._tried() and len(rates) > 1 else ()

    def _tried(self) -> Cell | None:
        """The run that is tried at all learning rates: the first from scratch."""
        return next((c for c in self.cells if c.arm == SCRATCH and not c.variant), None)

    def _is_trial(self, cell: Cell) -> bool:
        return bool(self._rates_tried()) and cell == self._tried()

    def _trial(self, rate: float) -> Job:
        cell = next(cell for cell in self.cells if self._is_trial(cell))
        return self._learn(f"trial/{rate:g}", cell, self.trial(rate), rate)

    def _finetune(self, cell: Cell) -> Job:
        rate = self.scratch_rate() if cell.arm == SCRATCH else None
        return self._learn(f"finetune/{cell.name}", cell, self.policy(cell), rate)

    def _learn(self, name: str, cell: Cell, out: Path, rate: float | None) -> Job:
        changes = self._changes(cell, rate)
        what = ("finetune", self._demos, "--task", cell.task, "--most", cell.demos)
        start = () if cell.arm == SCRATCH else ("--init", self.base(cell.arm))
        how = ("--seed", cell.seed, *start)
        return training_job(name, what, how, self.config.finetune, out, changes)

    def _changes(self, cell: Cell, rate: float | None = None) -> Overrides:
        tried: Overrides = {} if rate is None else {"learning_rate": rate}
        return {**self.config.tasks[cell.task].overrides, **tried, **cell.overrides}

    def _conditioned(self) -> list[tuple[Cell, str]]:
        """The runs that are rolled out in each condition too, with its name."""
        return [
            (self.first_cell(task, arm), condition)
            for task, plan in self.config.tasks.items()
            for arm in plan.in_conditions
            for condition in self.config.conditions
        ]

    def _export(self, cell: Cell) -> Job:
        """Rollouts take the form that deployment takes, which is the quicker one."""
        return Job(f"export/{cell.name}", command("export", self.policy(cell)))

    def _roll_outs(self, trained: Sequence[Cell]) -> Iterator[Job]:
        """All rollouts of cells whose policies are there."""
        yield from (self._roll_out(cell) for cell in trained)
        yield from (self._roll_out(cell, last=True) for cell in trained if self.has_last(cell))
        for cell, condition in self._conditioned():
            if cell in trained:
                yield self._roll_out(cell, condition=condition)

    def _roll_out(self, cell: Cell, last: bool = False, condition: str = "") -> Job:
        controls: tuple[str, ...] = ()
        if cell == self.first_cell(cell.task) and not (last or condition):
            controls = self.config.tasks[cell.task].controls
        demos = ("--demos", self._demos, "--most", cell.demos) if "nearest" in controls else ()
        weights = ("--weights", "last") if last else ()
        which = ("--task", cell.task, "--policy", self.policy(cell), *weights)
        out = self.outcomes(cell, last, condition)
        states = ("-n", self.config.rollouts, "--first", self.config.first_state)
        how = (*states, "--workers", 1, "--out", out)
        camera = _camera(self.config.conditions[condition]) if condition else ()
        argv = command("eval", *which, *how, *camera, *demos, "--controls", *controls)
        return Job(f"eval/{_named(cell, last, condition)}", argv)


def _camera(realism: Realism) -> tuple[object, ...]:
    """Options of `hop eval` for a condition."""
    multiples = ("--realism.jitter", realism.jitter, "--realism.noise", realism.noise)
    return (*multiples, "--realism.shift-m", *realism.shift_m)


def _named(cell: Cell, last: bool, condition: str = "") -> str:
    name = f"{cell.name}_last" if last else cell.name
    return f"{name}_in_{condition}" if condition else name
