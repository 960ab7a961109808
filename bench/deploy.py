"""The whole graph on the twin for a while: rates, lateness, delivery, cores and memory.

Everything runs: twin, three drivers, supervisor, policy and a recorder that records. Beside it, in
a process of its own, a bare 120 Hz sleep loop of the highest priority shows how late the machine
lets anybody be *during* the load. Start it on a quiet machine, from a shell that has sourced
env.sh.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import yaml

from hop_core import topics
from hop_core.config import config_path
from hop_core.ending_signals import interrupt_on_ending_signal
from hop_core.errors import HopError, TwinError
from hop_core.rate import DeadlineLoop
from hop_core.realtime import Priority, make_ordinary, schedule
from hop_core.robot_config import load_robot
from hop_policy.bag_reader import find_episodes, open_episode
from hop_policy.shipped import SHIPPED_TASK, shipped_policy
from hop_sim.live_figures import ARM, HAND, figure, rates_between
from hop_sim.live_launch import LiveLaunch
from hop_sim.live_runner import LiveRunner, PolicyPerformer
from hop_sim.nodes.graph_client import GraphClient
from hop_sim.nodes.target_watch import TargetWatch
from hop_sim.rollout import CellSpec

BARE_PERIOD_NS = 8_333_333
HAND_PERIOD_MS = 3.0
MB = 1e6


def main() -> int:
    """Run the benchmark; print a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time [s]")
    parser.add_argument("--resolution", default="320x180", help="of depth, such as 640x360")
    parser.add_argument("--policy", help="checkpoint, or 'untrained' for the paper's network")
    args = parser.parse_args()
    interrupt_on_ending_signal()
    try:
        with tempfile.TemporaryDirectory(prefix="hop_bench_") as folder:
            result = measure(args.seconds, args.resolution, args.policy, Path(folder))
    except HopError as error:
        print(f"bench/deploy.py: {error}", file=sys.stderr)
        return error.exit_code
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{key:28s} {value}" for key, value in result.items()))
    return 0


def measure(seconds: float, resolution: str, policy: str | None, folder: Path) -> dict[str, object]:
    """Return the figures of `seconds` of the running graph."""
    config_dir = configuration(folder / "config", folder / "demos", resolution)
    cell = CellSpec(SHIPPED_TASK, config_dir=str(config_dir))
    checkpoint = policy or str(shipped_policy(cell.task).resolve())
    twin = load_robot("twin", config_dir).twin
    if twin is None:
        raise TwinError("the cell 'twin' has no twin section")
    launch = LiveLaunch(
        policy=checkpoint,
        task=cell.task,
        auto_arm="false",
        auto_start="false",
        config_dir=str(config_dir),
    )
    with launch, GraphClient("bench_deploy") as graph:
        # What it times from outside must not be its own lateness.
        own = schedule(Priority.SUPERVISOR)
        runner = LiveRunner(cell.realism, twin, graph, launch)
        runner.bring_up("policy", "recorder")
        runner.prepare(seed=0)
        performer = PolicyPerformer(graph)
        graph.trigger(topics.RECORDER_START)
        realtime = {**realtime_priorities(launch), "bench": own.priority}
        performer.begin()
        figures = observe(seconds, runner, graph, launch)
        performer.end()
        graph.set(topics.RECORDER_STOP, False)
        figures |= policy_figures(performer.pace())
        graph.wait("the bag", lambda: bool(bags(folder)), 20.0)
        runner.close()
    bag = open_episode(bags(folder)[-1])
    published = bag.duration_ns * 1e-9 * figures["depth_hz"]
    figures["depth_delivered"] = bag.counts[topics.DEPTH] / published
    settings = {"resolution": resolution, "seconds": seconds, "realtime": realtime}
    return {**settings, **rounded(figures)}


def configuration(config_dir: Path, demos: Path, resolution: str) -> Path:
    """Return a copy of the configuration with another depth resolution and folder of recordings."""
    source = config_path("safety.yaml").parent
    for file in source.rglob("*.yaml"):
        values = yaml.safe_load(file.read_text())
        if file.name == "twin.yaml":
            values["camera"]["resolution"] = resolution
        if file.name == "recorder.yaml":
            values["root"] = str(demos)
        target = config_dir / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(values))
    return config_dir


