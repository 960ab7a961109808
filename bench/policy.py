"""Time of a policy tick on one core: eager, exported, uncached, and a bare matrix product.

The network is the paper's (4 layers, width 192) on depth unless --checkpoint names another. Peers
run in the same loop, turn by turn, so that a busy machine slows all alike; `cpu` is the core's own
time, without waiting for it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from hop_policy.checkpoint import load_checkpoint
from hop_policy.contract import PolicyContract, VisionKind
from hop_policy.export import export_graph, largest_difference
from hop_policy.exported_form import ExportedForm
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig, PolicyModel, parameter_count
from hop_policy.observation import CameraView, Observation
from hop_policy.streams import ARM, DEPTH, HAND, ObservationBuilder

VIEW = CameraView(320, 180, 132.0, 132.0, 159.5, 89.5)


def main() -> int:
    """Runs the benchmark; prints a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--ticks", type=int, default=300, help="ticks timed (default 300)")
    network = parser.add_mutually_exclusive_group()
    network.add_argument("--vision", choices=("depth", "point_cloud"), default="depth")
    network.add_argument(
        "--checkpoint", type=Path, help="time this policy instead of the paper's network"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    result = measure(load(args.checkpoint, args.vision), args.ticks)
    if args.json:
        print(json.dumps(result))
        return 0
    for key, value in result.items():
        print(f"{key:28s} {value:.3f}" if isinstance(value, float) else f"{key:28s} {value}")
    return 0


def load(checkpoint: Path | None, vision: VisionKind) -> PolicyModel:
    """Returns the network to time; random weights are as quick as any."""
    if checkpoint is not None:
        return load_checkpoint(checkpoint).model
    return PolicyModel(PolicyConfig(), PolicyContract(vision=vision)).eval()


def measure(model: PolicyModel, ticks: int) -> dict[str, float | int | str]:
    """Returns times [ms] of a tick with a full history, and of its peers."""
    contract, context = model.contract, model.config.context
    rng = np.random.default_rng(0)
    exported = ExportedForm(export_graph(model))
    policy, exported_policy = Policy(model), Policy(model, exported=exported)
    frames = rng.uniform(0.05, 1, (context, *contract.vision_shape)).astype(np.float32)
    seen = Observation(rng.normal(size=(1, 23)).astype(np.float32), frames[:1])
    history = torch.randn(1, context, 23), torch.from_numpy(frames)[None]
    square = torch.randn(512, 512)
    tasks: dict[str, Callable[[], object]] = {
        "forward": lambda: policy.act(seen),
        "export": lambda: exported_policy.act(seen),
        "forward_uncached": lambda: model(*history),
        "matmul_512": lambda: square @ square,
    }
    if contract.vision == "depth":
        builder = ObservationBuilder(contract, VIEW)
        image = rng.integers(300, 1500, (VIEW.height, VIEW.width)).astype(np.uint16)
        samples = {ARM: (0, np.zeros(7)), HAND: (0, np.zeros(16)), DEPTH: (0, image)}
        tasks["observe_320x180"] = lambda: builder.observe(samples)
    times = time_in_turns(tasks, ticks)
    result: dict[str, float | int | str] = {"parameters": parameter_count(model), "ticks": ticks}
    for name, (wall, cpu) in times.items():
        result[f"{name}_ms_p50"], result[f"{name}_ms_p99"] = np.percentile(wall, (50, 99)).tolist()
        result[f"{name}_cpu_ms_p50"] = float(np.median(cpu))
    # The least that the blocks' arithmetic of a cached tick would take at the product's speed.
    flops = 2 * 2 * context * sum(p.numel() for p in model.blocks.parameters())
    speed = 2 * 512**3 / np.median(times["matmul_512"][1])
    result["blocks_limit_ms"] = float(flops / speed)
    cached, uncached = (np.median(times[name][1]) for name in ("forward", "forward_uncached"))
    result["cached_speedup"] = float(uncached / cached)
    result["export_difference"] = largest_difference(model, exported)
    result["peer"] = "the same network without token cache; a 512 x 512 float32 product"
    return result


@torch.inference_mode()
def time_in_turns(tasks: dict[str, Callable[[], object]], ticks: int) -> dict[str, np.ndarray]:
    """Returns (2, ticks) wall and CPU times [ms] of each task, called one after the other."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in tasks}
    for tick in range(ticks + 20):
        for name, task in tasks.items():
            start, cpu_start = time.perf_counter(), time.thread_time()
            task()
            wall, cpu = time.perf_counter() - start, time.thread_time() - cpu_start
            if tick >= 20:  # the first are slower: memory is laid out, kernels are chosen
                times[name].append((1e3 * wall, 1e3 * cpu))
    return {name: np.array(values).T for name, values in times.items()}


if __name__ == "__main__":
    raise SystemExit(main())
