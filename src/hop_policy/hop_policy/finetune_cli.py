"""`hop finetune`: trains a policy on recorded demonstrations."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
import yaml

from hop_core.config import config_path, load_config, validate
from hop_core.errors import CheckpointError, ConfigError
from hop_policy import checkpoint as ck
from hop_policy.bag_dataset import load_episodes
from hop_policy.contract import PolicyContract, VisionKind, load_contract
from hop_policy.episode_info import software_version
from hop_policy.train import require_free, train
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData, data_of_episodes
from hop_policy.train_progress import TrainProgress


@dataclass(frozen=True)
class Arguments:
    """Train a policy on demonstrations by behaviour cloning.

    OUT becomes a checkpoint directory: best weights by validation loss, the last ones,
    configuration, metrics, provenance. A run that was stopped continues with --resume.
    """

    demos: tyro.conf.Positional[Path]
    """Folder of the demonstrations, <root>/<task>/<episode>."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Checkpoint directory to write."""
    config: Path | None = None
    """Training configuration; default: train.yaml (small; train_paper.yaml is the paper's)."""
    init: Path | None = None
    """Checkpoint to start from; its network is used. Default: random weights."""
    task: str | None = None
    """Only the demonstrations of this task."""
    labels: tuple[str, ...] = ("success",)
    """Labels of the demonstrations to learn from."""
    max_minutes: float | None = None
    """Time budget of training [min], instead of the configuration's."""
    max_steps: int | None = None
    """Budget in steps, instead of the configuration's."""
    seed: int | None = None
    """Seed of weights, split, batches and augmentation, instead of the configuration's."""
    vision: VisionKind | None = None
    """What the policy sees, instead of policy.yaml's."""
    config_dir: Path | None = None
    """Folder of policy.yaml and train.yaml. Default: the installed one."""
    resume: bool = False
    """Continue the run in OUT, with its configuration."""
    set: tuple[str, ...] = ()
    """Other values of the configuration, such as augment.proprio_noise=0.02."""


def main(argv: list[str]) -> int:
    """Train a policy on recorded demonstrations; returns the exit code."""
    args = tyro.cli(Arguments, prog="hop finetune", args=argv)
    contract, config = resolve(args)
    progress = TrainProgress()

    def loaded(done: int, total: int, name: str) -> None:
        if done == total or done % 25 == 0:
            progress.line(f"read {done} of {total} demonstrations ({name})")

    episodes = load_episodes(args.demos, contract, args.labels, task=args.task, progress=loaded)
    data = data_of_episodes(episodes, contract, config)
    data = TrainData(data.train, data.val, {**data.provenance, **provenance(args, argv)})
    init = None if args.resume else args.init
    metrics = train(
        config, contract, data, args.out, init=init, resume=args.resume, progress=progress
    )
    print(summary(args.out, metrics))
    return 0


def resolve(args: Arguments) -> tuple[PolicyContract, TrainConfig]:
    """Returns contract and configuration of the run that `args` asks for.

    A resumed run keeps its own, but for the budget. Else: the file, then the network of `init`,
    then the options.

    Raises:
        ConfigError: a file or value is not usable.
        CheckpointError: the run to resume, or the one to start from, is not usable.
    """
    budget = {"max_minutes": args.max_minutes, "max_steps": args.max_steps}
    changes: dict[str, Any] = {k: v for k, v in budget.items() if v is not None}
    if args.resume:
        if args.set or args.config or args.seed is not None or args.vision:
            raise CheckpointError(
                "--resume continues with the run's own configuration; only the budget may change, "
                "so leave out --config, --seed, --vision and --set"
            )
        saved = ck.load_checkpoint_config(args.out)
        values = {**saved.train, **changes}
        return saved.contract, validate(values, TrainConfig, str(args.out / ck.CONFIG))
    require_free(args.out)
    contract = load_contract(args.config_dir, args.vision)
    path = args.config or config_path("train.yaml", args.config_dir)
    values = load_config(path, TrainConfig).model_dump(mode="json")
    if args.init is not None:
        values["model"] = ck.load_checkpoint_config(args.init).model.model_dump(mode="json")
    if args.seed is not None:
        changes["seed"] = args.seed
    for text in args.set:
        _set(values, text)
    return contract, validate({**values, **changes}, TrainConfig, str(path))


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
    values[last] = yaml.safe_load(value)


def provenance(args: Arguments, argv: list[str]) -> dict[str, Any]:
    """Returns how the run was made: command, start, software."""
    return {
        "command": ["hop", "finetune", *argv],
        "demonstrations": str(args.demos),
        "init": str(args.init) if args.init else None,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "software": software_version(),
    }


def summary(out: Path, metrics: dict[str, Any]) -> str:
    """Returns what the user wants to know at the end."""
    units, best = metrics["units"], metrics["best"]
    copying = min(b[units] for b in metrics["baselines"].values())
    blind = metrics["last_blind"]
    return (
        f"{out}: {metrics['step']} steps in {metrics['minutes']:.1f} min "
        f"({metrics['samples_per_s']:.0f} samples/s, {metrics['data_wait_share']:.0%} "
        f"waiting for data)\n"
        f"best validation L1 {best[units]:.4f} {units} at step {best['step']} "
        f"(arm {best['arm_rad']:.4f} rad, hand {best['hand_rad']:.4f} rad); "
        f"copying gives {copying:.4f}, another episode's vision "
        + (f"{blind[units]:.4f}" if blind else "was not to be had from one validation episode")
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
