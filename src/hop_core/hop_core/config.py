"""Configuration: YAML in, frozen pydantic models out, errors that name file, key and limits."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hop_core.errors import ConfigError

CONFIG_DIR_VARIABLE = "HOP_CONFIG_DIR"


class Config(BaseModel):
    """Base of every configuration: frozen; unknown keys and numbers that are not finite refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


ModelT = TypeVar("ModelT", bound=BaseModel)


def load_config(path: Path, model: type[ModelT], overrides: dict[str, Any] | None = None) -> ModelT:
    """Return the YAML file `path` as a validated `model`.

    Args:
        path: the file.
        model: what it must hold.
        overrides: laid over its top-level keys.

    Raises:
        ConfigError: the file is missing, is no YAML mapping, or a key or value is not allowed.
    """
    return validate({**read_mapping(path), **(overrides or {})}, model, str(path))


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what the YAML file `path` maps keys to, not validated.

    Raises:
        ConfigError: the file is missing, or is no YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}; check the path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8; save it as that") from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold a mapping of keys to values, not {type(values).__name__}"
        )
    return values


def validate(values: dict[str, Any], model: type[ModelT], where: str) -> ModelT:
    """Return `values` as a validated `model`; `where` names their origin in the error.

    Raises:
        ConfigError: naming the key, the value and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = _key(first["loc"])
        if first["type"] == "extra_forbidden":
            allowed = (
                ", ".join(sorted(model.model_fields))
                if len(first["loc"]) == 1
                else "see the key's section"
            )
            raise ConfigError(f"{where}: unknown key '{key}'; allowed keys: {allowed}") from error
        value = "" if first["type"] == "missing" else f" (got {_short(first['input'])})"
        more = f"; {error.error_count() - 1} more" if error.error_count() > 1 else ""
        raise ConfigError(f"{where}: {key}: {first['msg']}{value}{more}") from error


def first_problem(error: ValidationError) -> str:
    """Return the first thing that is wrong, as "key: what"."""
    first = error.errors()[0]
    return f"{_key(first['loc'])}: {first['msg']}"


def _key(location: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in location) or "(the whole)"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def config_hash(config: BaseModel) -> str:
    """Return 16 hex digits that identify the values of `config`, whatever the order of its keys."""
    return values_hash(config.model_dump(mode="json"))


def values_hash(values: Mapping[str, Any]) -> str:
    """Return 16 hex digits that identify JSON `values`, whatever the order of their keys."""
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def config_path(name: str, config_dir: Path | str | None = None) -> Path:
    """Return the path of the configuration `name` (such as "robots/twin.yaml").

    Looked for in `config_dir` if given, else in $HOP_CONFIG_DIR, else in the installed hop_policy
    share, else in the `config/` folder of the source tree.

    Raises:
        ConfigError: it is in none of them.
    """
    explicit = config_dir or os.environ.get(CONFIG_DIR_VARIABLE)
    folders = (
        [Path(explicit)]
        if explicit
        else [
            *(share / "config" for share in share_folders("hop_policy")),
            Path(__file__).parents[3] / "config",
        ]
    )
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    there = [str(folder) for folder in folders if folder.is_dir() or explicit]
    looked = ", ".join(there) or "any folder"
    raise ConfigError(
        f"no configuration '{name}' in {looked}; pass config_dir or set {CONFIG_DIR_VARIABLE}"
    )


def share_folders(package: str, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Return where the sourced workspaces keep, or would keep, the shared files of `package`."""
    prefixes = environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [Path(prefix) / "share" / package for prefix in prefixes if prefix]