def observe(
    seconds: float, runner: LiveRunner, graph: GraphClient, launch: LiveLaunch
) -> dict[str, float]:
    """Return what is measured from outside while the graph runs."""
    time.sleep(3.0)  # the first ticks of a run are no steady state
    watch = TargetWatch(graph.node)
    processes = [psutil.Process(pid) for pid in launch.pids()]
    before = cpu_seconds(processes)
    first, start = runner.read_counters(), time.monotonic()
    bare_ms = bare_loop_late_p99_ms(seconds)
    rss_mb = sum(process.memory_info().rss for process in processes) / MB
    shared_mb = sum(process.memory_info().shared for process in processes) / MB
    cores = (cpu_seconds(processes) - before) / (time.monotonic() - start)
    rates = rates_between(first, runner.read_counters())
    wait_ms = max(figure(graph.figures, name, "target_wait_p99_ms") for name in (ARM, HAND))
    return {
        **rates,
        "arm_late_p99_ms": figure(graph.figures, ARM, "late_p99_ms"),
        "hand_late_p99_ms": figure(graph.figures, HAND, "gap_p99_ms") - HAND_PERIOD_MS,
        "bare_loop_late_p99_ms": bare_ms,
        # Two legs, each at its worst 1 %: an upper bound of the sum's own 99 % quantile.
        "target_to_command_p99_ms": watch.filter_p99_ms() + wait_ms,
        "cpu_cores": cores,
        "rss_mb": rss_mb,
        "rss_shared_mb": shared_mb,
    }


def realtime_priorities(launch: LiveLaunch) -> dict[str, int]:
    """Return the priorities of the processes that the kernel schedules in real time, by name."""
    processes = [p for p in launch.pids() if os.sched_getscheduler(p) == os.SCHED_RR]
    return {process_name(p): os.sched_getparam(p).sched_priority for p in processes}


def process_name(pid: int) -> str:
    """Return the name of the script that a process runs."""
    return Path(psutil.Process(pid).cmdline()[1]).name


def cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    """Return the processor time used so far by all of them [s]."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def bare_loop_late_p99_ms(seconds: float) -> float:
    """Return the 99 % lateness [ms] of a loop that only sleeps, in a process of its own."""
    receive, send = multiprocessing.get_context("spawn").Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=bare_loop, args=(seconds, send))
    process.start()
    if process.pid is not None:
        make_ordinary(process.pid)  # it asks for itself, after its imports
    result = float(receive.recv())
    process.join()
    return result


def bare_loop(seconds: float, send: Connection) -> None:
    """Run the loop and send its lateness."""
    schedule(max(Priority))
    loop = DeadlineLoop(BARE_PERIOD_NS, lambda _deadline: None, "bare")
    loop.start()
    threading.Event().wait(seconds)
    loop.stop()
    send.send(loop.stats().late_p99_ms)


def policy_figures(told: Mapping[str, str]) -> dict[str, float]:
    """Return the policy's own figures of the run."""
    late = sum(int(count) for count in re.findall(r"\b\d+\b", told["late_observations"]))
    keys = ("policy_hz", "tick_to_target_p50_ms", "tick_to_target_p99_ms", "forward_p50_ms")
    figures = {key: float(told[key]) for key in keys}
    counts = ("ticks", "missed_ticks")
    return {**figures, **{k: int(float(told[k])) for k in counts}, "obs_late_ticks": late}


def bags(folder: Path) -> list[Path]:
    """Return the complete recordings."""
    demos = folder / "demos"
    return list(find_episodes(demos)) if demos.is_dir() else []


def rounded(figures: dict[str, float]) -> dict[str, float]:
    """Return the figures to four places."""
    return {key: round(value, 4) for key, value in figures.items()}


if __name__ == "__main__":
    sys.exit(main())
