"""Synthetic tracks by number: scenes that can happen, seen with a tracker's errors.

Track `index` of `seed` is always the same, whatever else is generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from hop_core.config import Config, config_hash
from hop_core.errors import TrackError
from hop_sim.tracks.assemble import Origin, Sighting, assemble
from hop_sim.tracks.batch import Job
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.synthetic.catalogue import SyntheticObject, catalogue
from hop_sim.tracks.synthetic.config import NoiseConfig, SyntheticConfig
from hop_sim.tracks.synthetic.course import drift, small_poses
from hop_sim.tracks.synthetic.hand import Hand, make_hand
from hop_sim.tracks.synthetic.scene import Scene, draw_scene
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
    return assemble(_sighting(scene, cloud, hand, config, rng), origin, settings.tracks, name)


def _provenance(numbers: tuple[int, int], scene: Scene) -> dict[str, str | int | float]:
    return {
        "seed": numbers[0],
        "index": numbers[1],
        "elevation_deg": round(float(np.degrees(scene.grasp.elevation_rad)), 1),
        "fingers": int(scene.grasp.touches.sum()),
        "moves": scene.moves,
        "put_down": int(scene.put_down),
    }


def _sighting(
    scene: Scene,
    cloud: np.ndarray,
    hand: Hand,
    config: SyntheticConfig,
    rng: np.random.Generator,
) -> Sighting:
    """What a tracker with errors sees of `scene`; the bones keep their lengths."""
    everywhere = np.ones(len(scene.time_s), dtype=bool)
    T_table_palm, tips_m, T_table_object = _with_errors(scene, config.noise, config.fps, rng)
    return Sighting(
        stamps_ns=np.round(scene.time_s * 1e9).astype(np.int64),
        keypoints_m=hand.keypoints_m(T_table_palm, tips_m),
        hand_seen=everywhere,
        T_table_object=T_table_object,
        object_seen=everywhere,
        object_points_m=cloud,
    )


def _with_errors(
    scene: Scene, noise: NoiseConfig, fps: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Palm poses, tips in the palm's frame and object poses, each with its errors."""
    count = len(scene.time_s)
    slow = drift(count, 6, 1.0 / fps, noise.drift_s, rng)
    fast = rng.standard_normal((count, 6))
    hand = small_poses(
        noise.drift_m * slow[:, :3] + noise.shake_m * fast[:, :3],
        np.radians(noise.drift_deg * slow[:, 3:] + noise.shake_deg * fast[:, 3:]),
    )
    still = rng.standard_normal((count, 6))
    thing = small_poses(noise.object_m * still[:, :3], np.radians(noise.object_deg * still[:, 3:]))
    tips_m = scene.tips_m + noise.tip_m * rng.standard_normal(scene.tips_m.shape)
    return scene.T_table_palm @ hand, tips_m, scene.T_table_object @ thing
