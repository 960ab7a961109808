"""From a recorded episode to observations and labels, one row per tick."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hop_core import topics
from hop_core.errors import AlignmentError, BagError, ModelError
from hop_core.state_report import StateReport
from hop_policy.bag_reader import EpisodeBag
from hop_policy.cell_statics import CellFrames, cell_frames
from hop_policy.contract import PolicyContract
from hop_policy.decode import TICK_LABEL, JointReader, camera_view, stamp_ns, tick_stamps
from hop_policy.label_rule import TargetTimeline
from hop_policy.observation import CameraView, JointScaling, Observation
from hop_policy.statics import StaticFrame, fixed_frames
from hop_policy.streams import ARM, DEPTH, HAND, ObservationBuilder, StreamDecoder, stream_rules
from hop_policy.tick_replay import Arrival, TickChoices, replay_exact, replay_rule, tick_grid

NO_TARGET = "no accepted target in force one tick later"


@dataclass(frozen=True)
class DecodedEpisode:
    """An episode as the policy sees it.

    Attributes:
        ticks_ns: (N,) int64 tick times, ROS time.
        proprio: (N, 23) float32 policy units.
        vision: (N, size, size) float32 [m].
        action: (N, 23) float32 labels, policy units.
        refused: ticks left out, counted by reason.
        cell: where camera and table stand; None: the bag does not tell it.
    """

    ticks_ns: np.ndarray
    proprio: np.ndarray
    vision: np.ndarray
    action: np.ndarray
    refused: dict[str, int]
    cell: CellFrames | None = None


@dataclass
class BagContent:
    """Everything of a bag but the depth pixels.

    Attributes:
        timeline: accepted targets.
        arrivals: messages of the streams, in receive order.
        joints: {stream: {stamp [ns]: joint angles [rad]}}.
        ticks: recorded ticks, each with the stamps that it chose.
        view: the camera; None where camera_info is missing.
        frames: the fixed ones.
    """

    timeline: TargetTimeline
    arrivals: list[Arrival]
    joints: dict[str, dict[int, np.ndarray]]
    ticks: list[dict[str, int]]
    view: CameraView | None = None
    frames: list[StaticFrame] = field(default_factory=list)


def decode_episode(bag: EpisodeBag, contract: PolicyContract) -> DecodedEpisode:
    """Return the ticks of `bag` that have a whole observation and a label.

    Recorded ticks of the same contract are replayed exactly; those of another contract keep their
    times and get their samples by this contract's rule; without ticks, or when a person moved the
    robot, the times are a grid of the contract's rate from the start of the bag.

    Raises:
        BagError: a topic is missing, a message is damaged, or no tick is usable.
        ConfigError: the camera of the bag cannot give the contract's view.
    """
    bag.require([*topics.STREAMS.values(), topics.CAMERA_INFO, topics.SAFE_TARGET])
    try:
        content = read_content(bag, contract)
        choices = choose_ticks(bag, contract, content)
        return _build(bag, contract, content, choices)
    except (AlignmentError, ModelError) as error:
        raise BagError(
            f"{bag.path}: {error}; or leave it out (hop demos label {bag.path} discarded)"
        ) from error


def read_content(bag: EpisodeBag, contract: PolicyContract) -> BagContent:
    """Return what `bag` holds.

    Raises:
        BagError: the data is damaged.
        AlignmentError, ModelError: a message is.
    """
    decoder = StreamDecoder()
    content = BagContent(
        TargetTimeline(JointReader(contract.joint_names)), [], {ARM: {}, HAND: {}}, []
    )
    wanted = [
        *topics.STREAMS.values(),
        topics.CAMERA_INFO,
        topics.SAFE_TARGET,
        topics.TICK,
        topics.STATE,
        topics.TF_STATIC,
    ]
    for topic, received_ns, message in bag.messages(wanted):
        if topic == topics.DEPTH:
            content.arrivals.append((received_ns, DEPTH, stamp_ns(message.header)))
        elif topic in topics.STREAM_OF:
            stream = topics.STREAM_OF[topic]
            stamp, values = decoder.decode(stream, message)
            content.arrivals.append((received_ns, stream, stamp))
            content.joints[stream][stamp] = values
        elif topic == topics.SAFE_TARGET:
            content.timeline.add(received_ns, message)
        elif topic == topics.TICK:
            content.ticks.append(tick_stamps(message))
        elif topic == topics.CAMERA_INFO:
            content.view = _same_view(content.view, message)
        elif topic == topics.TF_STATIC:
            frames = fixed_frames(message)
            if not all(np.isfinite(each.T_parent_child).all() for each in frames):
                raise AlignmentError(f"a pose in {topics.TF_STATIC} is not finite")
            content.frames += frames
        elif message.name == "supervisor":
            content.timeline.supervisor_is(received_ns, _report(message))
    return content


def _report(message: Any) -> StateReport:
    values = {item.key: item.value for item in message.values}
    try:
        return StateReport.from_values(message.name, values)
    except ValueError as error:
        raise AlignmentError(f"a message of {topics.STATE} has no known state ({error})") from error


def _same_view(known: CameraView | None, message: Any) -> CameraView:
    view = camera_view(message)
    if known is not None and view != known:
        raise AlignmentError("the camera's size or intrinsics change within the recording")
    return view


def choose_ticks(bag: EpisodeBag, contract: PolicyContract, content: BagContent) -> TickChoices:
    """Return the usable ticks of `bag` and what each uses; see `decode_episode`.

    Raises:
        AlignmentError: a recorded tick names other streams than the contract.
    """
    rules = stream_rules(contract)
    if bag.info.source == "teleop" or not content.ticks:
        end_ns = bag.start_ns + bag.duration_ns
        grid = tick_grid(bag.start_ns, end_ns, contract.tick_ns)
        return replay_rule(content.arrivals, rules, grid)
    if bag.info.contract_hash != contract.hash:
        times = sorted(tick[TICK_LABEL] for tick in content.ticks)
        return replay_rule(content.arrivals, rules, times)
    for tick in content.ticks:
        if tick.keys() != {TICK_LABEL, *rules}:
            raise AlignmentError(f"a tick names the streams {sorted(tick)}, not {sorted(rules)}")
    return replay_exact(content.arrivals, content.ticks)


def _build(
    bag: EpisodeBag, contract: PolicyContract, content: BagContent, choices: TickChoices
) -> DecodedEpisode:
    refused = Counter(choices.refused)
    rows, targets = [], []
    for row, tick_ns in enumerate(choices.ticks_ns):
        target = content.timeline.in_force(tick_ns + contract.label_offset_ns)
        if target is None:
            refused[NO_TARGET] += 1
        else:
            rows.append(row)
            targets.append(target)
    if not rows or content.view is None:
        raise BagError(
            f"{bag.path} has no usable tick ({_counted(refused)}): label it discarded "
            f"(hop demos label {bag.path} discarded) or record it again"
        )
    stamps = [choices.stamps[row] for row in rows]
    seen = observations_at(bag, contract, content, stamps)
    return DecodedEpisode(
        ticks_ns=np.array([choices.ticks_ns[row] for row in rows], dtype=np.int64),
        proprio=seen.proprio,
        vision=seen.vision,
        action=JointScaling(contract).scale(np.stack(targets)),
        refused=dict(refused),
        cell=cell_frames(content.frames),
    )


def observations_at(
    bag: EpisodeBag,
    contract: PolicyContract,
    content: BagContent,
    stamps: Sequence[Mapping[str, int]],
) -> Observation:
    """Return the observations of ticks that use the samples with these `stamps` [ns] by stream.

    Raises:
        AlignmentError: a sample is not in the bag, or there is no camera_info.
        ConfigError: the camera of the bag cannot give the contract's view.
    """
    if content.view is None:
        raise AlignmentError("camera_info is missing")
    builder = ObservationBuilder(contract, content.view)
    try:
        arm, hand = (np.stack([content.joints[s][at[s]] for at in stamps]) for s in (ARM, HAND))
    except KeyError as error:
        raise AlignmentError(f"the sample stamped {error} is not in the bag") from error
    vision = _read_vision(bag, contract, builder, [at[DEPTH] for at in stamps])
    return Observation(builder.proprio(arm, hand), vision)


def _read_vision(
    bag: EpisodeBag, contract: PolicyContract, builder: ObservationBuilder, stamps_ns: list[int]
) -> np.ndarray:
    """Return (N, size, size) float32 [m]: the depth images stamped `stamps_ns`, read once more."""
    decoder = StreamDecoder()
    rows: dict[int, list[int]] = {}
    for row, stamp in enumerate(stamps_ns):
        rows.setdefault(stamp, []).append(row)
    vision = np.empty((len(stamps_ns), *contract.vision_shape), np.float32)
    for _, _, message in bag.messages([topics.DEPTH]):
        wanted = rows.pop(stamp_ns(message.header), None)
        if wanted:
            vision[wanted] = builder.depth(decoder.decode(DEPTH, message)[1])
    if rows:
        raise AlignmentError(f"the depth image stamped {min(rows)} is not in the bag")
    return vision


def _counted(refused: Counter[str]) -> str:
    return ", ".join(f"{count} x {reason}" for reason, count in refused.most_common()) or "no ticks"
