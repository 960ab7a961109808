"""Facts about the network."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from hop_policy.contract import PolicyContract, VisionKind
from hop_policy.encoders import ENCODERS, EncoderConfig, PointNetEncoder, VisionEncoder
from hop_policy.model import PolicyConfig, PolicyModel, parameter_count

TOY = PolicyConfig(
    layers=2, width=32, heads=2, context=8, encoder=EncoderConfig(channels=(4, 4, 8, 8))
)


def inputs(contract: PolicyContract, b: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    proprio = torch.randn(b, steps, 23, generator=generator)
    return proprio, torch.rand(b, steps, *contract.vision_shape, generator=generator)


@pytest.mark.parametrize(("vision", "count"), [("depth", 2_107_863), ("point_cloud", 1_867_415)])
def test_default_is_the_papers_size(vision: VisionKind, count: int) -> None:
    """The release has 1,874,926 parameters with points and about 2.11 M with depth.

    With points that is ours and what we leave out: an untrained head (4,439) and 16 unused rows of
    the time table (3,072).
    """
    assert parameter_count(PolicyModel(PolicyConfig(), PolicyContract(vision=vision))) == count


@pytest.mark.parametrize("vision", ["depth", "point_cloud"])
@torch.inference_mode()
def test_left_padding_changes_nothing(vision: VisionKind) -> None:
    contract = PolicyContract(vision=vision)
    model = PolicyModel(TOY, contract).eval()
    proprio, frames = inputs(contract, 2, 8)
    valid = torch.arange(8).expand(2, 8) >= 5
    plain = model(proprio[:, 5:], frames[:, 5:])
    padded = model(proprio, frames, valid)[:, 5:]
    torch.testing.assert_close(padded, plain, rtol=0, atol=1e-6)
    proprio[:, :5], frames[:, :5] = 1e3, 7.0
    assert torch.equal(model(proprio, frames, valid)[:, 5:], padded)


def test_other_whitening_of_the_joints_changes_no_output() -> None:
    contract = PolicyContract(vision="point_cloud")
    model = PolicyModel(TOY.model_copy(update={"foresight": (5, 15)}), contract).eval()
    draw = torch.Generator().manual_seed(1)
    statistics = [
        {
            f"{key}_{of}": torch.rand(23, generator=draw) + (0.1 if of == "std" else -0.5)
            for key in ("proprio", "action")
            for of in ("mean", "std")
        }
        for _ in range(2)
    ]
    model.set_whitening(**statistics[0])
    proprio, points = inputs(contract, 2, 8)

    def outputs() -> tuple[torch.Tensor, torch.Tensor]:
        tokens = model.encode(proprio.flatten(0, 1), points.flatten(0, 1))
        return model(proprio, points), model.foresee(tokens)

    with torch.inference_mode():
        before = outputs()
        model.rewhiten(**statistics[1])
        torch.testing.assert_close(outputs(), before, rtol=0, atol=1e-5)
    assert torch.equal(model.action_std, statistics[1]["action_std"])


@torch.inference_mode()
def test_the_future_never_reaches_the_past() -> None:
    contract = PolicyContract()
    model = PolicyModel(TOY, contract).eval()
    proprio, frames = inputs(contract, 1, 8)
    before = model(proprio, frames)
    proprio[:, 4:] += 1
    frames[:, 4:] = 0
    after = model(proprio, frames)
    torch.testing.assert_close(after[:, :4], before[:, :4], rtol=0, atol=1e-6)
    assert (after[:, 4:] != before[:, 4:]).any()


@torch.inference_mode()
def test_vision_of_the_same_step_reaches_its_action() -> None:
    contract = PolicyContract()
    model = PolicyModel(TOY, contract).eval()
    proprio, frames = inputs(contract, 1, 3)
    before = model(proprio, frames)[:, -1]
    frames[:, -1] = 0
    assert (model(proprio, frames)[:, -1] != before).any()


@torch.inference_mode()
def test_whitening_is_an_affine_change_of_units() -> None:
    contract = PolicyContract()
    model = PolicyModel(TOY, contract).eval()
    proprio, frames = inputs(contract, 1, 4)
    plain = model(proprio, frames)
    mean, std = torch.linspace(-1, 1, 23), torch.linspace(0.1, 2, 23)
    model.set_whitening(proprio_mean=mean, proprio_std=std, action_mean=mean, action_std=std)
    white = model(proprio * std + mean, frames)
    torch.testing.assert_close(white, plain * std + mean, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("view", ["image", "table"])
@pytest.mark.parametrize("read_out", ["mean", "flatten"])
def test_every_view_and_read_out_learns_from_depth(read_out: str, view: str) -> None:
    encoder = EncoderConfig.model_validate(
        {"channels": (4, 4, 8, 8), "read_out": read_out, "view": view}
    )
    contract = PolicyContract()
    model = PolicyModel(TOY.model_copy(update={"encoder": encoder}), contract)
    model(*inputs(contract, 2, 3)).abs().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.embed_vision.convolutions[0].weight.grad.abs().max() > 0


class MeanDistance(VisionEncoder):
    """The mean of the image, in metres, as a token."""

    takes_metres = True

    def __init__(self, contract: PolicyContract, config: EncoderConfig, width: int) -> None:
        super().__init__(contract, config, width)
        self.spread = torch.nn.Linear(1, width)

    def forward(self, vision: torch.Tensor, *moved: object) -> torch.Tensor:
        token: torch.Tensor = self.spread(vision.mean(dim=(1, 2))[:, None])
        return token


def test_a_new_encoder_is_a_class_and_an_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValidationError, match="depth 'distance' is no encoder; there are conv"):
        EncoderConfig(depth="distance")
    monkeypatch.setitem(ENCODERS["depth"], "distance", MeanDistance)
    network = TOY.model_copy(update={"encoder": EncoderConfig(depth="distance")})
    model, contract = PolicyModel(network, PolicyContract()), PolicyContract()
    proprio, frames = inputs(contract, 2, 3)
    before = model(proprio, frames)
    model.set_whitening(vision_mean=torch.ones(60, 60), vision_std=torch.tensor(2.0))
    assert torch.equal(model(proprio, frames), before)  # it sees metres
    model(proprio, frames).abs().mean().backward()
    assert model.embed_vision.spread.weight.grad.abs().max() > 0
    assert not torch.equal(model(proprio, frames + 0.1), before)


@pytest.mark.parametrize("ticks", [0, -5])
def test_foresight_looks_ahead(ticks: int) -> None:
    """The row before an episode's first is another episode's."""
    with pytest.raises(ValidationError, match=r"foresight\.1\n.* greater than or equal to 1"):
        PolicyConfig(foresight=(5, ticks))


@pytest.mark.parametrize("channels", [0, -4])
def test_every_convolution_has_channels(channels: int) -> None:
    with pytest.raises(ValidationError, match=r"channels\.2\n.* greater than or equal to 1"):
        EncoderConfig(channels=(4, 4, channels, 8))


def test_heads_must_divide_width() -> None:
    with pytest.raises(ValidationError, match="multiple of heads"):
        PolicyConfig(width=30, heads=4)


@pytest.mark.parametrize("same", [False, True])
def test_a_cloud_is_learnt_from_through_its_critical_points_alone(same: bool) -> None:
    """Tokens and gradients are those of all points; also where all points are one."""
    encoder = PointNetEncoder(PolicyContract(vision="point_cloud"), EncoderConfig(), 32)
    clouds = torch.randn(5, 100, 3, generator=torch.Generator().manual_seed(0))
    clouds = clouds[:, :1].expand(5, 100, 3) if same else clouds
    weight = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    rows: list[int] = []
    encoder.points.register_forward_hook(
        lambda _module, inputs, _out: rows.append(inputs[0].numel())
    )
    grown = []
    for training in (True, False):
        encoder.train(training).zero_grad()
        token = encoder(clouds)
        (token * weight).sum().backward()
        grown.append([token.detach(), *(p.grad.clone() for p in encoder.parameters())])
    for ours, theirs in zip(*grown, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    assert rows[0] == rows[2] == clouds.numel()
    assert rows[1] < 0.4 * rows[0]  # the one that a gradient goes back through
