"""The report as a page: what a store holds, in words, tables and figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from hop_sim.statistics import Rate
from hop_sim.trajectories.report.content import Content, Details
from hop_sim.trajectories.report.joints import JointCoverage
from hop_sim.trajectories.report.markup import (
    document,
    facts,
    heading,
    note,
    picture,
    table,
    warning,
)
from hop_sim.trajectories.report.overview import PAPER_ATTEMPTS, PAPER_KEPT, Overview, TrackRate
from hop_sim.trajectories.report.quality import Distribution
from hop_sim.trajectories.report.spread import Spread

SHOWN_TRACKS = 10
"""Of many tracks, how many of the best and of the worst are in the table."""
_FEW_TRACKS = 2 * SHOWN_TRACKS
_UNBROKEN = str.maketrans({" ": "\N{NO-BREAK SPACE}", "-": "\N{NON-BREAKING HYPHEN}"})
_DRAWN = "drawn from another store"
_SYNTHETIC = (
    "Tracks whose hands were made by a generator, and not seen: {count} of {tracks}. What comes of "
    "them shows that the machinery works; it is no evidence about videos of humans."
)
_CHOSEN = {
    "stored": "all trajectories in the store",
    "any": "trajectories whose error is below 3 cm in some frame",
    "contact": "trajectories whose error is below 3 cm in 80 % of the contact frames",
}


def page_of(content: Content, pictures: Mapping[str, bytes]) -> str:
    """Return the report as HTML with its pictures inside.

    Args:
        content: its numbers.
        pictures: PNG files by name, those that there are.
    """
    return document("Report of a trajectory store", _parts(content, pictures))


def _parts(content: Content, pictures: Mapping[str, bytes]) -> Iterator[str]:
    overview = content.overview
    if overview.synthetic_tracks:
        text = _SYNTHETIC.format(count=overview.synthetic_tracks, tracks=len(overview.tracks))
        yield warning(text)
    yield facts(_header(content))
    if not overview.tracks:
        yield warning("The store is empty: no track was tried yet.")
        return
    yield from _keep_rates(overview, pictures)
    yield from _rejections(overview, pictures)
    if content.details is None:
        yield warning(_nothing_chosen(content))
        return
    yield from _quality(content.details, pictures)
    yield from _joints(content, content.details.joints, pictures)
    yield from _workspace(content.details, pictures)
    yield from _starts(content.details, pictures)


def _header(content: Content) -> Iterator[tuple[str, str]]:
    overview = content.overview
    yield "store", overview.address
    yield "content", overview.content
    yield "settings", ", ".join(f"{k} {v}" for k, v in overview.settings.items()) or "none"
    synthetic = overview.synthetic_tracks
    kind = "all synthetic" if synthetic == len(overview.tracks) else f"{synthetic} synthetic"
    yield "tracks", f"{len(overview.tracks):,}" + (f" ({kind})" if overview.tracks else "")
    yield "groups, objects", f"{overview.groups:,}, {overview.objects:,}"
    yield "attempts", f"{overview.attempts:,}"
    yield "stored", f"{overview.stored:,} trajectories"
    yield "kept, some frame below 3 cm", _rate(overview.kept_any)
    yield "kept, 80 % of contact frames below 3 cm", _rate(overview.kept_contact)
    if overview.kept_any is not None:
        share = 100.0 * PAPER_KEPT / PAPER_ATTEMPTS
        paper = f"{PAPER_KEPT:,} of {PAPER_ATTEMPTS:,} = {share:.0f} %"
        yield "the paper keeps", f"{paper}; by its words, some frame below 3 cm"
    yield "frames", f"{overview.frames:,}, {overview.hours:.3g} hours of robot time"
    yield "figures below are of", f"{_CHOSEN[content.kept]}: {content.selected:,}"
    shown = content.demonstrations
    if shown is not None:
        tasks = ", ".join(shown.tasks)
        yield "demonstrations", f"{shown.episodes:,} with {shown.ticks:,} ticks ({tasks})"


def _nothing_chosen(content: Content) -> str:
    overview = content.overview
    if not overview.stored:
        return f"Nothing was kept of {overview.attempts:,} attempts, so there is no more to show."
    return (
        f"None of the {overview.stored:,} stored trajectories is kept by the reading "
        f"'{content.kept}', so there is no more to show."
    )


def _keep_rates(overview: Overview, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield heading("Keep rate of each track")
    if overview.kept_any is None:
        yield note(f"This store is {_DRAWN} (hop trajectories thin), whose report tells them.")
        return
    yield note(
        "Intervals are Wilson's, 95 %, as if attempts were independent; attempts at one track are "
        "alike, so that the interval of the whole store is narrower than it should be."
    )
    yield from _pictures(pictures, "keep_rates")
    tracks = overview.tracks
    if len(tracks) <= _FEW_TRACKS:
        yield _track_table(tracks)
    else:
        yield note(f"The {SHOWN_TRACKS} best:")
        yield _track_table(tracks[:SHOWN_TRACKS])
        yield note(f"The {SHOWN_TRACKS} worst:")
        yield _track_table(tracks[-SHOWN_TRACKS:])


def _track_table(tracks: Sequence[TrackRate]) -> str:
    head = ("track", "group", "objects", "attempts", "some frame", "contact frames",
            "most rejected for")  # fmt: skip
    rows = []
    for track in tracks:
        most = max(track.rejections, key=lambda reason: track.rejections[reason], default="")
        rows.append(
            (
                track.name,
                track.group,
                ", ".join(track.objects) or "-",
                f"{track.attempts:,}",
                _percent(math.nan if track.kept_any is None else track.kept_any.value),
                _rate(track.kept_contact).translate(_UNBROKEN),
                f"{most} ({track.rejections[most]:,})" if track.rejections.get(most) else "-",
            )
        )
    return table(head, rows)


def _rejections(overview: Overview, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield heading("Reasons of rejection")
    rejected = sum(overview.rejections.values())
    if not rejected:
        yield note("No attempt was rejected.")
        return
    yield from _pictures(pictures, "rejections")
    rows = (
        (reason, f"{n:,}", _percent(n / overview.attempts), _percent(n / rejected))
        for reason, n in overview.rejections.items()
    )
    yield table(("reason", "attempts", "of all attempts", "of the rejected"), rows)


def _quality(details: Details, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield heading("Errors, contact, smoothness")
    yield note(
        "Errors are those of the simulated posture, never of the target. The first figure counts "
        f"contact frames, {details.contact_frames:,} of {details.frames:,} frames (percentiles to "
        "0.1 mm), the others count trajectories. Axes leave out the outermost 0.5 %."
    )
    yield from _pictures(pictures, "distributions")
    head = ("figure", "unit", "5 %", "median", "95 %", "known", "not known")
    yield table(head, [_distribution_row(each) for each in details.distributions])


def _distribution_row(each: Distribution) -> tuple[str, ...]:
    numbers = (_number(float(value)) for value in each.percentiles)
    return (each.title, each.unit, *numbers, f"{each.known:,}", f"{each.unknown:,}")


def _joints(
    content: Content, joints: JointCoverage, pictures: Mapping[str, bytes]
) -> Iterator[str]:
    yield heading("Coverage of the joints")
    text = f"Postures of {joints.store.postures:,} frames, over the range that a policy can express"
    if content.demonstrations is None:
        yield note(f"{text}. No demonstrations were named to hold them against (--demos).")
    else:
        yield note(f"{text}; those of the demonstrations, at the ticks to learn from, over them.")
    yield from _pictures(pictures, "joint_ranges")
    yield note(
        "Each histogram is scaled to its own highest bin. Dotted: the ends of the policy's scale."
    )
    yield from _pictures(pictures, "joint_coverage")
    head = ["joint", "1 %", "median", "99 %", "share of the scale"]
    if content.demonstrations is not None:
        head += ["demos 1 %", "median", "99 %", "ticks within the store's 1-99 %"]
    yield note("Angles in rad.")
    yield table(head, (_joint_row(joints, j) for j in range(len(joints.names))))


def _joint_row(joints: JointCoverage, j: int) -> list[str]:
    low, _q25, median, _q75, high = (float(value) for value in joints.store.percentiles[:, j])
    share = (high - low) / float(joints.scale[j, 1] - joints.scale[j, 0])
    cells = [joints.names[j], f"{low:.2f}", f"{median:.2f}", f"{high:.2f}", _percent(share)]
    if joints.demonstrations is not None:
        values = joints.demonstrations.percentiles[[0, 2, 4], j]
        cells += [f"{value:.2f}" for value in values]
        cells.append(_percent(float(joints.demonstrated_within[j])))
    return cells


def _workspace(details: Details, pictures: Mapping[str, bytes]) -> Iterator[str]:
    space = details.workspace
    yield heading("Coverage of the workspace")
    yield note(
        f"Palm and object in base_link at {space.sampled:,} of {space.frames:,} frames, evenly "
        "spread over them. The palm's origin is the root of the middle finger; the cross is the "
        "base of the robot. White cells are empty; what is outermost (0.1 % at each end of an "
        "axis) may lie beyond the picture."
    )
    yield from _pictures(pictures, "workspace")


def _starts(details: Details, pictures: Mapping[str, bytes]) -> Iterator[str]:
    yield heading("Spread of the starts")
    yield note(
        "Posture and object of each trajectory's first frame, and the table that it stands on, in "
        "base_link."
    )
    yield from _pictures(pictures, "starts")
    head = ("figure", "unit", "known", "mean", "sd", "5 %", "median", "95 %")
    spreads = (*details.tables, *details.objects, *details.starts)
    yield table(head, (_spread_row(each) for each in spreads))


def _spread_row(each: Spread) -> tuple[str, ...]:
    values = (each.mean, each.sd, *(float(each.percentiles[i]) for i in (1, 3, 5)))
    return (each.name, each.unit, f"{each.known:,}", *(_number(value) for value in values))


def _pictures(pictures: Mapping[str, bytes], name: str) -> Iterator[str]:
    if name in pictures:
        yield picture(pictures[name], name.replace("_", " "))


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return _DRAWN
    if not rate.trials:
        return "-"
    interval = f"{100.0 * rate.low:.1f}-{100.0 * rate.high:.1f}"
    return f"{rate.successes:,} of {rate.trials:,} = {_percent(rate.value)} ({interval})"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100.0 * share:.1f} %"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "-"
