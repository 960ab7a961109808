"""The figures of a store as people read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from hop_core.embodiment import load_embodiment
from hop_sim.trajectories.release.importer import FolderReport

_OF_THEIR_OWN = ("rejections", "metrics", "joints_rad")


def track_table(tracks: Sequence[dict[str, Any]], title: str) -> Table:
    """Return a table of the tracks of `track_summaries`."""
    table = Table(title=title)
    table.add_column("track", overflow="fold")
    for name in ("source", "group", "objects"):
        table.add_column(name)
    for name in ("attempts", "kept any", "kept contact", "frames", "error mm"):
        table.add_column(name, justify="right")
    table.add_column("most rejected for")
    for each in tracks:
        error_m, rejections = each["median_contact_error_m"], each["rejections"]
        most = max(rejections, key=rejections.get, default="")
        table.add_row(
            each["track"],
            each["source"] + (" (SYNTHETIC)" if each["synthetic"] else ""),
            each["group"],
            ", ".join(each["objects"]) or "-",
            str(each["attempts"]),
            str(each["kept_any"]),
            str(each["kept_contact"]),
            str(each["frames"]),
            "-" if error_m is None else f"{1000 * error_m:.1f}",
            f"{most} ({rejections[most]})" if rejections.get(most) else "-",
        )
    return table


def summary_tables(figures: dict[str, Any], title: str) -> Iterator[Table]:
    """Yield the tables of `summary`: the whole, reasons of rejection, metrics, joints."""
    whole = Table("figure", "value", title=title)
    for name, value in figures.items():
        if name not in _OF_THEIR_OWN:
            whole.add_row(name, "-" if value is None else str(value))
    yield whole
    if figures["rejections"]:
        reasons = Table("rejected for", "attempts", "share of attempts")
        for name, count in figures["rejections"].items():
            reasons.add_row(name, str(count), f"{count / figures['attempts']:.3f}")
        yield reasons
    if figures["metrics"]:
        metrics = Table("metric", "p5", "median", "p95", "known of")
        for name, row in figures["metrics"].items():
            cells = (f"{row[p]:g}" for p in ("p5", "p50", "p95"))
            metrics.add_row(name, *cells, str(row["known"]))
        yield metrics
    if figures["joints_rad"]:
        yield _joint_table(figures["joints_rad"])


def import_table(reports: Sequence[FolderReport], title: str) -> Table:
    """Return what came of each folder of a release."""
    table = Table("folder", "trajectories", "frames", "cloud off mm", "limited steps", title=title)
    for each in reports:
        if each.trajectories:
            table.add_row(
                each.folder,
                str(each.trajectories),
                str(each.frames),
                f"{1000 * each.residual_m:.4f}",
                f"{each.limited_share:.3f}",
            )
        else:
            table.add_row(each.folder, "there" if each.there else "NOT IMPORTED", "-", "-", "-")
    return table


def _joint_table(ranges: dict[str, tuple[float, float]]) -> Table:
    robot = load_embodiment()
    table = Table("joint", "from rad", "to rad", "device from", "device to", "share of range")
    for i, (name, (low, high)) in enumerate(ranges.items()):
        device = (float(robot.lower[i]), float(robot.upper[i]))
        share = (high - low) / (device[1] - device[0])
        table.add_row(
            name, f"{low:.2f}", f"{high:.2f}", *(f"{x:.2f}" for x in device), f"{share:.2f}"
        )
    return table
