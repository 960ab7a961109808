"""What `hop table1` runs: arms, tasks, budgets."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from hop_core.config import Config
from hop_sim.evaluate import ControlName
from hop_sim.realism import Realism
from hop_sim.tasks.registry import TASKS

CONFIG = "table1.yaml"
"""What is run by default; a copy in the folder of a run says what that one runs."""
SCRATCH = "scratch"
"""The arm without pretraining."""
Name = Annotated[str, Field(pattern=r"^\w[\w.-]*$")]
"""Of what has files of its own: a part of their names."""
Overrides = dict[str, bool | float | int | str | None]
"""Values of a training configuration, by dotted key."""
HANDS: Final = "hands"
REACHES: Final = "reaches"
"""Tracks of hands that handle objects, and of hands that reach about beside them."""


_ONCE: Final = (
    *("arms", "seeds", "fewer", "fewer_arms", "fewer_seeds"),
    *("at_last", "in_conditions", "controls"),
)  # keys of a task that name nothing twice


class CorpusConfig(Config):
    """Trajectories to pretrain on, made by the data engine.

    Attributes:
        tracks: synthetic hand-object tracks.
        attempts: attempts at each.
        trajectories: how many of those that are kept are learnt from, drawn evenly over tracks.
    """

    tracks: int = Field(ge=2)
    attempts: int = Field(ge=1)
    trajectories: int = Field(ge=2)


class BaseConfig(Config):
    """One base policy: what its pretraining learns from.

    Attributes:
        tracks: which ones.
        objects: what is seen of the object; see `hop pretrain --objects`.
        overrides: of the training configuration, by dotted key.
    """

    tracks: Literal["hands", "reaches"] = HANDS
    objects: Literal["shown", "masked", "shuffled"] = "shown"
    overrides: Overrides = Field(default_factory=dict)


class BudgetConfig(Config):
    """How long, and by which configuration, one training run goes.

    Attributes:
        config: file of the training configuration.
        max_steps: steps of the optimiser.
        overrides: other values of it, by dotted key.
    """

    config: str
    max_steps: int = Field(ge=1)
    overrides: Overrides = Field(default_factory=dict)


class TaskPlan(Config):
    """What is run of one task.

    Attributes:
        attempts: of the scripted expert, for demonstrations; its first successes are used.
        demos: demonstrations that a policy is finetuned on.
        arms: bases that are finetuned, and "scratch".
        seeds: of finetuning.
        fewer: also finetune on so many demonstrations, with `fewer_arms`: the curve.
        fewer_arms: arms of the curve.
        fewer_seeds: seeds of its finetuning; empty: `seeds`.
        at_last: arms whose weights at the end of the budget are rolled out too, beside the best
            ones by validation loss: a comparison at equal steps.
        in_conditions: arms whose policy of the first seed is rolled out in all `conditions` too.
        controls: agents that are not trained.
        overrides: of the training configuration, by dotted key, for all that is finetuned.
    """

    attempts: int = Field(ge=2)
    demos: int = Field(ge=2)
    arms: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    fewer: tuple[int, ...] = ()
    fewer_arms: tuple[str, ...] = ()
    fewer_seeds: tuple[int, ...] = ()
    at_last: tuple[str, ...] = ()
    in_conditions: tuple[str, ...] = ()
    controls: tuple[ControlName, ...] = ()
    overrides: Overrides = Field(default_factory=dict)


class VariantConfig(Config):
    """One arm of one task, finetuned with other values of the configuration.

    Of several variants of one run, the first is what the others are compared with.

    Attributes:
        task, arm, seed: which run is varied.
        overrides: of the training configuration, by dotted key.
    """

    task: str
    arm: str
    seed: int
    overrides: Overrides = Field(min_length=1)


class Table1Config(Config):
    """The whole run; `config/table1.yaml` gives the reasons of its numbers.

    Attributes:
        name: of this configuration, told with every figure.
        rollouts: start states of each evaluation, the same for all agents.
        first_state: seed of the first of them; those that choices were made on are no evidence.
        at_once: jobs of one core each that run side by side.
        corpus: what bases learn from.
        pretrain: their budget.
        finetune: budget of every finetuning run, whatever it starts from.
        scratch_learning_rates: of which the arm without pretraining takes the one with the best
            validation loss at its first run, the first seed of the first task.
        bases: by name.
        tasks: by name.
        conditions: of the camera, by name; harder ones than evaluation's own.
        variants: by name.
    """

    name: str
    rollouts: int = Field(ge=1)
    first_state: int = Field(default=0, ge=0)
    at_once: int = Field(ge=1)
    corpus: CorpusConfig
    pretrain: BudgetConfig
    finetune: BudgetConfig
    scratch_learning_rates: tuple[float, ...] = Field(min_length=1)
    bases: dict[Name, BaseConfig]
    tasks: dict[str, TaskPlan] = Field(min_length=1)
    conditions: dict[Name, Realism] = Field(default_factory=dict)
    variants: dict[Name, VariantConfig] = Field(default_factory=dict)

    @property
    def corpora(self) -> list[str]:
        """Which kinds of tracks the bases learn from."""
        return sorted({base.tracks for base in self.bases.values()})

    @model_validator(mode="after")
    def _known(self) -> Self:
        if SCRATCH in self.bases:
            raise ValueError(f"bases: '{SCRATCH}' is the arm without a base; choose another name")
        rates = [f"{rate:g}" for rate in self.scratch_learning_rates]
        if len(set(rates)) < len(rates):
            raise ValueError(f"scratch_learning_rates: {', '.join(rates)} holds one twice")
        arms = {SCRATCH, *self.bases}
        for name, task in self.tasks.items():
            if name not in TASKS:
                raise ValueError(f"tasks: unknown task '{name}'; tasks: {', '.join(sorted(TASKS))}")
            unknown = {*task.arms, *task.fewer_arms} - arms
            for key in ("at_last", "in_conditions"):
                if not_rolled := set(getattr(task, key)) - set(task.arms):
                    raise ValueError(f"tasks.{name}.{key}: {sorted(not_rolled)} are not its arms")
            if task.in_conditions and not self.conditions:
                raise ValueError(f"tasks.{name}.in_conditions: there are no conditions")
            if bool(task.fewer) != bool(task.fewer_arms) or (task.fewer_seeds and not task.fewer):
                raise ValueError(
                    f"tasks.{name}: fewer and fewer_arms go together, and fewer_seeds with both"
                )
            for key in _ONCE:
                if len(set(getattr(task, key))) < len(getattr(task, key)):
                    raise ValueError(f"tasks.{name}.{key}: names something twice")
            if unknown:
                raise ValueError(f"tasks.{name}: arms {sorted(unknown)} are not among the bases")
            if any(not 2 <= count < task.demos for count in task.fewer):
                raise ValueError(f"tasks.{name}.fewer: must lie in 2..{task.demos - 1}")
            if task.attempts < task.demos:
                raise ValueError(f"tasks.{name}.attempts: less than its {task.demos} demos")
        if self.conditions and not any(task.in_conditions for task in self.tasks.values()):
            raise ValueError("conditions: no task's in_conditions rolls an arm out in them")
        for name, variant in self.variants.items():
            plan = self.tasks.get(variant.task)
            if plan is None or variant.arm not in plan.arms or variant.seed not in plan.seeds:
                raise ValueError(f"variants.{name}: is of no run of the tasks")
            if name in arms:
                raise ValueError(f"variants.{name}: is the name of an arm; choose another")
        return self
