"""The type of arguments that take text, a substitution or a sequence of both (concatenated)."""

from __future__ import annotations

from collections.abc import Iterable

from launch.substitution import Substitution

SomeSubstitutionsType = str | Substitution | Iterable[str | Substitution]
