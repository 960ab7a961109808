"""All that decides what retargeting makes of a track."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from hop_core.config import config_hash
from hop_core.retargeting.config import RetargetConfig, load_retarget
from hop_core.retargeting.solvers import SolverName
from hop_core.robot_model import robot_hash
from hop_core.safety_config import SafetyConfig, load_safety
from hop_sim.retarget.config import EngineConfig, load_engine
from hop_sim.tracks.config import TracksConfig, load_tracks_config

# Counted up when the code makes other attempts of the same settings: 2, obstacles stand on the
# table; 3, the object is set to its pose before every substep; 4, joints have stiff stops.
_DRAWS = 4


@dataclass(frozen=True)
class RetargetSettings:
    """Configurations, and what else decides.

    Attributes:
        engine, eq1, safety, tracks: see there; `engine.attempts` is how many a track gets.
        seed: what everything random is drawn from.
        solver: of Eq. 1.
    """

    engine: EngineConfig
    eq1: RetargetConfig
    safety: SafetyConfig
    tracks: TracksConfig
    seed: int
    solver: SolverName

    def hashes(self) -> dict[str, str]:
        """Return what identifies the settings, for the header of a store."""
        draws = {"seed": self.seed, "solver": self.solver, "version": _DRAWS}
        return {
            "retarget_engine": config_hash(self.engine),
            "retarget": config_hash(self.eq1),
            "safety": config_hash(self.safety),
            "track_filters": config_hash(self.tracks.filters),
            "robot": robot_hash(),
            "draws": json.dumps(draws, sort_keys=True),
        }


def load_settings(
    attempts: int | None, seed: int, solver: SolverName, config_dir: Path | None = None
) -> RetargetSettings:
    """Return the settings with configurations from `config_dir`.

    Args:
        attempts: at each track; None: as configured.
        seed: what everything random is drawn from.
        solver: of Eq. 1.
        config_dir: default: the installed one.

    Raises:
        ConfigError: a configuration is missing or breaks a rule.
    """
    engine = load_engine(config_dir)
    return RetargetSettings(
        engine=engine if attempts is None else engine.with_attempts(attempts),
        eq1=load_retarget(config_dir),
        safety=load_safety(config_dir),
        tracks=load_tracks_config(config_dir),
        seed=seed,
        solver=solver,
    )
