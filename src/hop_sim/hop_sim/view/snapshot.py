"""One image of a drawing, or of several of its frames side by side, with captions, as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hop_core.durable_files import replace_file
from hop_core.errors import ViewError
from hop_sim.view.drawing import Drawing, Layer
from hop_sim.view.still import StillRenderer

_WIDTH, _HEIGHT = 720, 600
_TEXT_PX = 16
_LINE_PX = 24
_INK, _PAPER = (30, 30, 35), (255, 255, 255)


def spread_frames(drawing: Drawing, count: int) -> tuple[int, ...]:
    """Return `count` frames of `drawing` from the first to the last, evenly; one: a telling one.

    Raises:
        ViewError: there are not so many.
    """
    if not 1 <= count <= len(drawing):
        raise ViewError(
            f"--frames {count}: {drawing.title} has {len(drawing)} frames; ask for 1 to as many"
        )
    if count == 1:
        return (drawing.telling_frame,)
    return tuple(int(k) for k in np.linspace(0, len(drawing) - 1, count).round())


def save_snapshot(
    drawing: Drawing, frames: Sequence[int], path: Path, shown: frozenset[Layer] | None = None
) -> None:
    """Write the `frames` of `drawing` side by side into the PNG file `path`.

    Args:
        drawing: what is rendered.
        frames: numbers of frames, at least one.
        path: where to; a file that is there is replaced.
        shown: layers; None: those that the drawing does not hide.

    Raises:
        TwinError: no off-screen OpenGL on this machine.
        ViewError: the file cannot be written.
    """
    if path.is_dir():
        raise ViewError(f"{path}: is a folder; name the PNG file that shall be written")
    renderer = StillRenderer(drawing, _WIDTH, _HEIGHT, shown)
    try:
        images = [renderer.render(k) for k in frames]
    finally:
        renderer.close()
    buffer = io.BytesIO()
    _page(drawing, frames, images).save(buffer, format="PNG")
    try:
        replace_file(path, buffer.getvalue())
    except OSError as error:
        raise ViewError(f"{path}: cannot be written: {error.strerror}") from error


def _page(drawing: Drawing, frames: Sequence[int], images: Sequence[np.ndarray]) -> Image.Image:
    """The images in a row: the drawing's name and source above, a caption below each."""
    page = Image.new("RGB", (_WIDTH * len(images), _HEIGHT + 3 * _LINE_PX), _PAPER)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT_PX)
    about = next(iter(drawing.facts.values()))
    pen.text((8, 3), f"{drawing.title}: {about['object']}", _INK, font)
    pen.text((8, 3 + _LINE_PX), about["source"], _INK, font)
    for column, (k, image) in enumerate(zip(frames, images, strict=True)):
        left = column * _WIDTH
        page.paste(Image.fromarray(image), (left, 2 * _LINE_PX))
        pen.text((left + 8, 2 * _LINE_PX + _HEIGHT + 3), drawing.captions[k], _INK, font)
    return page
