"""What the commands that train share: options, resolved configuration, the run, its summary."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
import yaml

from hop_core.config import config_path, load_config, validate
from hop_core.errors import CheckpointError, ConfigError
from hop_policy import checkpoint as ck
from hop_policy.contract import PolicyContract, VisionKind, load_contract
from hop_policy.episode_info import software_version
from hop_policy.model import PolicyConfig
from hop_policy.provenance import learnt, learnt_among
from hop_policy.ranks import Ranks
from hop_policy.shipped import checkpoint_path
from hop_policy.source_commit import source_commit
from hop_policy.train import require_free, train
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_policy.train_progress import TrainProgress

_LOGS = ("logs", "log_every")
"""What of the configuration may be set anew for a run that is resumed."""


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """Options of a run, whatever it learns from."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Checkpoint directory to write."""
    config: Path | None = None
    """Training configuration, a file or the name of an installed one; default: the command's."""
    init: Path | None = None
    """Checkpoint to start from, a folder or the name of a shipped one (base_depth,
    base_point_cloud); its network is used. Default: random weights."""
    max_minutes: float | None = None
    """Time budget of training [min], instead of the configuration's budget."""
    max_steps: int | None = None
    """Budget in steps, instead of the configuration's budget; with --max-minutes, whichever ends
    first."""
    seed: int | None = None
    """Seed of weights, split, batches and augmentation, instead of the configuration's."""
    vision: VisionKind | None = None
    """What the policy sees, instead of policy.yaml's."""
    config_dir: Path | None = None
    """Folder of policy.yaml and of the training configurations. Default: the installed one."""
    resume: bool = False
    """Continue the run in OUT, with its configuration."""
    set: tuple[str, ...] = ()
    """Other values of the configuration, such as augment.proprio_noise=0.02; with --resume logs and
    log_every alone."""

    @property
    def start(self) -> Path | None:
        """Folder of the checkpoint to start from.

        Raises:
            CheckpointError: there is none of that name.
        """
        return None if self.init is None else checkpoint_path(self.init)


def resolve(
    options: TrainOptions, default: str, vision: VisionKind | None = None
) -> tuple[PolicyContract, TrainConfig]:
    """Returns contract and configuration of the run that `options` ask for.

    A resumed run keeps its own, but for budget and logs. Else: the file, then the network of
    `init`, then the options. A budget in steps or minutes takes the place of all of the file's.

    Args:
        options: what was asked for.
        default: name of the configuration where none is named.
        vision: what the policy sees where that is not named; None is as in policy.yaml.

    Raises:
        ConfigError: a file or value is not usable.
        CheckpointError: the run to resume, or the one to start from, is not usable.
    """
    budget = {"max_minutes": options.max_minutes, "max_steps": options.max_steps}
    changes: dict[str, Any] = {} if set(budget.values()) == {None} else budget
    if options.resume:
        return _resumed(options, changes)
    require_free(options.out)
    contract = load_contract(options.config_dir, options.vision or vision)
    path = options.config or Path(default)
    if options.config is None or not path.exists():
        path = config_path(str(path), options.config_dir)
    network = None if (start := options.start) is None else ck.load_checkpoint_config(start).model
    if options.seed is not None:
        changes["seed"] = options.seed
    config = configured(path, options.set, network, changes)
    config.require_view(contract.vision)
    if start is not None:
        ck.load_start(start, contract, config.model)  # its faults are told before data is read
    return contract, config


def _resumed(
    options: TrainOptions, changes: Mapping[str, Any]
) -> tuple[PolicyContract, TrainConfig]:
    """Returns contract and configuration of the run in `out`, with another budget or logs."""
    fixed = ("init", "config", "seed", "vision")
    given = [f"--{name}" for name in fixed if getattr(options, name) is not None]
    given += [f"--set {text}" for text in options.set if text.partition("=")[0] not in _LOGS]
    if given:
        raise CheckpointError(
            "--resume continues with the run's own configuration; only the budget, "
            f"{' and '.join(_LOGS)} may change, so leave out {', '.join(given)}"
        )
    saved, file = ck.load_checkpoint_config(options.out), str(options.out / ck.CONFIG)
    try:
        validate(saved.train, TrainConfig, file)
    except ConfigError as error:
        raise CheckpointError(
            f"{options.out} was trained by another version ({error}); resume it with that, or "
            "train from its weights (--init) into another output directory"
        ) from error
    values = {**saved.train, **changes}
    for text in options.set:
        _set(values, text)
    return saved.contract, validate(values, TrainConfig, file)


