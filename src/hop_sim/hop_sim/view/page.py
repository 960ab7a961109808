"""The page in the browser: a server, a stage, a panel, and one loop that moves them."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import ParamSpec

import viser

from hop_core.errors import HopError
from hop_sim.view.drawing import Drawing, Layer
from hop_sim.view.panel import Actions, Panel
from hop_sim.view.player import Player
from hop_sim.view.stage import Stage

Open = Callable[[int], Drawing]
"""Returns the drawing of a number."""
_Arguments = ParamSpec("_Arguments")


class Page:
    """Shows one of `count` drawings at a time.

    Controls and signals put what they ask for into a queue; the loop of `run` alone acts on it, so
    that a drawing is never replaced while it is moved.
    """

    def __init__(
        self, server: viser.ViserServer, open_drawing: Open, count: int, shown: frozenset[Layer]
    ) -> None:
        """Add stage and panel to `server`.

        Args:
            server: the page's.
            open_drawing: makes the drawing of a number below `count`.
            count: of drawings; with one there are no buttons for the next.
            shown: layers that are visible at first.
        """
        self._server = server
        self._open = open_drawing
        self._count = count
        self._shown = set(shown)
        self._orders: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._stage = Stage(server)
        self._panel = Panel(
            server,
            Actions(
                seek=self._order(self._seek),
                toggle_play=self._order(self._toggle_play),
                set_speed=self._order(self._set_speed),
                set_visible=self._order(self._set_visible),
                step=self._order(self._step) if count > 1 else None,
            ),
        )

    def show(self, number: int, drawing: Drawing, frame: int) -> None:
        """Show the drawing of `number` at `frame`, paused."""
        self._number, self._drawing, self._frame = number, drawing, frame
        self._player = Player(len(drawing), drawing.rate_hz, frame)
        self._server.initial_camera.position = drawing.viewpoint.eye_m
        self._server.initial_camera.look_at = drawing.viewpoint.look_at_m
        self._stage.show(drawing, frozenset(self._shown), frame)
        self._panel.show(drawing, frozenset(self._shown), frame)
        self._panel.set_playing(False)

    def run(self) -> None:
        """Do what is asked for until `end` is called."""
        while True:
            try:
                waits = self._player.period_s / 2.0 if self._player.playing else None
                order = self._orders.get(timeout=waits)
                if order is None:
                    return
                order()
            except Empty:
                pass
            self._follow()

    def end(self) -> None:
        """Let `run` return; from any thread and from a signal handler."""
        self._orders.put(None)

    def _order(self, act: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
        """Return what puts a call of `act` into the queue."""

        def put(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
            self._orders.put(partial(act, *args, **kwargs))

        return put

    def _follow(self) -> None:
        """Move to the frame where the player is."""
        frame = self._player.frame(time.monotonic())
        if frame != self._frame:
            self._frame = frame
            self._stage.move_to(frame)
            self._panel.move_to(self._drawing, frame)

    def _seek(self, frame: int) -> None:
        self._player.seek(min(frame, len(self._drawing) - 1), time.monotonic())

    def _toggle_play(self) -> None:
        self._player.play(not self._player.playing, time.monotonic())
        self._panel.set_playing(self._player.playing)

    def _set_speed(self, speed: float) -> None:
        self._player.set_speed(speed, time.monotonic())

    def _set_visible(self, layer: Layer, visible: bool) -> None:
        (self._shown.add if visible else self._shown.discard)(layer)
        self._stage.set_visible(layer, visible)

    def _step(self, by: int) -> None:
        number = (self._number + by) % self._count
        try:
            drawing = self._open(number)
        except HopError as error:
            self._panel.tell(str(error))
            return
        self.show(number, drawing, 0)
