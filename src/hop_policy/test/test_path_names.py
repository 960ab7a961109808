"""Short names of folders."""

from pathlib import Path

from hop_policy.path_names import unique_ends


def test_names_are_as_short_as_they_can_be() -> None:
    paths = [Path(p) for p in ("/runs/a/best", "/runs/b/best", "/runs/lift", "/old/a/best")]
    assert unique_ends(paths) == ["runs/a/best", "b/best", "lift", "old/a/best"]
