"""How training batches are cut: contiguous segments of frames, unfolded into overlapping windows.

Each frame of a segment is encoded once; the tokens are then unfolded into windows of `context`
steps, which gives the same gradient as separate windows at a fraction of the encoder's work.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class SegmentBatch:
    """S segments of F frames, to be unfolded into W windows each.

    What depends on where the windows lie is decided before the batch is sent to its device, so that
    a step of training waits for no answer from there.

    Attributes:
        proprio: (S, F, 23) policy units.
        vision: (S, F, ...) [m].
        action: (S, F, 23) labels, policy units.
        future: (S, F, H, 23) labels `foresight` ticks later (at most the episode's last), less the
            present posture: what an image can tell without knowing where its camera stands.
        inside: (N,) int64, the windows of the S * W that end inside their episode, rising.
        valid: (N, context) bool, which steps of those windows exist; False before an episode's
            start (left padding).
        padded: whether any step of `valid` is False.
        counted: () steps that the loss is a mean over: the valid ones, or, of a batch that is
            shared out, their number in the whole batch over the number of shares.
        table_motion: (S, F, 3) by which views of the table are moved in training: a turn [rad] and
            a shift [m] along it; None is not at all.
    """

    proprio: Tensor
    vision: Tensor
    action: Tensor
    future: Tensor
    inside: Tensor
    valid: Tensor
    padded: bool
    counted: Tensor
    table_motion: Tensor | None = None


@dataclass(frozen=True)
class Segmenting:
    """How windows are cut: `windows` a segment, ends `stride` ticks apart, `context` steps each.

    `foresight` are the ticks ahead whose labels come along.
    """

    context: int
    windows: int
    stride: int
    foresight: tuple[int, ...] = ()

    @property
    def frames(self) -> int:
        """Frames of a segment."""
        return self.context + self.span

    @property
    def span(self) -> int:
        """Ticks from the first window's end to the last's."""
        return (self.windows - 1) * self.stride

    def unfold(self, x: Tensor) -> Tensor:
        """Returns the windows (S * W, context, ...) of segments (S, F, ...)."""
        windows = x.unfold(1, self.context, self.stride).movedim(-1, 2)
        return windows.reshape(-1, *windows.shape[2:])


@dataclass(frozen=True)
class Share:
    """Which part of each batch is wanted: number `index` of `of` equal ones.

    Processes that train together take one share each; the whole batch is the same whatever their
    number.
    """

    index: int = 0
    of: int = 1

    def rows(self, count: int) -> slice:
        """Returns the rows of this share among `count`, a multiple of `of`."""
        size = count // self.of
        return slice(self.index * size, (self.index + 1) * size)


WHOLE = Share()
