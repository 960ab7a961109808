"""The objects of synthetic tracks: a few sizes of each kind, always the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.tracks.synthetic.config import KindConfig, SyntheticConfig
from hop_sim.tracks.synthetic.shape import Shape


@dataclass(frozen=True)
class SyntheticObject:
    """One object.

    Attributes:
        name: as in `synthetic_bottle_1`.
        shape: its solid.
    """

    name: str
    shape: Shape


def catalogue(config: SyntheticConfig) -> list[SyntheticObject]:
    """Return all objects, by kind and then by number.

    The sizes of a kind depend on its own numbers and the seed alone, so that a new kind changes no
    other.
    """
    out = []
    for name, kind in config.objects.items():
        rng = np.random.default_rng([config.catalogue_seed, *name.encode()])
        for number in range(1, config.variants + 1):
            out.append(SyntheticObject(f"synthetic_{name}_{number}", _shape(kind, rng)))
    return out


def _shape(kind: KindConfig, rng: np.random.Generator) -> Shape:
    width_m, depth = rng.uniform(*kind.width_m), rng.uniform(*kind.depth)
    return Shape(
        half_m=(width_m / 2.0, width_m * depth / 2.0),
        squareness=kind.squareness,
        height_m=rng.uniform(*kind.height_m),
        profile=np.array(kind.profile, dtype=np.float64),
    )
