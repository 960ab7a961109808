"""`hop doctor`: what is installed, reachable and fast enough, and what to do about each miss."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hop_core.doctor import context_of, examine
from hop_core.health import Finding, Health

_STYLE = {Health.OK: "green", Health.WARN: "yellow", Health.MISS: "bold red"}


@dataclass(frozen=True)
class Arguments:
    """Check this machine, the workspace and, for a real robot, its devices. Nothing moves.

    Exit code 1 if anything is missing.
    """

    robot: str = "twin"
    """Name of the robot's config/robots/*.yaml; a real one's devices are looked for."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""
    json: bool = False
    """Print one JSON line on stdout instead of the table."""


def main(argv: list[str]) -> int:
    """Check this machine, its software and a robot's devices; return 1 if anything is missing."""
    args = tyro.cli(Arguments, prog="hop doctor", args=argv)
    findings = examine(context_of(args.robot, args.config_dir))
    well = not any(finding.state is Health.MISS for finding in findings)
    if args.json:
        checks = [finding.as_dict() for finding in findings]
        print(json.dumps({"robot": args.robot, "ok": well, "checks": checks}))
    else:
        show(findings, Console())
    return 0 if well else 1


def show(findings: list[Finding], console: Console) -> None:
    """Print the findings as a table, and how many there are of each kind."""
    table = Table("", "check", "found", "what to do")
    for finding in findings:
        style = _STYLE[finding.state]
        mark = f"[{style}]{finding.state}[/]"
        table.add_row(mark, finding.check, escape(finding.found), escape(finding.fix))
    console.print(table)
    counts = {health: sum(f.state is health for f in findings) for health in Health}
    console.print(", ".join(f"{count} {health}" for health, count in counts.items()))
