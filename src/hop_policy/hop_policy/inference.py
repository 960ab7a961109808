"""Running a policy: observations in, joint targets out, for one robot or many in lock-step.

The tokens of a frame do not depend on its place in the history, so each frame is encoded once and
kept as it is before the time embedding. A tick costs one new frame and one pass of the transformer.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hop_core.errors import ConfigError, ModelError
from hop_core.robot_config import CameraPose
from hop_policy.checkpoint import WEIGHTS, load_checkpoint
from hop_policy.contract import PolicyContract
from hop_policy.exported_form import ExportedForm, has_export, load_export
from hop_policy.model import PolicyModel
from hop_policy.observation import JointScaling, Observation
from hop_policy.policy_forms import EagerForm, FormName, PolicyForm


class Policy:
    """A network with the histories of B robots.

    Attributes:
        model: the network, in evaluation mode.
        contract: what its observations and targets mean.
        form: name of what runs the network: eager or exported.
    """

    def __init__(
        self,
        model: PolicyModel,
        batch: int = 1,
        device: torch.device | str = "cpu",
        exported: ExportedForm | None = None,
    ) -> None:
        """Wraps `model` for `batch` robots; all histories start empty.

        Args:
            model: the network.
            batch: robots.
            device: where it runs.
            exported: what runs it in torch's stead; on the CPU.
        """
        self.model = model.eval().to(device)
        self.contract = model.contract
        self.batch = batch
        self._scaling = JointScaling(model.contract)
        self._device = torch.device(device)
        config = model.config
        self._context = config.context
        # Newest step last, so that a history of n steps is the last n.
        self._tokens = torch.zeros(batch, config.context, 2, config.width, device=self._device)
        self._steps = np.zeros(batch, dtype=np.int64)
        self._ages = np.arange(config.context, 0, -1)
        self.form: FormName = "eager" if exported is None else "exported"
        self._run: PolicyForm = exported or EagerForm(self.model)

    @classmethod
    def load(
        cls,
        path: Path | str,
        contract: PolicyContract | None = None,
        batch: int = 1,
        device: torch.device | str = "cpu",
        weights: str = WEIGHTS,
        form: FormName = "auto",
        camera: CameraPose | None = None,
    ) -> Policy:
        """Returns the policy of a checkpoint directory.

        Args:
            path: the directory.
            contract: what the caller observes and does by.
            batch: robots.
            device: where it runs.
            weights: file to take the weights from.
            form: what runs it. The exported form is of the best weights, for the CPU: asked for
                elsewhere it is refused, and auto does not take it there.
            camera: what it looks through; one that learnt from elsewhere is refused.

        Raises:
            CheckpointError: see `load_checkpoint` and `load_export`.
            ConfigError: the exported form was asked for where there is none.
        """
        model = load_checkpoint(path, contract, weights, camera).model
        if form == "exported" and not _apt(weights, device):
            raise ConfigError(
                f"the exported form is of {WEIGHTS} and for the CPU, not of {weights} on {device}; "
                "choose the eager form"
            )
        if form == "auto":
            form = form_taken(Path(path), weights, device)
        if form == "exported":
            return cls(model, batch, device, load_export(Path(path)))
        return cls(model, batch, device)

    @torch.inference_mode()
    def reset(self, robots: np.ndarray | None = None) -> None:
        """Forgets the histories of `robots` ((K,) indices or (B,) bool); None is all."""
        self._steps[slice(None) if robots is None else robots] = 0
        # Padding has no weight, but no weight on NaN would still be NaN.
        self._tokens[slice(None) if robots is None else torch.from_numpy(robots)] = 0

    def warm_up(self, ticks: int = 20) -> None:
        """Runs `ticks` on blank observations, so that the first real one is quick; then resets."""
        shape = self.contract.vision_shape
        blank = Observation(
            np.zeros((self.batch, len(self.contract.joint_names)), np.float32),
            np.zeros((self.batch, *shape), np.float32),
        )
        self.reset()  # a history that is not finite would stay so
        for _ in range(ticks):
            self.act(blank)
        self.reset()

    @torch.inference_mode()
    def act(self, observation: Observation) -> np.ndarray:
        """Returns the joint targets (B, 23) [rad] that answer the newest observation of each robot.

        Args:
            observation: one tick of each of the B robots.

        Raises:
            ModelError: the observation has another shape, or the network's output is not finite.
        """
        self._require_shape(observation)
        proprio = torch.from_numpy(observation.proprio).to(self._device)
        vision = torch.from_numpy(observation.vision).to(self._device)
        self._steps = np.minimum(self._steps + 1, self._context)
        valid = self._ages <= self._steps[:, None]
        action, self._tokens = self._run(proprio, vision, self._tokens, valid)
        target = self._scaling.unscale(action.cpu().numpy())
        if not np.isfinite(target).all():
            raise ModelError(
                "the policy's output is not finite; check the observation and the checkpoint"
            )
        return target

    def _require_shape(self, observation: Observation) -> None:
        wanted = {
            "proprio": (self.batch, len(self.contract.joint_names)),
            "vision": (self.batch, *self.contract.vision_shape),
        }
        for key, shape in wanted.items():
            array = getattr(observation, key)
            if array.shape != shape or array.dtype != np.float32:
                raise ModelError(
                    f"the policy expects {key} of shape {shape}, float32, got {array.shape}, "
                    f"{array.dtype}; make both by the policy's contract"
                )


def form_taken(path: Path, weights: str = WEIGHTS, device: torch.device | str = "cpu") -> FormName:
    """Returns which form `Policy.load` takes of the checkpoint directory `path` by itself."""
    return "exported" if _apt(weights, device) and has_export(path) else "eager"


def _apt(weights: str, device: torch.device | str) -> bool:
    return weights == WEIGHTS and torch.device(device).type == "cpu"
