"""Where a demonstration's joints tell that its hand goes, its images show what stands there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hop_policy.aim import GOAL_PLACE, GRASP_PLACE, Aiming, grasp_tick
from hop_policy.bag_dataset import load_episodes
from hop_policy.table_view import SIZE, TableView
from hop_sim.collect import Collection, collect
from hop_sim.realism import Realism
from hop_sim.rollout import CellSpec

RIGHT_M, AHEAD_M = -0.30, 0.30  # where the view's first cells begin, from the camera
CELL_M = 0.0125


@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_grasp_and_its_goal_are_where_stack_and_bowl_are_seen(
    tmp_path: Path, jitter: float
) -> None:
    """To 4 cm, sides that face the camera being seen alone; a bumped one is off alike for both."""
    cell = CellSpec("grasp_drop", Realism(jitter=jitter))
    collection = Collection(cell, tmp_path)
    (outcome,) = collect(collection, 1, 0, workers=1)
    assert outcome.success
    contract = cell.load_contract()
    (episode,) = load_episodes(tmp_path, contract)
    assert episode.cell is not None
    rows = Aiming(contract, object_m=0.11, goal_m=0.07).rows(
        episode.proprio, grasp_tick(episode.action), episode.cell, episode.action
    )
    view = TableView(contract.depth).eval()(torch.from_numpy(episode.vision[:1]))
    height_m = 0.1 * view[0, 0].numpy()
    cells = np.indices((SIZE, SIZE))
    ahead_m, right_m = np.array([AHEAD_M, RIGHT_M])[:, None, None] + (cells + 0.5) * CELL_M
    off = []
    for columns, least_m, most_m in ((GRASP_PLACE, 0.07, 0.11), (GOAL_PLACE, 0.02, 0.07)):
        place = rows[0, columns]
        near = np.hypot(right_m - place[0], ahead_m - place[1]) < 0.12
        shown = near & (least_m < height_m) & (height_m < most_m)
        assert shown.sum() >= 4
        off.append(np.array([right_m[shown].mean(), ahead_m[shown].mean()]) - place)
    if jitter:
        np.testing.assert_allclose(off[0], off[1], atol=0.05)
    else:
        np.testing.assert_allclose(off, 0.0, atol=0.04)
