"""Demonstrations of the scripted expert on the ROS graph of the twin: real drivers, real time."""

from __future__ import annotations

from collections.abc import Iterator

from hop_core.errors import TwinError
from hop_core.realtime import Priority, schedule
from hop_sim.collect import Collection, episode_name, live_facts, seeds_to_record
from hop_sim.live_launch import LiveLaunch
from hop_sim.live_runner import LiveRunner, Recording
from hop_sim.rollout import Outcome
from hop_sim.tasks.registry import load_task
from hop_sim.twin_client import TwinClient


def collect_live(what: Collection, count: int, first: int) -> Iterator[Outcome]:
    """Record demonstrations through the running graph; yield how each episode ended.

    They start at home, where the supervisor brings the robot, and not all about it as those of
    `collect` do.

    Raises:
        TwinError: the graph does not come up, or stops answering.
        BagError: one that is there already was recorded in lock-step or in another way.
    """
    from hop_sim.nodes.graph_client import GraphClient  # ROS is needed from here on only
    from hop_sim.nodes.live_expert import LiveExpert

    cell = what.cell
    facts = live_facts(what)
    told = {**facts, "contract_hash": cell.load_contract().hash}
    seeds = seeds_to_record(what, count, first, told)
    robot = cell.load_robot()
    twin, task = robot.twin, load_task(cell.task, robot.table, cell.config_dir).config
    if twin is None:
        raise TwinError(f"the cell '{cell.robot}' has no twin; live collection is for the twin")
    launch = LiveLaunch(
        policy="none",
        task=cell.task,
        source="expert",
        auto_arm="false",
        config_dir=cell.config_dir or "",
    )
    recording = Recording("expert", what.root, what.keep_failures, facts)
    with launch, GraphClient("live_collect") as graph:
        # After the launch, whose processes would inherit it: the expert is in the policy's place.
        graph.node.get_logger().info(str(schedule(Priority.POLICY)))
        runner = LiveRunner(cell.realism, twin, graph, launch, recording)
        runner.bring_up("recorder")
        # A connection of its own: the runner asks on the other one meanwhile.
        with TwinClient(twin.address, twin.control_port) as eyes:
            expert = LiveExpert(graph, eyes, 1.0 / cell.load_contract().policy_hz, task)
            for seed in seeds:
                yield runner.episode(seed, expert, episode_name(seed))
        runner.close()
