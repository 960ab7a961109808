"""What a run reports of itself: validations beside copying, in a line, as curves, as metrics."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from hop_policy.objective import AIM_ERRORS, Metrics
from hop_policy.train_config import LossUnits
from hop_policy.train_progress import clock


@dataclass
class Pace:
    """How long a run has trained, over all its resumptions, and on how much.

    Attributes:
        elapsed_s: time of training and validation, each time from the first step on.
        wait_s: of that, time spent on preparing batches.
        windows: windows trained on; those that would end outside their episode are none.
        seeing_s: of the time, that before the first window, in which the run only learnt to see.
    """

    elapsed_s: float = 0.0
    wait_s: float = 0.0
    windows: int = 0
    seeing_s: float = 0.0

    def reach(self, elapsed_s: float) -> None:
        """Takes note that a step ended when the run had trained for `elapsed_s`."""
        self.elapsed_s = elapsed_s
        if not self.windows:
            self.seeing_s = elapsed_s

    def figures(self) -> dict[str, float]:
        """Returns minutes, windows per second of acting, and the share of time batches took."""
        return {
            "minutes": self.elapsed_s / 60,
            "samples_per_s": self.windows / max(self.elapsed_s - self.seeing_s, 1e-9),
            "data_wait_share": self.wait_s / max(self.elapsed_s, 1e-9),
        }

    def state(self) -> dict[str, float]:
        """Returns what a resumption needs."""
        return asdict(self)


class RunReport:
    """The validations of a run, beside the errors of copying.

    Attributes:
        history: an entry per validation: step, minutes, training loss since the last and its terms,
            errors.
        baselines: errors of copying the present posture, and the previous label.
    """

    def __init__(self, units: LossUnits, baselines: dict[str, Metrics]) -> None:
        """Starts empty; `units` are those in which the best is told."""
        self.units, self.baselines = units, baselines
        self.history: list[dict[str, Any]] = []

    def best(self) -> float:
        """Returns the smallest validation loss so far, infinity before the first."""
        return min((entry[self.units] for entry in self.history), default=math.inf)

    def line(self) -> str:
        """Returns the last validation as a line of text."""
        entry, units = self.history[-1], self.units
        aim = [entry[key] for key in AIM_ERRORS if key in entry]
        told = "; aim off by {:.0f}, {:.0f}, {:.0f} mm".format(*aim) if aim else ""
        return (
            f"step {entry['step']:6d}  {clock(60 * entry['minutes'])}  "
            f"validation L1 {entry[units]:.4f} {units} (best {self.best():.4f}, "
            f"copying the posture {self.baselines['copy_proprio'][units]:.4f}, "
            f"the previous label {self.baselines['previous_label'][units]:.4f}); "
            f"arm {entry['arm_rad']:.4f} rad, hand {entry['hand_rad']:.4f} rad{told}"
        )

    def curves(self, figures: dict[str, Any]) -> dict[str, float]:
        """Returns the last validation and the `figures` of the run, by the names of curves."""
        entry = self.history[-1]
        keys = ("scaled", "whitened", "arm_rad", "hand_rad", *AIM_ERRORS)
        return {
            **{f"validation/{key}": entry[key] for key in keys if key in entry},
            **{f"validation/{k}": errors[self.units] for k, errors in self.baselines.items()},
            **{f"run/{key}": figures[key] for key in ("samples_per_s", "data_wait_share")},
            **{f"run/peak_{key}": mb for key, mb in figures["peak_memory_mb"].items()},
        }

    def metrics(self, figures: dict[str, Any]) -> dict[str, Any]:
        """Returns what `metrics.json` holds: the `figures` of the run and all validations."""
        return {
            "finished": False,
            **figures,
            "units": self.units,
            "best": min(self.history, key=lambda entry: entry[self.units]),
            "last": self.history[-1],
            "baselines": self.baselines,
            "history": self.history,
        }