def configured(
    path: Path,
    settings: Sequence[str],
    network: PolicyConfig | None = None,
    changes: Mapping[str, Any] | None = None,
) -> TrainConfig:
    """Returns the training configuration `path`, changed.

    Args:
        path: the file.
        settings: other values of it, as "key.of.it=value".
        network: in place of its own.
        changes: laid over its top-level keys at last.

    Raises:
        ConfigError: the file or a value is not usable.
    """
    values = load_config(path, TrainConfig).model_dump(mode="json")
    if network is not None:
        values["model"] = network.model_dump(mode="json")
    for text in settings:
        _set(values, text)
    return validate({**values, **(changes or {})}, TrainConfig, str(path))


def learn(
    options: TrainOptions,
    contract: PolicyContract,
    config: TrainConfig,
    data: TrainData,
    command: list[str],
    ranks: Ranks,
    progress: TrainProgress,
) -> str:
    """Trains as `options` ask; returns what the user wants to know, "" but in the first process.

    Args:
        options: what was asked for.
        contract: what the policy sees.
        config: how the run goes.
        data: what it learns from; how the run was made is added to its provenance.
        command: the whole command line, kept beside the weights.
        ranks: the processes that share the run.
        progress: where to show it.

    Raises:
        CheckpointError: see `train`.
        ModelError: training diverged.
    """
    if options.resume and (changed := _other_budget(options.out, config)):
        progress.line(
            f"{options.out} goes on with another budget ({changed}): the schedule of learning rate "
            "and lessons now runs to its end"
        )
    about = {**data.provenance, **_provenance(options, command, data.provenance)}
    seen = about["validation_seen_by_init"]
    if seen is None:
        progress.line(
            f"{about['init']} does not say what it was trained on: if what this run is validated "
            "on was among it, the validation loss flatters it"
        )
    elif seen:
        progress.line(
            f"{about['init']} was trained on {len(seen)} of what this run is validated on, such as "
            f"{seen[0]}: the validation loss flatters it; begin with the same data and seed, or "
            "with a policy that was trained on other data"
        )
    metrics = train(
        config,
        contract,
        replace(data, provenance=about),
        options.out,
        init=options.start,
        resume=options.resume,
        progress=progress,
        ranks=ranks,
    )
    return summary(options.out, metrics) if ranks.first else ""


def _other_budget(out: Path, config: TrainConfig) -> str:
    """How the budget of `config` differs from that of the run in `out`; "" if it does not."""
    before, now = ck.load_checkpoint_config(out).train, config.model_dump()
    return ", ".join(
        f"{key} {now[key]}, before {before.get(key)}"
        for key in ("max_steps", "max_minutes")
        if now[key] != before.get(key)
    )


def _provenance(
    options: TrainOptions, command: list[str], data: Mapping[str, Any]
) -> dict[str, Any]:
    """How a run was made: the whole `command` that began it, and those that went on; software."""
    start = options.start
    held_out = [*data.get("validation_episodes", ()), *data.get("validation_tracks", ())]
    begun: dict[str, Any] = {
        "command": command,
        "init": str(options.init) if options.init else None,
        "validation_seen_by_init": learnt_among(start, held_out) if start else [],
        **learnt(data, start),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "resumed": [],
    }
    if options.resume:
        going_on = {key: begun[key] for key in ("command", "started")}
        saved = ck.read_json(options.out / ck.PROVENANCE)
        begun = {key: saved.get(key) for key in begun}
        begun["resumed"] = [*(begun["resumed"] or ()), going_on]
    return {
        **begun,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "software": software_version(),
        "commit": source_commit(),
    }


def summary(out: Path, metrics: dict[str, Any]) -> str:
    """Returns what the user wants to know at the end."""
    units, best = metrics["units"], metrics["best"]
    copied = {name: errors[units] for name, errors in metrics["baselines"].items()}
    memory = ", ".join(f"{mb:.0f} MB ({k[:-3]})" for k, mb in metrics["peak_memory_mb"].items())
    blind = metrics["last_blind"]
    return (
        f"{out}: {metrics['step']} steps in {metrics['minutes']:.1f} min "
        f"({metrics['samples_per_s']:.0f} samples/s, {metrics['data_wait_share']:.0%} "
        f"waiting for data; peak memory {memory})\n"
        f"best validation L1 {best[units]:.4f} {units} at step {best['step']} "
        f"(arm {best['arm_rad']:.4f} rad, hand {best['hand_rad']:.4f} rad); "
        f"copying the posture gives {copied['copy_proprio']:.4f}, the previous label "
        f"{copied['previous_label']:.4f}; the last weights with another episode's vision "
        + (f"give {blind[units]:.4f}" if blind else "cannot be judged on one validation episode")
    )


def _set(values: dict[str, Any], text: str) -> None:
    """Changes `values` as "a.b=value" says, value being YAML; `validate` refuses unknown keys."""
    key, equals, value = text.partition("=")
    *sections, last = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {text}: '{section}' is no section of the configuration")
    if not equals:
        raise ConfigError(f"--set {text}: write key=value, such as augment.proprio_noise=0.02")
    try:
        values[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: '{value}' is no YAML value") from error
