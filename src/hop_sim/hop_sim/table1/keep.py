"""What is kept of a run for good: all that its tables are made from, and nothing large."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from hop_core.durable_files import replace_file
from hop_core.errors import HopError
from hop_policy.checkpoint_files import METRICS
from hop_sim.table1.jobs import RECORDS
from hop_sim.table1.results import Results

CONFIG = "table1.yaml"
"""In the folder of a run: what it runs."""
_SMALL: Final = (
    f"{RECORDS}/**/*.json",
    "outcomes/**/*.jsonl",
    "stores/*.json",
    f"bases/*/{METRICS}",
    f"trials/*/{METRICS}",
    f"policies/**/{METRICS}",
)


def keep(results: Results, to: Path) -> None:
    """Copy records, losses and outcomes of a run into the folder `to`, figures of its corpora too.

    The same tables are printed from there. What is there of another run is removed.

    Raises:
        HopError: the folder cannot be written to.
    """
    out = results.plan.out
    files = {file.relative_to(out): file for small in _SMALL for file in out.glob(small)}
    texts = {where: file.read_bytes() for where, file in files.items()}
    for name in results.config.corpora:
        if (corpus := results.corpus(name)) is not None:
            where = results.plan.corpus_figures(name).relative_to(out)
            texts[where] = (json.dumps(corpus, indent=1) + "\n").encode()
    texts[Path(CONFIG)] = (out / CONFIG).read_bytes()
    try:
        for old in {file.relative_to(to) for small in _SMALL for file in to.glob(small)} - set(
            texts
        ):
            (to / old).unlink()
        for where, text in sorted(texts.items()):
            (to / where).parent.mkdir(parents=True, exist_ok=True)
            replace_file(to / where, text)
    except OSError as error:
        raise HopError(
            f"{to}: cannot be written to: {error.strerror}; make room or choose another --keep: "
            "the run keeps all of it"
        ) from error
