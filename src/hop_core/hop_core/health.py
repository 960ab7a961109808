"""What `hop doctor` finds: one finding a check, free of any way to show it.

Packages plug checks in through the entry-point group `hop.doctor_checks`: a check is a function of
a `DoctorContext` that returns its findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from hop_core.robot_config import RobotConfig

CHECK_GROUP = "hop.doctor_checks"


class Health(StrEnum):
    """ok: as it should be. warn: works, but not well or not everywhere. miss: must be mended."""

    OK = "ok"
    WARN = "warn"
    MISS = "miss"


@dataclass(frozen=True)
class Finding:
    """Outcome of one check.

    Attributes:
        check: what was looked at.
        state: how it is.
        found: what is there.
        fix: what to do about it; empty when all is well.
    """

    check: str
    state: Health
    found: str
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the finding for JSON."""
        return {key: str(value) for key, value in asdict(self).items()}


@dataclass(frozen=True)
class DoctorContext:
    """What is examined.

    Attributes:
        robot: name of the overlay.
        config_dir: folder of the configurations; None: the installed one.
        cell: the overlay; None when it is missing or breaks a rule.
    """

    robot: str
    config_dir: Path | None = None
    cell: RobotConfig | None = None

    @property
    def real(self) -> bool:
        """Whether the devices are hardware."""
        return self.cell is not None and self.cell.twin is None


Check = Callable[[DoctorContext], Iterable[Finding]]
