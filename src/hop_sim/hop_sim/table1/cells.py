"""The cells of the table: one finetuning run of one arm each."""

from __future__ import annotations

from dataclasses import dataclass, field

from hop_sim.table1.config import Overrides, Table1Config


@dataclass(frozen=True)
class Cell:
    """One finetuning run, which is then rolled out.

    Attributes:
        task: name of the task.
        arm: name of the base, or "scratch".
        demos: demonstrations that it learns from.
        seed: of weights, split and batches.
        variant: name of what it varies; empty: nothing.
        overrides: of the training configuration, by dotted key.
    """

    task: str
    arm: str
    demos: int
    seed: int
    variant: str = ""
    overrides: Overrides = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """Path-like and unique."""
        parts = (self.variant or self.arm, f"n{self.demos}", f"s{self.seed}")
        return f"{self.task}/{'_'.join(parts)}"


def cells(config: Table1Config) -> list[Cell]:
    """Return all cells of `config`, the tables' before the curves' and the variants'."""
    table, curve = [], []
    for task, plan in config.tasks.items():
        table += [Cell(task, arm, plan.demos, seed) for arm in plan.arms for seed in plan.seeds]
        curve += [
            Cell(task, arm, demos, seed)
            for demos in plan.fewer
            for arm in plan.fewer_arms
            for seed in plan.fewer_seeds or plan.seeds
        ]
    variants = [
        Cell(v.task, v.arm, config.tasks[v.task].demos, v.seed, name, v.overrides)
        for name, v in config.variants.items()
    ]
    return [*table, *curve, *variants]
