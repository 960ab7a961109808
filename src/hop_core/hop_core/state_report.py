"""What one component says about itself on /hop/state, free of any message type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hop_core.state import HopState

_OWN_KEYS = ("state", "reason", "source", "arming_id", "progress")


@dataclass(frozen=True, slots=True)
class StateReport:
    """State of one component.

    Attributes:
        component: supervisor, xarm, allegro, zed, policy or recorder.
        state: its state.
        reason: one sentence; empty when all is well.
        source: who may move the robot (policy, teleop, home, none); the supervisor's to say.
        arming_id: identity of the present arming; empty when disarmed.
        progress: progress or result of the newest request.
        extra: further keys of the component, as text.
    """

    component: str
    state: HopState
    reason: str = ""
    source: str = ""
    arming_id: str = ""
    progress: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def values(self) -> dict[str, str]:
        """Returns all keys and values in the order in which they are published."""
        own = {
            "state": self.state.value,
            "reason": self.reason,
            "source": self.source,
            "arming_id": self.arming_id,
            "progress": self.progress,
        }
        return {**own, **self.extra}

    @classmethod
    def from_values(cls, component: str, values: Mapping[str, str]) -> StateReport:
        """Returns the report that `values` came from.

        Raises:
            ValueError: if the state is unknown (a publisher of another software version).
        """
        return cls(
            component=component,
            state=HopState(values.get("state", "")),
            reason=values.get("reason", ""),
            source=values.get("source", ""),
            arming_id=values.get("arming_id", ""),
            progress=values.get("progress", ""),
            extra={key: value for key, value in values.items() if key not in _OWN_KEYS},
        )
