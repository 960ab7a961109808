"""Synthetic tracks by number: scenes that can happen, seen with a tracker's errors.

Track `index` of `seed` is always the same, whatever else is generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from hop_core.config import Config, config_hash
from hop_core.errors import TrackError
from hop_sim.tracks.assemble import Origin, assemble
from hop_sim.tracks.batch import Job
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.synthetic.catalogue import SyntheticObject, catalogue
from hop_sim.tracks.synthetic.config import SyntheticConfig
from hop_sim.tracks.synthetic.hand import make_hand
from hop_sim.tracks.synthetic.scene import Scene, draw_scene
from hop_sim.tracks.synthetic.tracker import Course, sighting
from hop_sim.tracks.track import Track


class GeneratorSettings(Config):
    """What decides what is generated.

    Attributes:
        tracks: filters, limits and points per object.
        synthetic: the generator's own.
    """

    tracks: TracksConfig
    synthetic: SyntheticConfig


def synthetic_jobs(count: int, seed: int, settings: GeneratorSettings) -> Iterator[Job]:
    """Yield jobs for tracks 0 to `count` - 1 of `seed`."""
    fingerprint = config_hash(settings)
    things = catalogue(settings.synthetic)
    for index in range(count):
        name = f"synthetic_{seed}_{index:05d}"
        make = partial(generate_track, name, (seed, index), settings, things)
        yield Job(name, name, fingerprint, make)


def generate_track(
    name: str,
    numbers: tuple[int, int],
    settings: GeneratorSettings,
    things: list[SyntheticObject],
) -> Track:
    """Return one track.

    Objects are taken in turn, so that each is handled as often as any other; hand, grasp and
    movement are drawn.

    Args:
        name: of the track.
        numbers: seed and index, from which all is drawn.
        settings: of the generator and of tracks.
        things: the catalogue.

    Raises:
        TrackError: none of the scenes that were drawn can happen.
    """
    config = settings.synthetic
    thing = things[sum(numbers) % len(things)]
    rng = np.random.default_rng(numbers)
    hand = make_hand(config.hand, int(rng.integers(config.hands)))
    cloud = thing.shape.surface(settings.tracks.object_points)
    scenes = (draw_scene(thing, cloud, hand, config, rng) for _ in range(config.attempts))
    scene = next((scene for scene in scenes if scene is not None), None)
    if scene is None:
        raise TrackError(
            f"{name}: none of {config.attempts} drawn scenes of {thing.name} can happen; raise "
            "attempts in synthetic_tracks.yaml or widen its ranges"
        )
    origin = Origin(
        name=name,
        object_name=thing.name,
        source="synthetic",
        subject=hand.name,
        scale_source="made in metres",
        settings=config_hash(settings),
        provenance=_provenance(numbers, scene),
        synthetic=True,
    )
    course = Course(scene.time_s, scene.T_table_palm, scene.tips_m, scene.T_table_object)
    return assemble(sighting(course, cloud, hand, config, rng), origin, settings.tracks, name)


def _provenance(numbers: tuple[int, int], scene: Scene) -> dict[str, str | int | float]:
    return {
        "seed": numbers[0],
        "index": numbers[1],
        "elevation_deg": round(float(np.degrees(scene.grasp.elevation_rad)), 1),
        "fingers": int(scene.grasp.touches.sum()),
        "moves": scene.moves,
        "put_down": int(scene.put_down),
    }
