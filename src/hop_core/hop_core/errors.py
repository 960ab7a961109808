"""Errors that reach a person: each message is one sentence: what, where and what to do."""

from __future__ import annotations


class HopError(Exception):
    """Base of all expected failures; a command prints it on one line and exits with `exit_code`."""

    exit_code = 1


class ConfigError(HopError):
    """A configuration file, key or value is missing, unknown or out of range."""


class ModelError(HopError):
    """The robot description does not fit what was asked of it (unknown joint, site or shape)."""


class RetargetingError(HopError):
    """Human keypoints or joint angles from which Eq. 1 cannot be posed."""


class AlignmentError(HopError):
    """A stream has no sample that an observation tick may use."""


class CheckpointError(HopError):
    """A policy checkpoint is missing, damaged or made for another contract."""


class BagError(HopError):
    """A recording is missing, damaged or lacks a needed topic."""


class DeviceError(HopError):
    """A device cannot be reached, refuses a command or reports a fault."""


class SafetyError(HopError):
    """A command was refused because carrying it out could do harm."""


class TwinError(HopError):
    """The digital twin cannot start or refuses a request."""


class TrackError(HopError):
    """A hand-object track, or a recording that should become one, is missing, damaged or wrong."""


class TrackWriteError(TrackError):
    """The disk refuses a track, and will refuse the next ones."""


class TrajectoryError(HopError):
    """A store of robot trajectories, or what should go into one, is missing, damaged or wrong."""


class TrackRefusedError(TrajectoryError):
    """What came of a track does not go into a store; the store is as it was, others may go in."""


class EvaluationError(HopError):
    """Outcomes of rollouts are missing, damaged, of another setting, or cannot be compared."""


class ViewError(HopError):
    """A picture cannot be drawn, or its page cannot be served."""


def denied(error: PermissionError) -> str:
    """Return the sentence for a place that the user may not enter, read or write."""
    return f"{error.filename or error}: permission denied; choose another place or change its owner"
