"""What is drawn where at each frame: plain data, of which neither renderer knows the origin.

One frame of reference, z up, metres; poses are x, y, z and a unit quaternion w, x, y, z. Colours
are red, green, blue and opacity from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from hop_sim.view.shapes import Shape

Rgba = tuple[float, float, float, float]


class Layer(StrEnum):
    """Parts of a picture that are shown and hidden together."""

    ROBOT = "robot"
    TARGET = "target"
    HAND = "hand"
    SEEN_HAND = "seen"
    OBJECT = "object"
    SURFACE = "points"
    ERROR = "error"
    TABLE = "table"
    OBSTACLES = "obstacles"

    @property
    def label(self) -> str:
        """What it is called on the page."""
        return _LABELS.get(self, self.value)


_LABELS = {
    Layer.TARGET: "executed target (ghost)",
    Layer.HAND: "human hand",
    Layer.SEEN_HAND: "human hand as seen",
    Layer.SURFACE: "object's points",
    Layer.ERROR: "keypoint error",
    Layer.TABLE: "table and floor",
}


@dataclass(frozen=True)
class Solid:
    """A rigid shape.

    Attributes:
        name: unique in a drawing.
        layer: what it belongs to.
        shape: in its own frame.
        rgba: its colour.
        poses: (T, 7) a pose for each frame, or (1, 7) if it stands still.
    """

    name: str
    layer: Layer
    shape: Shape
    rgba: Rgba
    poses: np.ndarray

    def pose(self, k: int) -> np.ndarray:
        """Return its pose (7,) in frame `k`."""
        return np.asarray(self.poses[min(k, len(self.poses) - 1)])


@dataclass(frozen=True)
class Dots:
    """Balls that move each for itself.

    Attributes:
        name, layer: see `Solid`.
        radius_m: of each ball.
        points_m: (T, N, 3).
        rgb: (T, 3) their colour in each frame.
    """

    name: str
    layer: Layer
    radius_m: float
    points_m: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True)
class Strokes:
    """Straight round strokes whose ends move.

    Attributes:
        name, layer: see `Solid`.
        radius_m: of each stroke.
        ends_m: (T, N, 2, 3).
        rgb: (T, 3) their colour in each frame.
    """

    name: str
    layer: Layer
    radius_m: float
    ends_m: np.ndarray
    rgb: np.ndarray


@dataclass(frozen=True)
class Curve:
    """A figure over time, to be plotted beside the picture.

    Attributes:
        label: name with unit.
        values: (T,), NaN where not known.
        limit: what it is compared with.
    """

    label: str
    values: np.ndarray
    limit: float


@dataclass(frozen=True)
class Viewpoint:
    """Where one looks from and to, each (3,) [m]."""

    eye_m: np.ndarray
    look_at_m: np.ndarray

    @classmethod
    def on(cls, points_m: np.ndarray, toward_eye: tuple[float, float, float]) -> Viewpoint:
        """Return a viewpoint that has `points_m` (N, 3) in the picture, 45 degrees high.

        Args:
            points_m: what shall be seen.
            toward_eye: (3,) the direction from there to the eye.
        """
        low, high = points_m.min(axis=0), points_m.max(axis=0)
        middle, radius_m = (low + high) / 2.0, np.linalg.norm(high - low) / 2.0
        away = np.array(toward_eye) / np.linalg.norm(toward_eye)
        return cls(middle + radius_m / np.sin(np.radians(45.0 / 2.0)) * away, middle)


@dataclass(frozen=True)
class Drawing:
    """A track or a trajectory as a picture that moves, T frames.

    Attributes:
        title: its name.
        facts: what is known of the whole, for people, in sections.
        rate_hz: frames per second at natural speed.
        captions: T texts on what is known of each frame.
        contact: (T,) whether the human hand touches the object.
        curve: the figure that is plotted.
        viewpoint: a good one to begin with.
        solids, dots, strokes: what is drawn.
        hidden: layers that are not shown at first.
    """

    title: str
    facts: Mapping[str, Mapping[str, str]]
    rate_hz: float
    captions: tuple[str, ...]
    contact: np.ndarray
    curve: Curve
    viewpoint: Viewpoint
    solids: tuple[Solid, ...] = ()
    dots: tuple[Dots, ...] = ()
    strokes: tuple[Strokes, ...] = ()
    hidden: frozenset[Layer] = field(default_factory=frozenset)

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.captions)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Layers that hold something, in the order of `Layer`."""
        drawn: tuple[Solid | Dots | Strokes, ...] = (*self.solids, *self.dots, *self.strokes)
        used = {each.layer for each in drawn}
        return tuple(layer for layer in Layer if layer in used)

    @property
    def telling_frame(self) -> int:
        """The frame that a single picture shows: the middle one of those with contact, if any."""
        touching = np.flatnonzero(self.contact)
        return int(touching[len(touching) // 2]) if len(touching) else len(self) // 2
