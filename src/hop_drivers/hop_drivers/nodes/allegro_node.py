"""The Allegro hand on the ROS graph."""

from __future__ import annotations

from functools import partial

from hop_core import topics
from hop_core.embodiment import HAND_JOINTS
from hop_core.nodes.runtime import main_of
from hop_core.realtime import Priority
from hop_drivers.allegro import AllegroHand
from hop_drivers.device_lock import lock_hand
from hop_drivers.hand_loop import HandDriver
from hop_drivers.nodes.driver_node import DriverNode


class AllegroNode(DriverNode):
    """Runs the hand's PD on each of its 333 Hz position sets."""

    def __init__(self) -> None:
        super().__init__("allegro", HAND_JOINTS, topics.HAND_STATES)
        hand = self.config.hand
        self._instance = lock_hand(hand)
        period_ms = round(1e3 * self.embodiment.rates.hand_period_s)
        make = partial(AllegroHand, period_ms=period_ms)
        driver = HandDriver(
            hand, self.embodiment, self.safety, make, self.publish_reading, self.publish_view
        )
        self.connect(driver, topics.ALLEGRO_ARM, topics.ALLEGRO_RECOVER)


main = main_of(AllegroNode, Priority.HAND)
