"""The trainer's rate beside that of the HOP release's way, on the same windows and weights.

Both train the paper's network on point clouds, from the same weights, in turns of one process with
the same threads, so that a busy machine slows both alike. First both learn from the same windows
without noise, and their loss curves are compared; then each loads its own way, and both are judged
on the same held-out windows. Both are warmed up before their rates are taken, the reference with
each number of loader processes, of which it then uses the fastest. There the curves need not
coincide: our batch is segments of overlapping windows, the reference draws each window by itself.
`rss_mb` is ours, before the reference is loaded. On a GPU the share of the measured bf16 matrix
rate is printed too.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from hop_core.errors import HopError
from hop_policy.contract import load_contract
from hop_policy.model import PolicyConfig, PolicyModel, parameter_count
from hop_policy.objective import acting_losses
from hop_policy.optimise import resolve_device
from hop_policy.peak_memory import peak_memory
from hop_policy.train_config import TrainConfig
from hop_policy.trainer import Trainer
from hop_sim.processes import usable_cores

try:
    from train_support.data import HeldOut, episodes, loaded, opened
    from train_support.reference import Reference, ReferenceTrainer, Windows
    from train_support.reference_network import ReferenceNetwork
    from train_support.timing import timed
except ImportError as missing:
    raise SystemExit(f"bench/train.py: {missing}; pip install -r requirements/dev.txt") from missing

BATCH, WINDOWS = 64, 16
SAME_STEPS = 40
Figures = dict[str, Any]


def main() -> int:
    """Runs the benchmark; prints a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--store", type=Path, help="trajectories; default: a small store, made up")
    parser.add_argument("--trajectories", type=int, default=150, help="learnt from at most")
    parser.add_argument("--turns", type=int, default=10, help="turns of each trainer")
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn, at least")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"windows, {WINDOWS} a segment")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--compile", action="store_true", help="ours; the reference is never compiled"
    )
    args = parser.parse_args()
    if args.batch < WINDOWS or args.batch % WINDOWS:
        parser.error(f"--batch {args.batch}: segments have {WINDOWS} windows; give a multiple")
    torch.set_num_threads(args.threads)
    try:
        figures = measure(args)
    except HopError as error:
        parser.exit(1, f"bench/train.py: {error}\n")
    if args.json:
        print(json.dumps(figures))
        return 0
    for key, value in figures.items():
        print(f"{key:38s} {value:.6g}" if isinstance(value, float) else f"{key:38s} {value}")
    return 0


def measure(args: argparse.Namespace) -> Figures:
    """Returns rates, memory and losses of both."""
    config = TrainConfig(
        model=PolicyConfig(),
        segments=args.batch // WINDOWS,
        windows=WINDOWS,
        max_steps=1_000_000,
        max_val_episodes=50,
        device=args.device,
        precision=args.precision,
        compile=args.compile,
    )
    contract = load_contract(vision="point_cloud")
    device = resolve_device(config.device)
    with opened(args.store) as store, tempfile.TemporaryDirectory() as out:
        data = loaded(store, args.trajectories, contract, config, device)
        ours = Trainer(config, contract, data, Path(out))
        start = copy.deepcopy(ours.model.state_dict())
        ours.train_step()
        rss = peak_memory(device)
        same = same_windows(ours, start)
        ours = Trainer(config, contract, data, Path(out))
        return {
            "batch": args.batch,
            "device": str(device),
            "threads": args.threads,
            "parameters": parameter_count(ours.model),
            **rss,
            **same,
            **race(ours, args),
        }


def reference_of(model: PolicyModel) -> ReferenceNetwork:
    """Returns the reference's network with the weights of `model`."""
    c = model.config
    network = ReferenceNetwork(c.width, c.layers, c.heads, c.context)
    network.take_weights(model)
    return network.to(next(model.parameters()).device)


def same_windows(ours: Trainer, start: dict[str, torch.Tensor]) -> Figures:
    """Returns how far outputs and losses are apart when both see the same, without noise."""
    model, cut = ours.model, ours.config.cut
    model.load_state_dict(start)
    quiet = ours.config.augment.model_copy(update={"proprio_noise": 0.0})
    same = ours.config.model_copy(update={"augment": quiet, "precision": "float32"})
    theirs = ReferenceTrainer(reference_of(model), same)
    optimiser = torch.optim.AdamW(
        model.parameters(), ours.config.learning_rate, weight_decay=ours.config.weight_decay
    )
    output = 0.0
    curves: list[tuple[float, float]] = []
    for step in range(SAME_STEPS):
        batch = ours.data.train.batch(step)
        whole = batch.valid.all(dim=1)  # the release has no padded windows
        if not whole.any():  # of the one segment that a small batch has
            continue
        batch = replace(
            batch,
            inside=batch.inside[whole],
            valid=batch.valid[whole],
            padded=False,
            counted=batch.valid[whole].sum(),
        )
        windows = [cut.unfold(x)[batch.inside] for x in (batch.proprio, batch.vision, batch.action)]
        with torch.no_grad():
            apart = model(windows[0], windows[1]) - theirs.network(windows[0], windows[1])
        output = max(output, apart.abs().max().item())
        loss = acting_losses(model, batch, cut, ours.config.loss_units)["act"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), ours.config.clip)
        optimiser.step()
        curves.append((loss.item(), theirs.step(*windows)))
    return {
        "same_windows_steps": len(curves),
        "same_windows_output_difference": output,
        "same_windows_losses": [curves[0][0], curves[-1][0]],
        "same_windows_loss_difference": max(abs(mine - its) for mine, its in curves),
    }


