"""What is kept of a run for good: all that its tables are made from, and its bases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError, HopError
from hop_policy.checkpoint_files import CONFIG as CHECKPOINT_CONFIG
from hop_policy.checkpoint_files import METRICS, PROVENANCE, WEIGHTS
from hop_sim.table1.config import CONFIG
from hop_sim.table1.jobs import RECORDS
from hop_sim.table1.plan import OUTCOMES
from hop_sim.table1.results import Results
from hop_sim.table1.sittings import SITTINGS

_KEPT: Final = (
    SITTINGS,
    f"{RECORDS}/**/*.json",
    f"{OUTCOMES}/**/*.jsonl",
    "stores/*.json",
    *(f"bases/*/{name}" for name in (CHECKPOINT_CONFIG, WEIGHTS, METRICS, PROVENANCE)),
    *(f"{of}/{name}" for of in ("trials/*", "policies/**") for name in (METRICS, PROVENANCE)),
)
"""Patterns of what is kept. Bases, which take hours to make, are kept with their weights."""


def require_keepable(to: Path) -> None:
    """Pass if the folder `to` is new or empty, or one that keeps a run.

    Raises:
        ConfigError: it holds other things, which would be mistaken for a run's.
    """
    if to.exists() and not (to / CONFIG).is_file() and (not to.is_dir() or any(to.iterdir())):
        raise ConfigError(f"{to} is no folder that keeps a run; choose a new one for --keep")


def keep(results: Results, to: Path) -> None:
    """Copy records, losses and outcomes of a run into the folder `to`, and its bases whole.

    Figures of its corpora go there too, and what each policy learnt from. The same tables are
    printed from there. What is there of another run is removed.

    Raises:
        HopError: the folder cannot be written to.
    """
    out = results.plan.out
    texts = {where: (out / where).read_bytes() for where in _kept_files(out)}
    for name in results.config.corpora:
        if (corpus := results.corpus(name)) is not None:
            where = results.plan.corpus_figures(name).relative_to(out)
            texts[where] = (json.dumps(corpus, indent=1) + "\n").encode()
    texts[Path(CONFIG)] = (out / CONFIG).read_bytes()
    try:
        for old in _kept_files(to) - set(texts):
            (to / old).unlink()
        for where, text in sorted(texts.items()):
            (to / where).parent.mkdir(parents=True, exist_ok=True)
            replace_file(to / where, text)
    except OSError as error:
        raise HopError(
            f"{to}: cannot be written to: {error.strerror}; make room or choose another --keep: "
            "the run keeps all of it"
        ) from error


def _kept_files(folder: Path) -> set[Path]:
    return {file.relative_to(folder) for pattern in _KEPT for file in folder.glob(pattern)}
