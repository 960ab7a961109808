"""Changes the label of a recorded episode; the data is never touched."""

from __future__ import annotations

from pathlib import Path

import yaml

from hop_core.durable_files import replace_file
from hop_core.errors import BagError
from hop_policy.bag_files import METADATA_FILE
from hop_policy.bag_reader import ROOT_KEY, open_episode, read_metadata
from hop_policy.episode_info import Label


def relabel(path: Path, label: Label) -> Label:
    """Give the episode `path` a label and return its earlier one.

    The metadata is written beside and renamed: a kill leaves either the old or the new one. The
    copy of the metadata inside the .mcap keeps the label of the recording; metadata.yaml counts.

    Raises:
        BagError: there is no such episode, or its folder cannot be written.
    """
    earlier = open_episode(path).label
    metadata = read_metadata(path)
    metadata["custom_data"]["hop.label"] = label
    text = yaml.safe_dump({ROOT_KEY: metadata}, sort_keys=False, width=2**31, allow_unicode=True)
    file = path / METADATA_FILE
    try:
        replace_file(file, text.encode())
    except OSError as error:
        raise BagError(f"cannot write {file}: {error.strerror}; check rights and space") from error
    return earlier
