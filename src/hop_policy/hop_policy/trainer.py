"""One training run: its network, optimiser and judge, its steps, and what it keeps on disk."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hop_core.config import config_hash
from hop_core.durable_files import replace_files
from hop_core.errors import CheckpointError, ModelError
from hop_policy import checkpoint as ck
from hop_policy.contract import PolicyContract
from hop_policy.lessons import Lessons
from hop_policy.model import PolicyModel, parameter_count
from hop_policy.objective import Validation
from hop_policy.optimise import WeightAverage, learning_rate, resolve_device
from hop_policy.peak_memory import peak_memory
from hop_policy.ranks import Ranks
from hop_policy.run_logs import RunLog, open_logs
from hop_policy.run_report import Pace, RunReport
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_policy.train_progress import TrainProgress

_NEWER = {"pace.seeing_s"}
"""Keys that an older training state may lack; they then have their defaults."""


class Trainer:
    """One training run in the directory `out`."""

    def __init__(
        self,
        config: TrainConfig,
        contract: PolicyContract,
        data: TrainData,
        out: Path,
        ranks: Ranks | None = None,
    ) -> None:
        """Builds the network, optimiser and validation; loads and writes nothing.

        Raises:
            ConfigError: the augmentation moves a view that the network has not.
        """
        config.require_view(contract.vision)
        self.config, self.contract, self.data, self.out = config, contract, data, out
        self.ranks = ranks or Ranks()
        self.device = resolve_device(config.device)
        torch.manual_seed(config.seed)
        self.model = PolicyModel(config.model, contract).to(self.device)
        span = torch.tensor(contract.policy_upper) - torch.tensor(contract.policy_lower)
        statistics = data.train.statistics(2 * config.whiten_floor_rad / span)
        if config.whiten:
            self.model.set_whitening(**statistics)
        self._joint_statistics = {k: v for k, v in statistics.items() if "vision" not in k}
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.lessons = Lessons(config, contract, data, statistics["proprio_std"], self.ranks.share)
        context, action_std = config.model.context, statistics["action_std"]
        self.validation = Validation(data.val, contract, context, action_std, data.val_aims)
        self.average = WeightAverage(self.model, config.ema_decay)
        self.report = RunReport(config.loss_units, self.validation.baselines())
        self.step, self.pace = 0, Pace()
        # Of each step since the last validation; read now and then, not awaited.
        self.losses: list[dict[str, Tensor]] = []
        self.logs: list[RunLog] = []

    def initialise(self, path: Path) -> None:
        """Takes the weights of the checkpoint `path` as the start.

        Joints are whitened by this run's data, so that its losses are in the units of any other run
        on them; what the network does stays the same. Vision keeps the checkpoint's whitening.

        Raises:
            CheckpointError: it is damaged, of another contract, or of another shape.
        """
        start = ck.load_start(path, self.contract, self.config.model)
        self.model.load_state_dict(start.model.state_dict())
        if self.config.whiten:
            self.model.rewhiten(**self._joint_statistics)
        self.average.restart()

    def resume(self) -> None:
        """Continues from the last save in `out`.

        Raises:
            CheckpointError: there is none, it is damaged, or it is of another configuration or
                data.
        """
        state = ck.load_training_state(self.out)
        if differing := (_keys(state) ^ _keys(self._state())) - _NEWER:
            raise CheckpointError(
                f"{self.out / ck.TRAINING_STATE} is of another version, which differs in "
                f"{', '.join(sorted(differing))}; resume with the software that wrote it, or "
                "train from its weights (--init) into another output directory"
            )
        now = self._trained_with()
        if other := [part for part, told in now.items() if state["trained_with"][part] != told]:
            raise CheckpointError(
                f"{self.out} was trained with another {' and another '.join(other)} than now asked "
                f"for; resume it with the data of its command ({ck.PROVENANCE}) and the software "
                "that wrote it, or choose another output directory"
            )
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.model.load_state_dict(state["average"])
        self.step, self.pace = state["step"], Pace(**state["pace"])
        self.report.history = state["history"]

    def run(self, progress: TrainProgress) -> dict[str, Any]:
        """Trains until the budget is used; returns what `metrics.json` then holds.

        Raises:
            CheckpointError: the disk is full, or `out` may not be written to.
            ConfigError: a log that was asked for is not installed, or refuses the run.
            ModelError: training diverged.
        """
        try:
            if self.ranks.first:
                self.logs = open_logs(self.config.logs, self.out, self.config, self.step)
                self._write_header()
            if not self.report.history:
                self._validate_and_save(progress)
            started = time.monotonic() - self.pace.elapsed_s
            while self.fraction() < 1:
                self.train_step()
                self.pace.reach(time.monotonic() - started)
                self._show(progress)
                if self.step % self.config.validate_every == 0 or self.fraction() >= 1:
                    self._validate_and_save(progress)
        finally:
            for log in self.logs:
                log.close()
        if not self.ranks.first:
            return {}
        blind = self.validation.blind(self.average.model)
        final = {"finished": True, "last_blind": blind}
        metrics = self.report.metrics(self._figures()) | final
        with ck.writing(self.out):
            ck.save_json(self.out, ck.METRICS, metrics)
        return metrics

    def train_step(self) -> None:
        """Makes one step of the optimiser and appends its loss and terms to `losses`."""
        start, config = time.monotonic(), self.config
        lesson = self.lessons.draw(self.step, self.acts())
        self.pace.wait_s += time.monotonic() - start
        self.pace.windows += lesson.windows * self.ranks.share.of
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(config, self.step, self.fraction())
        self.model.train()
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"
        ):
            losses = self.lessons.losses(self.model, lesson)
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(losses["train"])
        self.ranks.average_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        self.optimiser.step()
        self.average.update(self.step)
        self.step += 1
        self.losses.append({name: loss.detach() for name, loss in losses.items()})
        if config.logs and self.step % config.log_every == 0:
            means = self.ranks.means(self.losses[-config.log_every :])
            self._log({f"loss/{name}": mean for name, mean in means.items()})

    def fraction(self) -> float:
        """Returns the share of the budget used, by steps or minutes, whichever is further."""
        steps = self.step / self.config.max_steps if self.config.max_steps else 0.0
        limit_s = 60 * (self.config.max_minutes or math.inf)
        return max(steps, self.pace.elapsed_s / limit_s)

    def acts(self) -> bool:
        """Returns whether this step learns to act; a longer budget does not take that back."""
        return self.pace.windows > 0 or self.fraction() >= self.config.aim_first

    def _write_header(self) -> None:
        config = ck.CheckpointConfig(
            contract=self.contract,
            model=self.config.model,
            train=self.config.model_dump(mode="json"),
            cameras=self.data.cameras,
        )
        with ck.writing(self.out):
            ck.save_config(self.out, config)
            ck.save_json(self.out, ck.PROVENANCE, self.data.provenance)

    def _validate_and_save(self, progress: TrainProgress) -> None:
        means = self.ranks.means(self.losses)
        self.losses = []
        if not self.ranks.first:
            return
        judged = self.average.model
        entry: dict[str, Any] = {
            "step": self.step,
            "minutes": self.pace.elapsed_s / 60,
            "train_loss": None,
            **{f"{name}_loss": mean for name, mean in means.items()},
            **self.validation(judged),
        }
        units, best, figures = self.config.loss_units, self.report.best(), self._figures()
        self.report.history.append(entry)
        if not math.isfinite(entry[units]):
            raise ModelError(
                f"training diverged at step {self.step}: the validation loss is {entry[units]}; "
                f"lower learning_rate; {self.out} keeps the best weights before"
            )
        with ck.writing(self.out):
            weights = ck.weights_content(judged.state_dict())
            replace_files(
                self.out,
                {
                    **({ck.WEIGHTS: weights} if entry[units] < best else {}),
                    ck.LAST_WEIGHTS: weights,
                    # Before the metrics: with these, a checkpoint without a state is another's.
                    ck.TRAINING_STATE: ck.state_content(self._state()),
                    ck.METRICS: ck.json_content(self.report.metrics(figures)),
                },
            )
        progress.line(self.report.line())
        self._log(self.report.curves(figures))

    def _log(self, values: dict[str, float]) -> None:
        for log in self.logs:
            log.write(self.step, values)

    def _state(self) -> dict[str, Any]:
        return {
            "trained_with": self._trained_with(),
            "step": self.step,
            "pace": self.pace.state(),
            "history": self.report.history,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.model.state_dict(),
        }

    def _trained_with(self) -> dict[str, str]:
        """Returns what must not change between a run and its resumption; budget and logs may."""
        free = {"max_steps": None, "max_minutes": None, "logs": (), "log_every": 1}
        config = self.config.model_copy(update=free)
        return {
            "configuration": config_hash(config),
            "contract": self.contract.hash,
            "set of data": self.data.provenance["fingerprint"],
        }

    def _figures(self) -> dict[str, Any]:
        """Returns how far and how fast the run is, and what it takes."""
        return {
            "step": self.step,
            **self.pace.figures(),
            "peak_memory_mb": peak_memory(self.device),
            "processes": self.ranks.share.of,
            "parameters": parameter_count(self.model),
        }

    def _show(self, progress: TrainProgress) -> None:
        if progress.due():
            done, pace = self.fraction(), self.pace.figures()
            progress.step(
                self.step,
                done,
                self.losses[-1]["train"].item(),
                pace["samples_per_s"],
                pace["data_wait_share"],
                self.pace.elapsed_s * (1 - done) / done,
            )


def _keys(state: Mapping[str, Any]) -> set[str]:
    """Returns the keys of a training state, those of its records as `record.key`."""
    inner = {
        f"{record}.{key}"
        for record in ("trained_with", "pace")
        if isinstance(state.get(record), dict)
        for key in state[record]
    }
    return {str(key) for key in state} | inner
