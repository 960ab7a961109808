"""Size and rates of the trajectory store, against plain .npy files of the same columns.

Trajectories are smooth random motions (`store_support`). Peers read the same rows turn by turn, so
that a busy machine slows all alike. The disk cache is warm.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from store_support.motions import fill

from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.summary import summary

COLUMNS = ("frames/q", "frames/q_target", "frames/object_pose")
WINDOW = 16
TURNS = 5
PAPER_FRAMES = 70_000 * 100


def main() -> int:
    """Run the benchmark; print a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--tracks", type=int, default=20, help="tracks in the store (default 20)")
    parser.add_argument("--kept", type=int, default=154, help="trajectories of each (default 154)")
    parser.add_argument("--frames", type=int, default=100, help="frames of each (default 100)")
    parser.add_argument("--windows", type=int, default=400, help="windows read (default 400)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        append_s = fill(path, args.tracks, args.kept, args.frames)
        figures = {**measure(path, args.windows), "append_track_s": round(append_s, 3)}
    if args.json:
        print(json.dumps(figures))
        return 0
    for key, value in figures.items():
        print(f"{key:32s} {value}")
    return 0


def measure(path: Path, windows: int) -> dict[str, float | int | str]:
    """Return size and rates of the store at `path`."""
    store = TrajectoryStore.open(path)
    for column in COLUMNS:
        np.save(path.parent / column.split("/")[1], store.read(column))
    files = [path.parent / f"{column.split('/')[1]}.npy" for column in COLUMNS]
    maps = [np.load(file, mmap_mode="r") for file in files]
    starts = np.random.default_rng(1).integers(0, store.frames - WINDOW, windows)
    cuts = [slice(start, start + WINDOW) for start in starts.tolist()]
    loaded = [store.read(column) for column in COLUMNS]
    index = starts[:, None] + np.arange(WINDOW)
    tasks: dict[str, Callable[[], object]] = {
        "open": lambda: TrajectoryStore.open(path),
        "load": lambda: [store.read(column) for column in COLUMNS],
        "npy_load": lambda: [np.load(file) for file in files],
        "windows": lambda: [[store.read(column, cut) for column in COLUMNS] for cut in cuts],
        "npy_windows": lambda: [[np.array(each[cut]) for each in maps] for cut in cuts],
        "loaded_windows": lambda: [each[index] for each in loaded],
        "check": lambda: [problem for _part, problem in check_store(store) if problem],
    }
    seconds = best_times(tasks)
    figures = summary(store)
    mb = sum(each.nbytes for each in loaded) / 1e6
    return {
        "trajectories": len(store),
        "frames": store.frames,
        "bytes_per_frame": figures["bytes_per_frame"],
        "uncompressed_bytes_per_frame": figures["uncompressed_bytes_per_frame"],
        "paper_gb": round(PAPER_FRAMES * figures["bytes_per_frame"] / 1e9, 2),
        "open_ms": round(1e3 * seconds["open"], 1),
        "load_mb_per_s": round(mb / seconds["load"]),
        "load_frames_per_s": round(store.frames / seconds["load"]),
        "load_ratio_npy": round(seconds["load"] / seconds["npy_load"], 2),
        "windows_per_s": round(windows / seconds["windows"]),
        "npy_mapped_windows_per_s": round(windows / seconds["npy_windows"]),
        "loaded_windows_per_s": round(windows / seconds["loaded_windows"]),
        "check_frames_per_s": round(store.frames / seconds["check"]),
        "peer": "np.load of uncompressed .npy files, read whole and mapped",
    }


def best_times(tasks: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the shortest time of each task [s], called one after the other."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _turn in range(TURNS):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}


if __name__ == "__main__":
    raise SystemExit(main())
