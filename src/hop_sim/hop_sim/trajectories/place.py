"""Where a store is: a folder of this machine, or any address that fsspec knows, to read only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from zarr.abc.store import Store
from zarr.storage import FsspecStore, LocalStore

from hop_core.durable_files import sync_path
from hop_core.errors import TrajectoryError


class DurableStore(LocalStore):
    """A folder whose written files can be forced to the disk all at once, before a commit.

    Each file is written beside and renamed by Zarr's own store.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        """Take the folder `root`."""
        super().__init__(root, read_only=read_only)
        self._written: set[str] = set()

    async def set(self, key: str, value: Any) -> None:
        """Write the file `key` and note it."""
        await super().set(key, value)
        self._written.add(key)

    def force(self) -> None:
        """Force all files that were written since the last call, and their folders, to the disk."""
        paths = [self.root / key for key in sorted(self._written)]
        for path in paths:
            sync_path(path)
        for folder in sorted({path.parent for path in paths}):
            sync_path(folder)
        self._written.clear()


@dataclass(frozen=True)
class StorePlace:
    """A place that can be read from.

    Attributes:
        address: as it was named.
        files: its files, for Zarr.
    """

    address: str
    files: Store

    def exists(self, name: str) -> bool:
        """Whether the store has the file `name`.

        Raises:
            TrajectoryError: the place cannot be looked at.
        """
        try:
            if isinstance(self.files, LocalStore):
                return (self.files.root / name).is_file()
            system, root = url_to_fs(self.address)
            return bool(system.exists(f"{root}/{name}"))
        except OSError as error:
            raise TrajectoryError(f"{self.address}/{name}: cannot be read: {error}") from error

    def read(self, name: str) -> bytes:
        """Return what the file `name` of the store holds.

        Raises:
            TrajectoryError: it is missing or cannot be read.
        """
        try:
            if isinstance(self.files, LocalStore):
                return (self.files.root / name).read_bytes()
            system, root = url_to_fs(self.address)
            return bytes(system.cat_file(f"{root}/{name}"))
        except FileNotFoundError as error:
            raise TrajectoryError(
                f"{self.address}: is no trajectory store: it has no {name}; check the path"
            ) from error
        except OSError as error:
            raise TrajectoryError(f"{self.address}/{name}: cannot be read: {error}") from error


def place_of(address: Path | str) -> StorePlace:
    """Return the place at `address`: a path, or a URL of a kind that fsspec knows.

    Raises:
        TrajectoryError: no installed file system knows such addresses.
    """
    if "://" not in str(address):
        return StorePlace(str(address), LocalStore(Path(address), read_only=True))
    try:
        return StorePlace(str(address), FsspecStore.from_url(str(address), read_only=True))
    except (ImportError, ValueError) as error:
        raise TrajectoryError(f"{address}: cannot be opened: {error}") from error
