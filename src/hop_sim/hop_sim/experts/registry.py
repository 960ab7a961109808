"""Which task has which scripted expert."""

from __future__ import annotations

from hop_core.errors import ConfigError
from hop_sim.experts.expert import Expert
from hop_sim.experts.grasp_drop import DropExpert
from hop_sim.experts.grasp_lift import LiftExpert
from hop_sim.experts.grasp_pour import PourExpert

EXPERTS: dict[str, type[Expert]] = {
    "grasp_lift": LiftExpert,
    "grasp_lift_can": LiftExpert,
    "grasp_drop": DropExpert,
    "grasp_pour": PourExpert,
}


def expert_class(task: str) -> type[Expert]:
    """Return the scripted expert of `task`.

    Raises:
        ConfigError: it has none.
    """
    if task not in EXPERTS:
        raise ConfigError(
            f"the task '{task}' has no scripted expert; those that have: "
            f"{', '.join(sorted(EXPERTS))}"
        )
    return EXPERTS[task]
