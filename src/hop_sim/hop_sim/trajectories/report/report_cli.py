"""`hop trajectories report`: a page with figures of what a store holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.report.content import as_json, content_of
from hop_sim.trajectories.report.demonstrations import read_demonstrations
from hop_sim.trajectories.report.folder import json_file, require_free, write_folder
from hop_sim.trajectories.report.page import page_of
from hop_sim.trajectories.report.selection import Scope
from hop_sim.trajectories.store import TrajectoryStore

PAGE, NUMBERS = "report.html", "report.json"


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Report what a store holds: a page, its figures as PNG, and their numbers as JSON.

    The page needs no other file and no network. A folder with something in it is left alone.
    """

    store: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
    """Folder of the store, or a URL"""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the report; new or empty."""
    demos: Path | None = None
    """Folder of demonstrations, DEMOS/TASK/EPISODE, to hold the store's postures against; those
    labelled success count, as for hop finetune."""
    task: str | None = None
    """Only the demonstrations of this task."""
    kept: Scope = "stored"
    """Which trajectories errors, coverage and starts are of: all that are stored, or those kept by
    one reading of the filter."""
    config_dir: Path | None = None
    """Folder of policy.yaml, by which demonstrations are read; default: the installed one."""


def main(argv: list[str]) -> int:
    """Report what a store holds: a page with figures."""
    options = tyro.cli(ReportOptions, args=argv, prog="hop trajectories report")
    if options.task is not None and options.demos is None:
        raise TrajectoryError("--task chooses among demonstrations; name them with --demos")
    # Only here, since help and errors need no matplotlib.
    from hop_sim.trajectories.report.pictures import pictures_of

    require_free(options.out)
    store = TrajectoryStore.open(options.store)
    demonstrations = None
    if options.demos is not None:
        demonstrations = read_demonstrations(options.demos, options.task, options.config_dir)
    content = content_of(store, options.kept, demonstrations)
    pictures = {picture.name: picture.png for picture in pictures_of(content)}
    files = {f"{name}.png": png for name, png in pictures.items()}
    files[NUMBERS] = json_file(as_json(content))
    files[PAGE] = page_of(content, pictures).encode()
    write_folder(options.out, files)
    print(f"{len(store.tracks)} tracks, {content.selected} trajectories: {options.out / PAGE}")
    return 0
