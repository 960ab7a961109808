"""What an episode says about itself: provenance at its start, label and rate audit at its end.

It is kept as flat strings in the bag's `custom_data` (rosbag2 metadata), so that every rosbag2 tool
carries it along.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, get_args

from pydantic import BaseModel

from hop_core.config import config_hash
from hop_core.errors import BagError
from hop_policy.rate_audit import TopicAudit

Label = Literal["success", "failure", "unlabelled", "discarded"]
Source = Literal["expert", "policy", "teleop"]
LABELS: tuple[Label, ...] = get_args(Label)
SOURCES: tuple[Source, ...] = get_args(Source)
DEMONSTRATORS: tuple[Source, ...] = ("expert", "teleop")
"""Whom one learns from: a policy's own episodes are of the states that it is judged on."""


def software_version() -> str:
    """Return the installed version of hop_policy, "source" if it runs from a bare tree."""
    try:
        return version("hop_policy")
    except PackageNotFoundError:
        return "source"


def run_hash(*configs: BaseModel) -> str:
    """Return 16 hex digits that identify all configurations of a run together."""
    joined = " ".join(config_hash(config) for config in configs)
    return hashlib.sha256(joined.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class EpisodeInfo:
    """Provenance of one episode, known when its recording starts.

    Attributes:
        task: name of the task.
        source: who moved the robot.
        config_hash: hash of the resolved configuration of the run.
        contract_hash: hash of the observation contract in force.
        policy: identity of the checkpoint, empty if none.
        seed: seed of the scene, None on a real robot.
        software: version of this workspace.
        extra: further flat facts (object, scene, noise level ...).
    """

    task: str
    source: Source
    config_hash: str = ""
    contract_hash: str = ""
    policy: str = ""
    seed: int | None = None
    software: str = field(default_factory=software_version)
    extra: Mapping[str, str] = field(default_factory=dict)

    def custom_data(self) -> dict[str, str]:
        """Return the flat form for a bag's metadata."""
        return {
            "hop.task": self.task,
            "hop.source": self.source,
            "hop.config_hash": self.config_hash,
            "hop.contract_hash": self.contract_hash,
            "hop.policy": self.policy,
            "hop.seed": "" if self.seed is None else str(self.seed),
            "hop.software": self.software,
            "hop.extra": json.dumps(dict(self.extra), sort_keys=True),
        }

    @classmethod
    def from_custom_data(cls, data: Mapping[str, str], where: str) -> EpisodeInfo:
        """Return the provenance stored in a bag's `custom_data`.

        Args:
            data: flat strings as in `custom_data`.
            where: path of the bag, for the error.

        Raises:
            BagError: the bag was not written by this workspace, or a value is damaged.
        """
        try:
            source = data["hop.source"]
            if source not in SOURCES:
                raise BagError(
                    f"{where}: unknown source {source!r}; it must be one of {list(SOURCES)}"
                )
            extra: Any = json.loads(data.get("hop.extra") or "{}")
            return cls(
                task=data["hop.task"],
                source=source,
                config_hash=data.get("hop.config_hash", ""),
                contract_hash=data.get("hop.contract_hash", ""),
                policy=data.get("hop.policy", ""),
                seed=int(data["hop.seed"]) if data.get("hop.seed") else None,
                software=data.get("hop.software", ""),
                extra={str(key): str(value) for key, value in extra.items()},
            )
        except KeyError as error:
            raise BagError(
                f"{where}: its metadata has no {error.args[0]}: it is no episode of this workspace"
            ) from error
        except (ValueError, AttributeError) as error:
            raise BagError(
                f"{where}: its metadata is damaged ({error}); restore metadata.yaml"
            ) from error


def outcome_data(label: Label, audits: list[TopicAudit], reason: str = "") -> dict[str, str]:
    """Return the flat form of what is known when an episode ends.

    Args:
        label: success, failure, unlabelled or discarded.
        audits: achieved rate of every audited topic.
        reason: why a recording ended by itself; empty for an ordinary end.
    """
    return {
        "hop.label": label,
        "hop.reason": reason,
        "hop.rates_ok": "true" if all(audit.ok for audit in audits) else "false",
        "hop.rate_audit": json.dumps([audit.as_dict() for audit in audits]),
    }


def parse_label(text: str) -> Label:
    """Return `text` as a label.

    Raises:
        BagError: it is none; the message lists the labels.
    """
    for label in LABELS:
        if text == label:
            return label
    raise BagError(f"{text!r} is not a label: use one of {', '.join(LABELS)}")
