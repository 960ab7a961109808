"""Rolls out the contenders and their controls on paired states, in lock-step or live."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from hop_core.config import config_hash
from hop_core.errors import ConfigError
from hop_core.robot_model import robot_hash
from hop_core.safety_config import load_safety
from hop_policy.cameras import CAMERA_UNKNOWN
from hop_policy.checkpoint import load_checkpoint
from hop_policy.checkpoint_files import WEIGHTS
from hop_policy.episode_info import run_hash, software_version
from hop_policy.provenance import scenes_learnt_from
from hop_policy.train_data import fingerprint
from hop_sim.contenders import Contender, checkpoint_identity, require_distinct
from hop_sim.episode_progress import watched
from hop_sim.eval_report import Cadence, Report
from hop_sim.evaluate import AgentName, AgentSpec, ControlName, demonstrations, evaluate
from hop_sim.experts.expert import ACTS
from hop_sim.live_eval import LiveOptions, evaluate_live
from hop_sim.lockstep import MOVES
from hop_sim.outcome_file import Identity, OutcomeFile, Setting
from hop_sim.rollout import CellSpec, Outcome
from hop_sim.tasks.registry import load_task

POLICY: AgentName = "policy"
_SHOW_THE_EXPERT: tuple[AgentName, ...] = ("expert", "blind")
"""Agents that depend on how the expert acts: itself, and who sees its episodes."""
Watch = Callable[[Iterable[Outcome]], list[Outcome]]
Roll = Callable[[Sequence[int], Watch], list[Outcome]]
"""Takes seeds, and what watches the episodes end; returns how they ended."""


@dataclass(frozen=True)
class EvalRun:
    """What is rolled out, and where outcomes are kept.

    Attributes:
        cell: the cell.
        contenders: the checkpoints; none where controls run alone.
        seeds: start states, the same for all.
        workers: processes that simulate side by side.
        weights: which file of weights of each.
        demos: demonstrations for replay of the nearest.
        most: of these, only so many, the first by name; None for all.
        out: file of outcomes; None: they are not kept.
    """

    cell: CellSpec
    contenders: Sequence[Contender]
    seeds: Sequence[int]
    workers: int
    weights: str = WEIGHTS
    demos: Path | None = None
    most: int | None = None
    out: Path | None = None

    def lock_step(self, controls: Sequence[ControlName]) -> Report:
        """Roll out each contender with its blind control, then the controls that need none."""
        identities, report = self._identities(), self._report("lock-step")
        beside = {kind: self._beside(kind) for kind in (POLICY, *controls)}  # told before it runs
        own: list[AgentName] = [POLICY, *(name for name in controls if name == "blind")]
        with self._file("lock-step") as file:
            for contender in self.contenders:
                for kind in own:
                    spec = AgentSpec(kind, contender.checkpoint, self.weights)
                    roll = self._in_lock_step(spec)
                    who = {"kind": kind, "arm": contender.arm, **identities[contender.name]}
                    who |= beside[kind]
                    label = self._label(contender, kind)
                    report.outcomes[label] = self._kept(file, _key(contender, kind), who, roll)
            for control in controls:
                if control != "blind":
                    who = {"kind": control, **beside[control]}
                    roll = self._in_lock_step(self._demonstrated(control))
                    report.outcomes[control] = self._kept(file, control, who, roll)
        return report

    def live(self, record: bool, paired: bool) -> Report:
        """Roll out each contender through the ROS graph, if `paired` in lock-step too."""
        identities, report = self._identities(), self._report("live")
        with self._file("live") as file:
            for contender in self.contenders:
                who = {"kind": POLICY, "arm": contender.arm, **identities[contender.name]}
                label = self._label(contender, POLICY)
                judged = partial(_keep_cadence, report, label, file, contender.name)
                live = partial(self._live, contender, record, judged)
                report.outcomes[label] = self._kept(file, contender.name, who, live)
                _tell_broken(report, label, file, contender.name)
        for contender in self.contenders if paired else ():
            label = self._label(contender, "lock-step")
            roll = self._in_lock_step(AgentSpec(POLICY, contender.checkpoint))
            report.outcomes[label] = self._kept(None, label, {}, roll)
            report.pairs[self._label(contender, POLICY)] = label
        return report

    def setting(self, mode: str) -> Setting:
        """Return what outcomes of this run share with those that may stand beside them."""
        cell = self.cell
        robot, safety = cell.load_robot(), load_safety(cell.config_dir)
        task = load_task(cell.task, robot.table, cell.config_dir)
        return {
            "mode": mode,
            "task": cell.task,
            "task_hash": config_hash(task.config),
            "cell_hash": run_hash(robot, safety),
            "contract_hash": cell.load_contract().hash,
            "realism": asdict(cell.realism),
            "robot": robot_hash(),
            "moves": MOVES,
            "software": software_version(),
        }

    def _in_lock_step(self, spec: AgentSpec) -> Roll:
        return lambda seeds, watch: watch(evaluate(self.cell, spec, seeds, self.workers))

    def _live(
        self,
        contender: Contender,
        record: bool,
        judged: Callable[[Cadence], None],
        seeds: Sequence[int],
        watch: Watch,
    ) -> list[Outcome]:
        options = LiveOptions(self.cell, contender.checkpoint, record)
        return evaluate_live(options, seeds, watch, judged)

    def _kept(self, file: OutcomeFile | None, key: str, who: Identity, roll: Roll) -> list[Outcome]:
        """Return the outcomes of an agent: those that are in the file, and the others, rolled."""
        if file is None:
            return roll(self.seeds, lambda episodes: watched(episodes, key, len(self.seeds)))
        done = file.begin(key, who)
        missing = [seed for seed in self.seeds if seed not in done]
        if missing:
            roll(missing, lambda all_: watched(file.keeping(key, all_), key, len(missing)))
        return [done[seed] for seed in self.seeds]

    def _report(self, mode: str) -> Report:
        arms: dict[str, list[str]] = {}
        for contender in self.contenders:
            arms.setdefault(contender.arm, []).append(self._label(contender, POLICY))
        about = {
            "task": self.cell.task,
            "mode": mode,
            "policy": ", ".join(contender.name for contender in self.contenders) or "none",
            **asdict(self.cell.realism),
        }
        return Report(about, arms=arms)

    def _label(self, contender: Contender, kind: str) -> str:
        """Return what the report calls an agent: a single contender is just "policy"."""
        return kind if len(self.contenders) == 1 else _key(contender, kind)

    def _identities(self) -> dict[str, dict[str, object]]:
        """Return each contender's identity; what is wrong with one is said before anything runs.

        Raises:
            CheckpointError: a checkpoint is not usable in this cell.
            ConfigError: two of an arm are the same, or one was trained on what it is judged on.
        """
        contract, camera = self.cell.load_contract(), self.cell.load_robot().camera
        for contender in self.contenders:
            loaded = load_checkpoint(contender.checkpoint, contract, self.weights, camera)
            if loaded.config.camera_is_unknown:
                _warn(f"{contender.name} {CAMERA_UNKNOWN}")
            known = scenes_learnt_from(contender.checkpoint).among(self.seeds)
            if known is None:
                _warn(
                    f"{contender.name} does not say all the scenes that it was trained on: these "
                    "may be among them"
                )
            elif known:
                raise ConfigError(
                    f"{contender.name} was trained on recordings of {len(known)} of these scenes, "
                    f"such as seed {known[0]}; judge it on others (--first)"
                )
        identities = [checkpoint_identity(c.checkpoint, self.weights) for c in self.contenders]
        require_distinct([c.arm for c in self.contenders], identities)
        return {c.name: each for c, each in zip(self.contenders, identities, strict=True)}

    def _demonstrated(self, kind: AgentName) -> AgentSpec:
        return AgentSpec(kind, demos=self.demos, most=self.most)

    def _beside(self, kind: AgentName) -> dict[str, object]:
        """Return what an agent is beside its kind and checkpoint: what it replays, or who acts."""
        if kind == "nearest":
            spec, contract = self._demonstrated(kind), self.cell.load_contract()
            return {"demonstrations": fingerprint(demonstrations(spec, contract, self.cell.task))}
        return {"acts": ACTS} if kind in _SHOW_THE_EXPERT else {}

    def _file(self, mode: str) -> OutcomeFile | nullcontext[None]:
        return nullcontext() if self.out is None else OutcomeFile(self.out, self.setting(mode))


def _keep_cadence(
    report: Report, label: str, file: OutcomeFile | None, name: str, cadence: Cadence
) -> None:
    """Report the cadence of a live run; a broken one is kept with the outcomes that came of it."""
    report.cadence[label] = cadence
    if file is not None and cadence.problem:
        file.keep_broken(name, cadence.problem)


def _tell_broken(report: Report, label: str, file: OutcomeFile | None, name: str) -> None:
    """Report a broken cadence of an earlier run whose outcomes stand in the file."""
    now = report.cadence.get(label, Cadence({}, ""))
    if not now.problem and file is not None and (earlier := file.broken(name)):
        problem = f"of an earlier run whose outcomes stand in the file, {earlier[-1]}"
        report.cadence[label] = Cadence(now.figures, problem)


def _warn(sentence: str) -> None:
    Console(stderr=True).print(sentence, markup=False, soft_wrap=True)


def _key(contender: Contender, kind: str) -> str:
    """Return what the file of outcomes calls an agent, whatever else runs beside it."""
    return contender.name if kind == POLICY else f"{contender.name}, {kind}"
