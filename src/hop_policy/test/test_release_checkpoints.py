"""Checkpoints of the HOP release: the same outputs, every entry back, bad files told by entry.

The files are made here on Hugging Face's GPT-2 blocks, with the release's names; orders and frames
are written out anew.
"""

from __future__ import annotations

import errno
import json
import os
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from train_support.reference_network import ReferenceNetwork

from hop_core.cli import run_verb
from hop_core.errors import CheckpointError, ConfigError
from hop_core.release_frame import load_release_frame
from hop_policy import checkpoint as ck
from hop_policy import checkpoints_cli as cli
from hop_policy.contract import PointCloudContract, PolicyContract
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig, PolicyModel
from hop_policy.observation import Observation
from hop_policy.release.transfer import export_checkpoint, import_checkpoint
from hop_policy.train_options import TrainOptions, resolve

CONTRACT = PolicyContract(vision="point_cloud")
FRAME = load_release_frame()
Entries = dict[str, torch.Tensor]
# The release's simulator sorts the hand's joints 0-15 by name: index 0-3, thumb 12-15, middle 4-7,
# ring 8-11. Its limits, which are the scale of its policy, in that order.
HAND = [0, 1, 2, 3, 12, 13, 14, 15, 4, 5, 6, 7, 8, 9, 10, 11]
FINGER_OF = ["index", "middle", "ring", "thumb"]
SIMULATOR = [f"joint{i}" for i in range(1, 8)] + [
    f"allegro_{FINGER_OF[n // 4]}_{n % 4}" for n in HAND
]
_FINGER = ([-0.47, -0.196, -0.174, -0.227], [0.47, 1.61, 1.709, 1.618])
_THUMB = ([0.263, -0.105, -0.189, -0.162], [1.396, 1.163, 1.644, 1.719])
_ARM = (
    [-6.2832, -2.0590, -6.2832, -0.1920, -6.2832, -1.6930, -6.2832],
    [6.2832, 2.0944, 6.2832, 3.9270, 6.2832, 3.1416, 6.2832],
)
LOWER, UPPER = (_ARM[i] + _FINGER[i] + _THUMB[i] + _FINGER[i] + _FINGER[i] for i in (0, 1))


def theirs(seed: int = 0) -> ReferenceNetwork:
    """A network of the release with random weights, all of them: also norms, biases, dead rows."""
    torch.manual_seed(seed)
    network = ReferenceNetwork(192, 4, 4, 16).eval()
    with torch.no_grad():
        for name, value in network.named_parameters():
            around = 1.0 if "ln" in name and name.endswith("weight") else 0.0
            value.copy_(around + 0.1 * torch.randn(value.shape))
        network.transformer.wpe.weight.zero_()
    return network


