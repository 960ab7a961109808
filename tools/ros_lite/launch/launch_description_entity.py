"""Base of what a launch description consists of."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class LaunchDescriptionEntity:
    """Something that the launch service visits, in order, depth first."""

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Do the entity's work; return entities to visit next."""
        raise NotImplementedError(type(self).__name__)

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities inside that are known without running."""
        return []

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is pending while the entity keeps the launch alive, or None."""
        return None
