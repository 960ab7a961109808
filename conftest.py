"""Makes plain `pytest` work where `make` did not set up: stand-ins last, measured DDS settings.

No property test has a deadline: how long an example takes says more about the machine than about
the property. Nothing is forced to the disk: processes are killed here, but the power stays on.

Two runs on one machine keep apart, from each other and from a robot in the default domain, 0:
HOP_TEST_NET is a part of the loopback network of this run's own, of which a test takes an address,
and HOP_TEST_DOMAIN the first of nine ROS domains.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent
ROS_LITE = str(ROOT / "tools" / "ros_lite")

if ROS_LITE not in sys.path:
    sys.path.append(ROS_LITE)

os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(ROOT / "config" / "fastdds.xml"))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("MUJOCO_GL", "egl")
os.environ["HOP_TEST_NET"] = f"127.{1 + os.getpid() // 250 % 250}.{os.getpid() % 250}"


def _claim_domains() -> tuple[int, socket.socket]:
    """Returns the first of nine ROS domains below 101 that no other run has, and what keeps it."""
    for block in range(11):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0hop-tests-{block}")
        except OSError:
            claim.close()
            continue
        return 1 + 9 * block, claim
    raise pytest.UsageError("eleven runs of the tests are at work on this machine: wait for one")


_DOMAIN, _CLAIM = _claim_domains()  # until this process ends
os.environ["HOP_TEST_DOMAIN"] = str(_DOMAIN)

settings.register_profile("workspace", deadline=None)
settings.load_profile("workspace")


@pytest.fixture(scope="session", autouse=True)
def _no_power_loss() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _descriptor: None)
        yield


@pytest.fixture(scope="session")
def save_policy() -> Callable[..., Path]:
    """Returns what writes a small policy of random weights, as a trained one is written."""
    import torch

    from hop_policy import checkpoint as ck
    from hop_policy.contract import PolicyContract, load_contract
    from hop_policy.encoders import EncoderConfig
    from hop_policy.model import PolicyConfig, PolicyModel

    def save(
        path: Path,
        contract: PolicyContract | None = None,
        *,
        seed: int = 0,
        cameras: tuple[Any, ...] = (),
        provenance: dict[str, object] | None = None,
    ) -> Path:
        torch.manual_seed(seed)
        contract = contract or load_contract()
        network = PolicyConfig(layers=1, width=32, heads=2, context=4, encoder=EncoderConfig())
        ck.save_config(path, ck.CheckpointConfig(contract=contract, model=network, cameras=cameras))
        ck.save_weights(path, PolicyModel(network, contract).state_dict())
        if provenance:
            ck.save_json(path, ck.PROVENANCE, provenance)
        return path

    return save