def entries_of(network: ReferenceNetwork) -> Entries:
    """The 73 documented entries; version 5 of transformers keeps no buffers, version 4.24 did."""
    own = ("transformer.wte.weight", "transformer.wpe.weight")
    entries = {k: v.clone() for k, v in network.state_dict().items() if k not in own}
    for i in range(4):
        mask = torch.tril(torch.ones(32, 32, dtype=torch.uint8)).view(1, 1, 32, 32)
        entries[f"transformer.h.{i}.attn.bias"] = mask
        entries[f"transformer.h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    return entries


def write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def imported(file: Path, out: Path) -> Path:
    import_checkpoint(file, out, CONTRACT, FRAME)
    return out


@pytest.fixture(scope="module")
def network() -> ReferenceNetwork:
    return theirs()


@pytest.fixture
def file(tmp_path: Path, network: ReferenceNetwork) -> Path:
    return write(tmp_path / "model_step_831207.pt", OrderedDict(entries_of(network)))


def simulator_order(values: np.ndarray) -> np.ndarray:
    """(..., 23) in our order, brought into the release's by name."""
    return values[..., [CONTRACT.joint_names.index(name) for name in SIMULATOR]]


def in_env(points: np.ndarray) -> np.ndarray:
    """The release's frame: the robot stands at (0, 0.45, 0) and looks along -y."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([y, 0.45 - x, z], axis=-1)


def scaled(q: np.ndarray) -> np.ndarray:
    """Joint angles [rad] in the release's order, on the release's scale."""
    return 2 * (q - np.array(LOWER)) / (np.array(UPPER) - np.array(LOWER)) - 1


def test_the_release_has_73_entries_and_1874926_parameters(network: ReferenceNetwork) -> None:
    entries = entries_of(network)
    parameters = [v for k, v in entries.items() if not k.endswith((".attn.bias", ".masked_bias"))]
    assert (len(entries), len(parameters)) == (73, 65)
    assert sum(v.numel() for v in parameters) == 1_874_926


@pytest.mark.parametrize("steps", [1, 5, 16])
@torch.inference_mode()
def test_a_history_gives_the_releases_outputs(
    network: ReferenceNetwork, file: Path, tmp_path: Path, steps: int
) -> None:
    """Whole histories and, at episode starts, padded ones: 16 slots of which `steps` are valid."""
    model = ck.load_checkpoint(imported(file, tmp_path / "ours"), CONTRACT).model
    rng = np.random.default_rng(steps)
    low, high = np.array(CONTRACT.policy_lower), np.array(CONTRACT.policy_upper)
    q = rng.uniform(low, high, (3, 16, 23))
    cloud = rng.uniform((0.3, -0.3, 0.0), (0.8, 0.3, 0.5), (3, 16, 100, 3))
    valid = torch.arange(16).expand(3, 16) >= 16 - steps

    wanted = network(
        torch.from_numpy(scaled(simulator_order(q))).float(),
        torch.from_numpy(in_env(cloud)).float(),
        None if steps == 16 else valid,
    ).numpy()
    ours = model(
        torch.from_numpy(2 * (q - low) / (high - low) - 1).float(),
        torch.from_numpy(cloud).float(),
        None if steps == 16 else valid,
    ).numpy()
    assert np.abs(wanted).max() > 0.5
    np.testing.assert_allclose(simulator_order(ours)[:, -steps:], wanted[:, -steps:], atol=1e-5)


@torch.inference_mode()
def test_a_running_policy_gives_the_releases_outputs(
    network: ReferenceNetwork, file: Path, tmp_path: Path
) -> None:
    """Token by token, with the release's way of padding what has not happened yet."""
    policy = Policy.load(imported(file, tmp_path / "ours"), CONTRACT)
    rng = np.random.default_rng(0)
    proprio = rng.normal(size=(20, 23)).astype(np.float32)
    cloud = rng.uniform(-0.3, 0.6, (20, 100, 3)).astype(np.float32)
    for tick in range(20):
        target = policy.act(Observation(proprio[tick : tick + 1], cloud[tick : tick + 1]))[0]
        seen = np.clip(np.arange(tick - 15, tick + 1), 0, None)
        valid = torch.arange(tick - 15, tick + 1)[None] >= 0
        action = network(
            torch.from_numpy(simulator_order(proprio)[seen])[None],
            torch.from_numpy(in_env(cloud)[seen]).float()[None],
            valid,
        )[0, -1]
        np.testing.assert_allclose(scaled(simulator_order(target)), action.numpy(), atol=1e-5)


def test_export_gives_every_bit_of_the_73_entries_back(file: Path, tmp_path: Path) -> None:
    first = imported(file, tmp_path / "first")
    assert export_checkpoint(first, tmp_path / "back.pt", FRAME) == ()
    original = torch.load(file, weights_only=True)
    back = torch.load(tmp_path / "back.pt", weights_only=True)
    assert set(back) == set(original)
    for name, value in original.items():
        assert (back[name].dtype, back[name].shape) == (value.dtype, value.shape), name
        assert back[name].numpy().tobytes() == value.numpy().tobytes(), name
    second = imported(tmp_path / "back.pt", tmp_path / "second")
    for name in (ck.WEIGHTS, ck.RELEASE_REST, ck.CONFIG):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_actor_of_a_ppo_checkpoint_is_taken(
    network: ReferenceNetwork, file: Path, tmp_path: Path
) -> None:
    model = {f"actor.{name}": value for name, value in entries_of(network).items()}
    model |= {"logstd": torch.zeros(23), "value_fn.0.weight": torch.zeros(512, 292)}
    optimiser = {
        "state": {0: {"step": 3, "exp_avg": torch.zeros(2)}},
        "param_groups": [{"lr": 1.0}],
    }
    ppo = {"model": model, "optimizer": optimiser, "running_mean_std": {"count": torch.ones(())}}
    found = import_checkpoint(write(tmp_path / "last.pth", ppo), tmp_path / "a", CONTRACT, FRAME)
    assert set(found.left_out) == {"logstd", "value_fn", "optimizer", "running_mean_std"}
    plain = imported(file, tmp_path / "b")
    assert (tmp_path / "a" / ck.WEIGHTS).read_bytes() == (plain / ck.WEIGHTS).read_bytes()
    ppo["pc_mean_std"] = {"mean": torch.zeros(3)}
    with pytest.raises(CheckpointError, match=r"pc_mean_std says that .* were normalised"):
        imported(write(tmp_path / "normalised.pth", ppo), tmp_path / "c")


@torch.inference_mode()
def test_a_whitened_network_of_ours_acts_the_same_as_an_export(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = PolicyModel(PolicyConfig(foresight=(5,)), CONTRACT).eval()
    mean, std = 0.3 * torch.randn(23), 0.05 + torch.rand(23)
    model.set_whitening(
        **{"proprio_mean": mean, "proprio_std": std, "action_mean": -mean, "action_std": std},
        vision_mean=torch.tensor([0.5, 0.0, 0.1]),
        vision_std=torch.tensor([0.1, 0.2, 0.05]),
    )
    ours = tmp_path / "ours"
    ck.save_config(ours, ck.CheckpointConfig(contract=CONTRACT, model=model.config))
    ck.save_weights(ours, model.state_dict())
    remarks = export_checkpoint(ours, tmp_path / "theirs.pt", FRAME)
    assert [remark.split(",")[0] for remark in remarks] == [
        "the proprioception head and the rows of the time table beyond 16 are zero",
        "the foresight head",
    ]
    entries = torch.load(tmp_path / "theirs.pt", weights_only=True)
    assert entries["transformer.h.3.attn.bias"].sum() == 32 * 33 / 2
    network = theirs()
    network.load_state_dict(
        {k: v for k, v in entries.items() if k in network.state_dict()}, strict=False
    )
    proprio, cloud = torch.randn(2, 16, 23), 0.3 * torch.randn(2, 16, 100, 3) + 0.3
    wanted = simulator_order(model(proprio, cloud).numpy())
    got = network(
        torch.from_numpy(simulator_order(proprio.numpy())),
        torch.from_numpy(in_env(cloud.numpy())).float(),
    )
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-5)


def test_commands_say_what_they_did(file: Path, tmp_path: Path, capsys: Any) -> None:
    ours, back = tmp_path / "ours", tmp_path / "back" / "model.pt"
    assert cli.import_main([str(file), "-o", str(ours)]) == 0
    assert cli.export_main([str(ours), "-o", str(back)]) == 0
    assert "73 entries" in capsys.readouterr().out
    about = json.loads((ours / ck.PROVENANCE).read_text())
    assert about["source"] == "HOP release"
    assert about["frame"]["base_in_env_m"] == [0.0, 0.45, 0.0]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    for verb in (["import", str(file), "-o", str(ours)], ["export", str(ours), "-o", str(back)]):
        assert run_verb(cli.VERB_GROUP, "hop checkpoints", verb) == 1
        assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize("out", [".", "../here"])
def test_an_import_into_the_folder_one_is_in_is_found_there(
    out: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which stays the same folder: a shell in it sees the checkpoint."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    imported(file, Path(out))
    assert ck.load_checkpoint(Path(), CONTRACT).config.contract == CONTRACT
    assert {path.name for path in here.iterdir()} == {path.name for path in Path().iterdir()}


def test_a_full_disk_leaves_no_part_of_an_import(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_bytes", full)
        with pytest.raises(CheckpointError, match=r"No space left .*: make room and start again"):
            imported(file, tmp_path / "ours")
    assert list((tmp_path / "ours").iterdir()) == []
    ck.load_checkpoint(imported(file, tmp_path / "ours"), CONTRACT)


def test_pretraining_goes_on_with_an_import(file: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    assert cli.import_main([str(file), "-o", str(ours)]) == 0
    options = TrainOptions(out=tmp_path / "run", init=ours)
    contract, config = resolve(options, "train_pretrain.yaml", "point_cloud")
    assert contract == ck.load_checkpoint_config(ours).contract
    assert config.model == PolicyConfig()


def changed(entries: Entries, fault: str) -> Entries:
    """`entries` with a fault."""
    block = "transformer.h.3."
    match fault:
        case "missing":
            del entries["embed_pc.4.bias"]
        case "extra":
            entries["embed_action.weight"] = torch.zeros(192, 23)
        case "shape":
            name = "transformer.h.1.attn.c_attn.weight"
            entries[name] = entries[name].T.contiguous()
        case "three layers":
            entries = {k: v for k, v in entries.items() if not k.startswith(block)}
        case "five layers":
            fourth = {k: v for k, v in entries.items() if k.startswith(block)}
            entries |= {k.replace(".h.3.", ".h.4."): v for k, v in fourth.items()}
        case "precision":
            entries["embed_ln.weight"] = entries["embed_ln.weight"].half()
        case "not finite":
            entries["predict_action.0.bias"][4] = float("nan")
        case "mask":
            entries["transformer.h.0.attn.bias"] = torch.ones(1, 1, 32, 32, dtype=torch.uint8)
        case "masks nothing":
            entries["transformer.h.0.attn.masked_bias"] = torch.tensor(-1.0)
        case "no tensor":
            entries["embed_ln.bias"] = [0.0] * 192  # type: ignore[assignment]
    return entries


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", r"embed_pc\.4\.bias is missing"),
        ("extra", r"embed_action\.weight is unknown"),
        ("shape", r"h\.1\.attn\.c_attn\.weight has the shape \(576, 192\), not \(192, 576\)"),
        ("three layers", r"transformer\.h\.3\.ln_1\.weight is missing; .* \(4 layers of width 192"),
        ("five layers", r"transformer\.h\.4\.\S+ is unknown; .* \(4 layers of width 192"),
        ("precision", r"embed_ln\.weight is float16, not float32"),
        ("not finite", r"predict_action\.0\.bias holds NaN"),
        ("mask", r"transformer\.h\.0\.attn\.bias is no causal mask"),
        ("masks nothing", r"transformer\.h\.0\.attn\.masked_bias is -1, which masks nothing"),
        ("no tensor", r"embed_ln\.bias is no tensor"),
    ],
)
def test_other_entries_are_refused_by_name(
    network: ReferenceNetwork, tmp_path: Path, fault: str, message: str
) -> None:
    bad = write(tmp_path / "bad.pt", changed(entries_of(network), fault))
    with pytest.raises(CheckpointError, match=message) as told:
        imported(bad, tmp_path / "ours")
    assert str(bad) in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize("keep", [0, 1, 100, 1_000_000, -1])
def test_a_truncated_file_is_refused(file: Path, tmp_path: Path, keep: int) -> None:
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"831207\.pt is damaged"):
        imported(file, tmp_path / "ours")


class Foreign:
    """A class that the loader does not know, and that would leave a mark when called."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.mark, "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_foreign_classes_is_not_run(tmp_path: Path, zipped: bool) -> None:
    mark, bad = tmp_path / "ran", tmp_path / "bad.pt"
    content = {"embed_ln.weight": Foreign(mark)}
    torch.save(content, bad, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"bad\.pt holds \w+\.open, which is refused"):
        imported(bad, tmp_path / "ours")
    assert not mark.exists()
    with pytest.raises(CheckpointError, match="holds a list, no tensors by name"):
        imported(write(tmp_path / "list.pt", [1]), tmp_path / "ours")
    with pytest.raises(CheckpointError, match="cannot be read"):
        imported(tmp_path / "nowhere.pt", tmp_path / "ours")


def test_a_contract_that_means_something_else_is_refused(file: Path, tmp_path: Path) -> None:
    few = CONTRACT.model_copy(update={"point_cloud": PointCloudContract(points=64)})
    wide = CONTRACT.model_copy(update={"policy_upper": (7.0, *CONTRACT.policy_upper[1:])})
    for contract, field in ((few, r"point_cloud\.points"), (wide, "policy_lower"),
                            (PolicyContract(), "vision")):  # fmt: skip
        with pytest.raises(ConfigError, match=rf"policy\.yaml: {field}"):
            import_checkpoint(file, tmp_path / "ours", contract, FRAME)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 3}, r"model\.layers 3, the release's network has 4"),
        ({"heads": 6}, r"model\.heads 6, the release's network has 4"),
        ({"width": 128}, r"model\.width 128"),
        ({"context": 8}, r"model\.context 8"),
    ],
)
def test_networks_of_another_size_are_not_exported(
    tmp_path: Path, change: dict[str, int], message: str
) -> None:
    refused(tmp_path, PolicyConfig(**change), CONTRACT, message)


def test_policies_that_mean_something_else_are_not_exported(tmp_path: Path) -> None:
    refused(tmp_path, PolicyConfig(), PolicyContract(), "depth policy are not documented")
    slow = CONTRACT.model_copy(update={"policy_hz": 10.0})
    refused(tmp_path, PolicyConfig(), slow, "a contract whose policy_hz is another")


def refused(folder: Path, config: PolicyConfig, contract: PolicyContract, message: str) -> None:
    ck.save_config(folder / "p", ck.CheckpointConfig(contract=contract, model=config))
    ck.save_weights(folder / "p", PolicyModel(config, contract).state_dict())
    with pytest.raises(CheckpointError, match=message):
        export_checkpoint(folder / "p", folder / "out.pt", FRAME)
    assert not (folder / "out.pt").exists()
