"""The results of a run as a piece of a Markdown page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hop_sim.agent_figures import figures_of
from hop_sim.paired_bootstrap import Interval
from hop_sim.rollout import Outcome
from hop_sim.statistics import success_rate
from hop_sim.table1.cells import Cell
from hop_sim.table1.config import SCRATCH
from hop_sim.table1.learnt import Learnt
from hop_sim.table1.results import FEW, Arm, Results

BEGIN, END = "<!-- table1: written by hop table1 -->", "<!-- table1: end -->"
NOT_RUN = "not run"


def page_of(results: Results) -> str:
    """Return all tables of `results`, between the marks by which the next run finds them."""
    parts = [_header(results), *_corpora(results), *_bases(results)]
    for task, plan in results.config.tasks.items():
        parts += [*_task(results, task), *(_curve(results, task) if plan.fewer else ())]
    parts += _conditions(results)
    parts += _variants(results) if results.config.variants else ()
    return "\n\n".join([BEGIN, *parts, END]) + "\n"


def _header(results: Results) -> str:
    config, minutes = results.config, results.minutes()
    done = sum(count for count, _ in minutes.values())
    kinds = ", ".join(
        f"{kind} {count} in {took:.0f} min" for kind, (count, took) in minutes.items()
    )
    hours = sum(took for _, took in minutes.values()) / 60
    code = ", ".join(
        f"{count} by the code of {commit}" if commit else f"{count} by code that is not known"
        for commit, count in results.commits().items()
    )
    return (
        f"`hop table1`, configuration `{config.name}` ({config.pretrain.config} for "
        f"{config.pretrain.max_steps:,} steps, {config.finetune.config} for "
        f"{config.finetune.max_steps:,}), {config.at_once} jobs at once: {done} of at most "
        f"{results.plan.count} jobs are done"
        + _took(results)
        + (f"; their last commands took {hours:.1f} hours ({kinds})" if done else "")
        + (f"; {code}." if code else ".")
    )


def _took(results: Results) -> str:
    """How long the run was at work; of one that was begun before that was counted, a part."""
    sittings = results.sittings
    if not sittings:
        return ""
    counted_s = sum(sitting.wall_s for sitting in sittings)
    hours = counted_s / 3600
    alone_s = 60 * sum(minutes for _, minutes in results.minutes().values())
    part = ", others uncounted" if alone_s > results.config.at_once * counted_s else ""
    cores = " or ".join(str(count) for count in sorted({sitting.cores for sitting in sittings}))
    often = "one sitting" if len(sittings) == 1 else f"{len(sittings)} sittings"
    return f" in {hours:.1f} hours of {cores} cores, in {often}{part}"


def _corpora(results: Results) -> Iterator[str]:
    rows = []
    for name in results.config.corpora:
        corpus = results.corpus(name)
        rows.append([name, *(_learnt_from(corpus) if corpus else [NOT_RUN] + [""] * 3)])
    if rows:
        yield "**Trajectories that bases learn from**"
        yield _table(["tracks of", "tracks", "objects", "trajectories", "frames"], rows)


def _learnt_from(corpus: Mapping[str, Any]) -> list[str]:
    """The figures of a corpus; tracks of which nothing was kept teach nothing."""
    tracks = corpus["tracks"] - corpus["tracks_with_nothing_kept"]
    told = (tracks, corpus["objects"], corpus["trajectories"], corpus["frames"])
    return [f"{count:,}" for count in told]


def _bases(results: Results) -> Iterator[str]:
    rows = []
    for name in results.config.bases:
        learnt = results.base(name)
        rows.append([name, *(_losses(learnt) if learnt else [NOT_RUN] + [""] * 5)])
    if rows:
        yield "**Bases, one run each: validation on held-out tracks**"
        yield _table(["base", *_LOSSES], rows)


_LOSSES = ["units", "best (step)", "last (step)", "posture", "previous label", "blind (last)"]


def _losses(learnt: Learnt) -> list[str]:
    copied = [f"{learnt.copied[name]:.3f}" for name in ("copy_proprio", "previous_label")]
    blind = "-" if learnt.blind is None else f"{learnt.blind:.3f}"
    steps = [
        f"{loss:.4f} ({step})"
        for loss, step in ((learnt.best, learnt.best_step), (learnt.last, learnt.last_step))
    ]
    return [learnt.units, *steps, *copied, blind]


def _task(results: Results, task: str) -> Iterator[str]:
    plan = results.config.tasks[task]
    arms = {name: results.arm(task, name, plan.demos) for name in plan.arms}
    scratch = arms.get(SCRATCH)
    ours, *controls = [name for name in plan.arms if name != SCRATCH] or [""]
    changed = "".join(f", {key} = {value}" for key, value in plan.overrides.items())
    first = results.config.first_state
    yield (
        f"**{task}**, {plan.demos} demonstrations{changed}, {results.config.rollouts} paired "
        f"rollouts a policy (seeds {first:,} to {first + results.config.rollouts - 1:,})"
    )
    rate = float("nan") if scratch is None else results.plan.scratch_rate()
    rows = []
    for name, arm in arms.items():
        rows.append(_arm(name, arm, scratch, rate))
        if arm is not None and arm.has_all_last and arm.last != arm.runs:
            rows.append(_last_weights(name, arm))
    rows += [
        _control(_named(name, results.plan.first_cell(task)), results.control(task, name))
        for name in plan.controls
    ]
    head = ["agent", "success", "95 % interval", f"by seed (first {FEW} states)"]
    tail = ["median time to success [s]", "validation, best / last"]
    tail += [f"success minus {SCRATCH}'s", "the same at equal steps"]
    yield _table([*head, *tail], rows)
    if controls:
        yield f"**{task}, what the arm `{ours}` is ahead of its controls by**"
        ahead = [[name, _ahead(arms[ours], arms[name])] for name in controls]
        yield _table(["control", f"{ours}'s success minus the control's"], ahead)


def _arm(name: str, arm: Arm | None, scratch: Arm | None, rate: float) -> list[str]:
    """The row of an arm; `scratch` is what it is compared with, `rate` how quickly that learns."""
    if arm is None:
        return [name, NOT_RUN, *[""] * 6]
    figures = figures_of(arm.outcomes)
    low, high = _interval(arm)
    by_seed = ", ".join(
        f"{success_rate([o.success for o in run]).value:.2f} ({_first(run)})"
        for run in arm.runs.values()
    )
    losses = ", ".join(f"{each.best:.3f} / {each.last:.3f}" for each in arm.learnt.values())
    ahead, last = "", ""
    if name == SCRATCH:
        name = f"{SCRATCH} (learning rate {rate:g})"
    elif scratch is not None:
        ahead = _difference(arm.ahead_of(scratch))
        if arm.has_all_last and scratch.has_all_last:
            last = _difference(arm.at_last().ahead_of(scratch.at_last()))
    return [
        name,
        f"{figures.rate.value:.2f} ({figures.rate.successes}/{figures.rate.trials})",
        f"{low:.2f}-{high:.2f}" + (" (seeds and states)" if len(arm.runs) > 1 else ""),
        by_seed,
        "-" if figures.time_to_success_s is None else f"{figures.time_to_success_s:.1f}",
        losses,
        ahead,
        last,
    ]


def _last_weights(name: str, arm: Arm) -> list[str]:
    """The row of an arm's last weights: its success alone."""
    success = _arm(name, arm.at_last(), None, float("nan"))[1:5]
    return [f"{name}, last weights", *success, *[""] * 3]


