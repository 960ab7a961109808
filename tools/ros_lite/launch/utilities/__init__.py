"""Helpers that turn what launch files pass into lists of substitutions, strings and entities."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext
    from launch.launch_description_entity import LaunchDescriptionEntity


def normalize_to_list_of_substitutions(subs: SomeSubstitutionsType) -> list[Substitution]:
    """Return `subs` as a list of substitutions; text becomes a TextSubstitution.

    Raises:
        TypeError: for anything that is neither text nor a substitution.
    """
    from launch.substitutions.text_substitution import TextSubstitution

    if isinstance(subs, str):
        return [TextSubstitution(text=subs)]
    if isinstance(subs, Substitution):
        return [subs]
    if not isinstance(subs, Iterable):
        raise TypeError(f"expected text or substitutions, got {subs!r}")
    return [part for item in subs for part in normalize_to_list_of_substitutions(item)]


def perform_substitutions(context: LaunchContext, subs: Iterable[Substitution]) -> str:
    """Return the concatenated results of `subs`."""
    return "".join(context.perform_substitution(sub) for sub in subs)


def perform_text(context: LaunchContext, subs: SomeSubstitutionsType) -> str:
    """Return the string that `subs` stands for."""
    return perform_substitutions(context, normalize_to_list_of_substitutions(subs))


def normalize_entities(
    entities: LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity] | None,
) -> list[LaunchDescriptionEntity]:
    """Return one entity, several or None as a list."""
    if entities is None:
        return []
    if isinstance(entities, Iterable):
        return list(entities)
    return [entities]
