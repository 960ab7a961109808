"""The controls beside the picture: scrubber, play, speed, layers, facts, plot."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import viser
from viser import uplot

from hop_sim.view.drawing import Curve, Drawing, Layer

SPEEDS = ("0.1", "0.25", "0.5", "1", "2")
_PLOT_PX = 150
_MOST_LIMITS = 4.0
_CURVE, _LIMIT, _NOW = "#1f5eea", "#d9480f", "#222222"
_CONTACT, _CLEAR = "rgba(242, 115, 13, 0.25)", "rgba(0, 0, 0, 0)"


@dataclass(frozen=True)
class Actions:
    """What the controls ask for; called from viser's threads.

    Attributes:
        seek: go to a frame.
        toggle_play: play or pause.
        set_speed: play at a multiple of the natural speed.
        set_visible: show or hide a layer.
        step: go to another trajectory, so many farther; None: there is one drawing only.
    """

    seek: Callable[[int], None]
    toggle_play: Callable[[], None]
    set_speed: Callable[[float], None]
    set_visible: Callable[[Layer, bool], None]
    step: Callable[[int], None] | None


class Panel:
    """The controls; one thread calls its methods."""

    def __init__(self, server: viser.ViserServer, actions: Actions) -> None:
        """Add the controls to the page; they are empty before `show`."""
        self._gui = server.gui
        self._actions = actions
        self._gui.configure_theme(control_width="large", show_logo=False, show_share_button=False)
        if actions.step is not None:
            self._add_neighbours(actions.step)
        self._add_playback()
        self._plot_folder = self._gui.add_folder("Plot")
        self._plot: viser.GuiUplotHandle | None = None
        self._layers: dict[Layer, viser.GuiCheckboxHandle] = {}
        self._layer_folder = self._gui.add_folder("Shown")
        self._facts = self._gui.add_markdown("")

    def show(self, drawing: Drawing, shown: frozenset[Layer], k: int) -> None:
        """Fit all controls to `drawing` at frame `k`; `shown` are the visible layers."""
        self._gui.set_panel_label(drawing.title)
        self._scrub_to(0)  # before the range shrinks
        self._scrubber.max = len(drawing) - 1
        self._facts.content = facts_markdown(drawing)
        if self._plot is not None:
            self._plot.remove()
        with self._plot_folder:
            self._plot = _add_plot(self._gui, drawing.curve, drawing.contact)
        self._fit_layers(drawing.layers, shown)
        self.move_to(drawing, k)

    def move_to(self, drawing: Drawing, k: int) -> None:
        """Tell about frame `k`."""
        self._scrub_to(k)
        self._caption.content = drawing.captions[k]
        if self._plot is not None:
            self._plot.data = plot_data(drawing.curve, drawing.contact, k)

    def tell(self, sentence: str) -> None:
        """Say what went wrong, where the caption is."""
        self._caption.content = f"**{html.escape(sentence)}**"

    def set_playing(self, playing: bool) -> None:
        """Let the button say what it does."""
        self._play.label = "Pause" if playing else "Play"

    def _add_neighbours(self, step: Callable[[int], None]) -> None:
        buttons = self._gui.add_button_group("Trajectory", ("previous", "next"))
        buttons.on_click(lambda event: step(1 if event.target.value == "next" else -1))

    def _add_playback(self) -> None:
        self._caption = self._gui.add_markdown("")
        self._play = self._gui.add_button("Play")
        self._play.on_click(lambda _event: self._actions.toggle_play())
        self._scrubber = self._gui.add_slider("Frame", 0, 1, 1, 0)
        self._scrubber.on_update(self._on_scrub)
        speed = self._gui.add_dropdown("Speed", SPEEDS, initial_value="1")
        speed.on_update(lambda event: self._actions.set_speed(float(event.target.value)))

    def _scrub_to(self, k: int) -> None:
        # viser defines the setter apart from its getter, where mypy does not find it.
        self._scrubber.value = k  # type: ignore[misc]

    def _on_scrub(self, event: viser.GuiEvent[viser.GuiSliderHandle[int]]) -> None:
        if event.client is not None:  # not when the page itself moves it
            self._actions.seek(int(event.target.value))

    def _fit_layers(self, layers: tuple[Layer, ...], shown: frozenset[Layer]) -> None:
        """Have a box for each layer; those that were there keep what was chosen."""
        for layer in [each for each in self._layers if each not in layers]:
            self._layers.pop(layer).remove()
        with self._layer_folder:
            for layer in layers:
                if layer not in self._layers:
                    self._layers[layer] = self._add_layer(layer, layer in shown)

    def _add_layer(self, layer: Layer, shown: bool) -> viser.GuiCheckboxHandle:
        box = self._gui.add_checkbox(layer.label, shown)
        box.on_update(lambda event: self._actions.set_visible(layer, bool(event.target.value)))
        return box


def facts_markdown(drawing: Drawing) -> str:
    """Return the facts of `drawing` as tables."""
    parts = []
    for section, facts in drawing.facts.items():
        rows = [f"| {_cell(key)} | {_cell(value)} |" for key, value in facts.items()]
        parts.append("\n".join([f"| **{section}** | |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def plot_top(curve: Curve) -> float:
    """Return the upper end of the plot: what is far beyond the limit is cut off."""
    largest = float(np.nanmax(curve.values, initial=0.0))
    return float(np.clip(1.05 * largest, 1.2 * curve.limit, _MOST_LIMITS * curve.limit))


def plot_data(curve: Curve, contact: np.ndarray, k: int) -> tuple[np.ndarray, ...]:
    """Return the columns of the plot: frames, curve, limit, contact and a bar at frame `k`."""
    frames, top = np.arange(len(curve.values), dtype=np.float64), plot_top(curve)
    limit = np.full(len(frames), curve.limit)
    return frames, curve.values, limit, np.where(contact, top, 0.0), np.where(frames == k, top, 0.0)


def _add_plot(gui: viser.GuiApi, curve: Curve, contact: np.ndarray) -> viser.GuiUplotHandle:
    return gui.add_uplot(
        plot_data(curve, contact, 0),
        series=(
            uplot.Series(label="frame"),
            uplot.Series(label=curve.label, stroke=_CURVE, width=2),
            uplot.Series(label=f"limit {curve.limit:g}", stroke=_LIMIT, width=1),
            uplot.Series(label="contact", stroke=_CLEAR, fill=_CONTACT),
            uplot.Series(label="now", stroke=_NOW, fill=_NOW),
        ),
        scales={"x": uplot.Scale(time=False), "y": uplot.Scale(range=(0.0, plot_top(curve)))},
        height=_PLOT_PX,
    )


def _cell(text: str) -> str:
    return html.escape(text).replace("|", "\\|")
