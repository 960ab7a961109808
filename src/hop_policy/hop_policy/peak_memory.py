"""The most memory that this process has held so far."""

from __future__ import annotations

import resource

import torch

_KIB_PER_MB = 1024.0
_BYTES_PER_MB = 2.0**20


def peak_memory(device: torch.device) -> dict[str, float]:
    """Returns the peaks [MiB]: `rss_mb` of the process, and `cuda_mb` of tensors on a GPU."""
    peak = {"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MB}
    if device.type == "cuda":
        peak["cuda_mb"] = torch.cuda.max_memory_allocated(device) / _BYTES_PER_MB
    return peak
