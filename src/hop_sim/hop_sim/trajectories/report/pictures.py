"""The report's figures as PNG files, each with the name, the title and the words that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from hop_sim.trajectories.report.content import Content, Details
from hop_sim.trajectories.report.draw_joints import draw_joint_coverage, draw_joint_ranges
from hop_sim.trajectories.report.draw_quality import draw_distributions
from hop_sim.trajectories.report.draw_space import draw_starts, draw_workspace
from hop_sim.trajectories.report.draw_tracks import draw_keep_rates, draw_rejections
from hop_sim.trajectories.report.style import png, report_style


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        name: of its file, without ending.
        png: the file.
    """

    name: str
    png: bytes


def pictures_of(content: Content) -> Iterator[Picture]:
    """Yield the figures for which there is something to draw."""
    with report_style():
        for name, figure in _figures(content):
            yield Picture(name, png(figure))


def _figures(content: Content) -> Iterator[tuple[str, Figure]]:
    overview = content.overview
    if overview.attempts and overview.kept_any is not None:
        yield "keep_rates", draw_keep_rates(overview)
    if any(overview.rejections.values()):
        yield "rejections", draw_rejections(overview.rejections, overview.attempts)
    if content.details is not None:
        yield from _detail_figures(content.details)


def _detail_figures(details: Details) -> Iterator[tuple[str, Figure]]:
    yield "distributions", draw_distributions(details.distributions)
    yield "joint_ranges", draw_joint_ranges(details.joints)
    yield "joint_coverage", draw_joint_coverage(details.joints)
    yield "workspace", draw_workspace(details.workspace)
    yield "starts", draw_starts(details.workspace, details.starts)
