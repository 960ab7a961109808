"""The recorded clip: where it is, and the track that it makes."""

from __future__ import annotations

import os
from pathlib import Path

from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.npz_import import NpzSettings, import_npz
from hop_sim.tracks.resample import Track20, resample
from hop_sim.tracks.synthetic.config import load_synthetic_config
from hop_sim.tracks.synthetic.generator import GeneratorSettings, synthetic_jobs
from hop_sim.tracks.track import Track

CLIP_VARIABLE = "HOP_CLIP"
UP = "-y"  # of the clip's world: minus the y axis of the object, which stands in the first frame


def clip_file(path: Path | None) -> Path | None:
    """Returns `path`, or what the environment names; None if neither does.

    Raises:
        SystemExit: there is no such file: synthetic motions are no stand-in for it.
    """
    named = path or os.environ.get(CLIP_VARIABLE)
    if named and not Path(named).is_file():
        raise SystemExit(f"clip {named}: there is no such file")
    return Path(named) if named else None


def recorded(file: Path) -> Track:
    """Returns the clip's track as it was recorded, z up."""
    return import_npz(file, NpzSettings(tracks=load_tracks_config(), up=UP))


def clip_track(path: Path | None) -> Track20:
    """Returns the clip's track at 20 Hz; without the clip, the first synthetic one."""
    config = load_tracks_config()
    file = clip_file(path)
    if file is not None:
        return resample(recorded(file), config.filters)
    settings = GeneratorSettings(tracks=config, synthetic=load_synthetic_config())
    job = next(iter(synthetic_jobs(1, 0, settings)))
    return resample(job.make(), config.filters)
