"""What the policy's tests share: one thread for torch, so that small networks share no core."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Compute on one core: on a busy machine torch's threads wait for each other."""
    torch.set_num_threads(1)
