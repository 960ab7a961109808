"""YAML files that others wrote: read safely, checked for what is needed, the rest passed over."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hop_core.config import first_problem
from hop_core.errors import TrackError
from hop_sim.tracks.npz import read_bytes


class Foreign(BaseModel):
    """What is needed of a file; keys that are not listed are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _TupleLoader(yaml.SafeLoader):
    """PyYAML's safe loader that also knows tuples, as which the extrinsics were written."""


def _construct_tuple(loader: _TupleLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node))


_TupleLoader.add_constructor("tag:yaml.org,2002:python/tuple", _construct_tuple)
ForeignT = TypeVar("ForeignT", bound=Foreign)


def read_foreign_yaml(path: Path, model: type[ForeignT]) -> ForeignT:
    """Return what `path` holds of `model`.

    Raises:
        TrackError: it is missing, no YAML, or lacks a key.
    """
    content = read_bytes(path)
    try:
        values: Any = yaml.load(content, Loader=_TupleLoader)  # a safe loader with one more type
        return model.model_validate(values)
    except yaml.YAMLError as error:
        raise TrackError(f"{path}: is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        raise TrackError(f"{path}: {first_problem(error)}") from error
