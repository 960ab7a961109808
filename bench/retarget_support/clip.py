"""The recorded clip: where it is, and the track that it makes."""

from __future__ import annotations

import os
from pathlib import Path

from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.npz_import import NpzSettings, import_npz
from hop_sim.tracks.resample import Track20, resample
from hop_sim.tracks.synthetic.config import load_synthetic_config
from hop_sim.tracks.synthetic.generator import GeneratorSettings, synthetic_jobs

CLIP_VARIABLE = "HOP_BENCH_CLIP"
DEFAULT_CLIP = Path(__file__).parents[2].parent / "shared" / "data" / "dexycb_clip.npz"
UP = "-y"  # of the clip's world: minus the y axis of the object, which stands in the first frame


def clip_file(path: Path | None) -> Path | None:
    """Returns `path`, or where else the clip is; None if it is nowhere.

    Raises:
        SystemExit: there is no such file as `path`: synthetic motions are no stand-in for it.
    """
    file = path or Path(os.environ.get(CLIP_VARIABLE, DEFAULT_CLIP))
    if path and not file.is_file():
        raise SystemExit(f"--clip {path}: there is no such file")
    return file if file.is_file() else None


def clip_track(path: Path | None) -> Track20:
    """Returns the clip's track at 20 Hz; without the clip, the first synthetic one."""
    config = load_tracks_config()
    file = clip_file(path)
    if file is not None:
        return resample(import_npz(file, NpzSettings(tracks=config, up=UP)), config.filters)
    settings = GeneratorSettings(tracks=config, synthetic=load_synthetic_config())
    job = next(iter(synthetic_jobs(1, 0, settings)))
    return resample(job.make(), config.filters)