def _named(control: str, beside: Cell) -> str:
    """What a control is called: a blind one is a policy, which is told."""
    return f"{control} ({beside.arm}, seed {beside.seed})" if control == "blind" else control


def _control(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    if not outcomes:
        return [name, NOT_RUN, *[""] * 6]
    figures = figures_of(outcomes)
    rate, time_s = figures.rate, figures.time_to_success_s
    return [
        name,
        f"{rate.value:.2f} ({rate.successes}/{rate.trials})",
        f"{rate.low:.2f}-{rate.high:.2f}",
        f"({_first(outcomes)})",
        "-" if time_s is None else f"{time_s:.1f}",
        *[""] * 3,
    ]


def _first(outcomes: Sequence[Outcome]) -> str:
    first = sorted(outcomes, key=lambda outcome: outcome.seed)[:FEW]
    return f"{sum(outcome.success for outcome in first)}/{len(first)}"


def _difference(interval: Interval) -> str:
    """A difference; where an arm has one training seed, it tells nothing of another run of it."""
    alone = " alone" if max(interval.seeds) == 1 else ""
    over = "" if min(interval.seeds) > 1 else f", over {interval.over}{alone}"
    sign = "" if interval.shown else ", no difference shown"
    value, low, high = map(_signed, (interval.value, interval.low, interval.high))
    return f"{value} ({low} to {high}){over}{sign}"


def _signed(share: float) -> str:
    """Two digits, and a third where they would not tell on which side of none it is."""
    return f"{share:+.2f}" if abs(share) >= 0.005 else f"{share:+.3f}"


def _ahead(arm: Arm | None, other: Arm | None) -> str:
    """By how much `arm` succeeds more often than `other`, where both were run."""
    return NOT_RUN if arm is None or other is None else _difference(arm.ahead_of(other))


def _curve(results: Results, task: str) -> Iterator[str]:
    plan = results.config.tasks[task]
    counts = [*plan.fewer, plan.demos]
    arms = {name: [results.arm(task, name, count) for count in counts] for name in plan.fewer_arms}
    rows = [
        [name, *(NOT_RUN if a is None else _mean(a) for a in arm)] for name, arm in arms.items()
    ]
    if SCRATCH in arms:
        scratch = arms.pop(SCRATCH)
        for name, arm in arms.items():
            ahead = [_ahead(*pair) for pair in zip(arm, scratch, strict=True)]
            rows.append([f"{name} minus {SCRATCH}", *ahead])
    yield f"**{task}, by demonstrations**"
    yield _table(["arm", *(str(count) for count in counts)], rows)


def _mean(arm: Arm) -> str:
    low, high = _interval(arm)
    seeds = f", {len(arm.runs)} seeds" if len(arm.runs) > 1 else ""
    return f"{figures_of(arm.outcomes).rate.value:.2f} ({low:.2f}-{high:.2f}{seeds})"


def _interval(arm: Arm) -> tuple[float, float]:
    """Bounds over seeds and states; of a single run Wilson's, which says more of few successes."""
    interval = arm.success() if len(arm.runs) > 1 else figures_of(arm.outcomes).rate
    return interval.low, interval.high


def _conditions(results: Results) -> Iterator[str]:
    """What the first policy of an arm does where the camera is worse than in evaluation."""
    conditions = {
        name: ", ".join(f"{key} {_plain(value)}" for key, value in asdict(realism).items())
        for name, realism in results.config.conditions.items()
    }
    rows = []
    for task, plan in results.config.tasks.items():
        for arm in plan.in_conditions:
            row = [task, arm, str(results.plan.first_cell(task, arm).seed)]
            row.append(_rate(results.under(task, arm, "")))
            for name in conditions:
                change = results.changed_by(task, arm, name)
                row.append(_rate(results.under(task, arm, name)))
                row.append(NOT_RUN if change is None else _difference(change))
            rows.append(row)
    if rows:
        yield "**A worse camera**"
        head = ["task", "arm", "seed", "as above"]
        for name, text in conditions.items():
            head += [f"{name} ({text})", "minus as above"]
        yield _table(head, rows)


def _plain(value: float | tuple[float, ...]) -> str:
    return " ".join(f"{v:g}" for v in (value if isinstance(value, tuple) else (value,)))


def _rate(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return NOT_RUN
    rate = figures_of(outcomes).rate
    return f"{rate.value:.2f} ({rate.low:.2f}-{rate.high:.2f})"


def _variants(results: Results) -> Iterator[str]:
    rows = []
    first: dict[tuple[str, str, int], Arm | None] = {}
    for name, variant in results.config.variants.items():
        plan = results.config.tasks[variant.task]
        arm = results.arm(variant.task, variant.arm, plan.demos, name)
        changes = ", ".join(f"{key} = {value}" for key, value in variant.overrides.items())
        told = NOT_RUN if arm is None else _mean(arm)
        unchanged = results.arm(variant.task, variant.arm, plan.demos)
        ahead = _ahead(arm, unchanged and unchanged.of_seed(variant.seed))
        of = variant.task, variant.arm, variant.seed
        before = _ahead(arm, first[of]) if of in first else ""
        first.setdefault(of, arm)
        rows.append([*map(str, of), changes, told, ahead, before])
    yield "**Variants**"
    head = ["task", "arm", "seed", "changed", "success"]
    yield _table([*head, "minus that of the run varied", "minus that of its first variant"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