def race(ours: Trainer, args: argparse.Namespace) -> Figures:
    """Returns the rates of both and their losses on the same held-out windows."""
    context, device = ours.config.model.context, ours.device
    held_out = HeldOut.of(ours.data.val, context, args.batch)
    theirs = ReferenceTrainer(reference_of(ours.model), ours.config)
    windows = Windows(episodes(ours.data.train.store), context)
    calibrations = {
        workers: warm_rate(Reference(theirs, windows, workers, args.batch, device), workers, args)
        for workers in worker_counts(usable_cores())
    }
    workers = max(calibrations, key=calibrations.__getitem__)
    theirs = ReferenceTrainer(reference_of(ours.model), ours.config)  # the weights of the start
    reference = Reference(theirs, windows, workers, args.batch, device)
    next(reference.batches)  # its workers have started
    steps = turn_steps(args.steps, workers)
    warm_up(ours, steps)
    rates: list[tuple[float, float]] = []
    curves: list[tuple[float, float]] = [judged(ours.model, theirs.network, held_out)]
    ours_s = 0.0
    for _ in range(args.turns):
        before = ours.pace.windows
        took_s = timed(lambda: [ours.train_step() for _ in range(steps)], device)
        ours_s += took_s
        reference.drain()
        rates.append(((ours.pace.windows - before) / took_s, reference.rate(steps)))
        curves.append(judged(ours.model, theirs.network, held_out))
    mine, its = (statistics.median(column) for column in zip(*rates, strict=True))
    curve, reference_curve = (list(column) for column in zip(*curves, strict=True))
    return {
        "samples_per_s": mine,
        "reference_samples_per_s": its,
        "ratio": statistics.median(a / b for a, b in rates),
        "data_wait_share": ours.pace.wait_s / ours_s,
        "reference_workers": workers,
        "reference_calibration": {str(k): round(v, 2) for k, v in calibrations.items()},
        "curve_steps": [i * steps for i in range(args.turns + 1)],
        "curve": [round(x, 5) for x in curve],
        "reference_curve": [round(x, 5) for x in reference_curve],
        "curve_largest_difference": max(abs(a - b) / b for a, b in curves),
        **gpu_share(ours, mine),
    }


def worker_counts(cores: int) -> list[int]:
    """Returns the numbers of loader processes to try: none, and powers of two up to `cores`."""
    return [0, *(1 << power for power in range(cores.bit_length()))]


def warm_rate(reference: Reference, workers: int, args: argparse.Namespace) -> float:
    """Returns the windows per second of `reference` once its network and loader are under way."""
    reference.rate(args.steps)
    reference.drain()
    return reference.rate(turn_steps(args.steps, workers))


def turn_steps(least: int, workers: int) -> int:
    """Returns the steps of a turn: more batches than `workers` can have ready."""
    return max(least, 4 * workers)


def warm_up(ours: Trainer, steps: int) -> None:
    """Has `ours` train for `steps`, and puts it back to where it was."""
    parts = (ours.model, ours.optimiser)
    start = [copy.deepcopy(part.state_dict()) for part in parts]
    step, pace = ours.step, replace(ours.pace)
    for _ in range(steps):
        ours.train_step()
    for part, state in zip(parts, start, strict=True):
        part.load_state_dict(state)
    ours.step, ours.pace, ours.losses = step, pace, []


def judged(ours: PolicyModel, theirs: ReferenceNetwork, held_out: HeldOut) -> tuple[float, float]:
    """Returns the losses of both on the same windows."""
    with torch.inference_mode():
        one, two = (
            (network(held_out.proprio, held_out.vision) - held_out.action).abs().mean().item()
            for network in (ours, theirs)
        )
    return one, two


def gpu_share(ours: Trainer, samples_per_s: float) -> Figures:
    """Returns our rate of arithmetic on a GPU, and its share of a large bf16 matrix product's.

    A weight costs two operations forward and four backward for each token, or point, that it meets.
    """
    model, cut = ours.model, ours.config.cut
    frames = cut.frames / cut.windows
    encoder = parameter_count(model.embed_vision) * ours.contract.point_cloud.points * frames
    tokens = parameter_count(model.blocks) * 2 * ours.config.model.context
    per_s = 6 * (encoder + tokens) * samples_per_s
    if ours.device.type != "cuda":
        return {}  # there the way back through the encoder leaves most of the points out
    size = 8192
    square = torch.randn(size, size, device=ours.device, dtype=torch.bfloat16)
    timed(lambda: square @ square, ours.device)
    limit = 10 * 2 * size**3 / timed(lambda: [square @ square for _ in range(10)], ours.device)
    return {"tflop_per_s": per_s / 1e12, "bf16_limit_share": per_s / limit}


if __name__ == "__main__":
    raise SystemExit(main())
