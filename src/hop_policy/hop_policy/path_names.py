"""Short names for folders that stand beside one another in a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def unique_ends(paths: Sequence[Path]) -> list[str]:
    """Return the shortest end of each path that no other one has; the paths differ."""
    ends = []
    for path in paths:
        others = [other for other in paths if other != path]
        depth = 1
        while depth < len(path.parts) and any(
            other.parts[-depth:] == path.parts[-depth:] for other in others
        ):
            depth += 1
        ends.append("/".join(path.parts[-depth:]))
    return ends
