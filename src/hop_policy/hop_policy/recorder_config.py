"""The recorder's configuration: which topics, how often each must come, how the disk is treated."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from hop_core.config import Config
from hop_policy import messages
from hop_policy.rate_audit import RateLimits


class TopicConfig(Config):
    """One recorded topic.

    Attributes:
        name: absolute topic name.
        type: ROS type, as in ``sensor_msgs/msg/Image``.
        rate_hz: nominal rate; 0 for topics sent on events.
        required: whether an episode without it is broken.
        qos: offered profile, kept for replay: a stream (reliable, volatile) or a latched one.
    """

    name: str = Field(pattern=r"^(/[A-Za-z_][A-Za-z0-9_]*)+$")
    type: str = Field(pattern=r"^[a-z][a-z0-9_]*/msg/[A-Z][A-Za-z0-9]*$")
    rate_hz: float = Field(default=0.0, ge=0.0)
    required: bool = False
    qos: Literal["stream", "latched"] = "stream"


class RecorderConfig(Config):
    """Settings of recording, live and lock-step alike.

    Attributes:
        root: folder of all episodes, `<root>/<task>/<episode>/`.
        topics: what is recorded.
        queue_messages: messages that may wait for the disk before new ones are dropped and counted.
        flush_period_s: longest time of data that a killed recorder loses.
        min_free_mb: below this much free space a recording is finished by itself.
        rate_tolerance: accepted deviation of a mean rate, as a fraction.
        max_gap_s: longest accepted pause of a judged stream.
    """

    root: Path
    topics: tuple[TopicConfig, ...]
    queue_messages: int = Field(ge=100)
    flush_period_s: float = Field(gt=0.0, le=10.0)
    min_free_mb: int = Field(ge=0)
    rate_tolerance: float = Field(gt=0.0, lt=1.0)
    max_gap_s: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _topics_once_and_known(self) -> RecorderConfig:
        names = [topic.name for topic in self.topics]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"topics listed twice: {', '.join(twice)}")
        for topic in self.topics:
            if topic.type not in messages.TYPESTORE.fielddefs:
                raise ValueError(
                    f"{topic.name} has the type {topic.type}, which is no standard message"
                )
        return self

    def folder(self, override: str = "") -> Path:
        """Return the folder of all episodes: `override` if given, else `root`; ~ is the home."""
        return Path(override or self.root).expanduser()

    def limits(self, topic: TopicConfig) -> RateLimits:
        """Return the rate limits of one topic."""
        return RateLimits(topic.rate_hz, topic.required, self.rate_tolerance, self.max_gap_s)

    def topic(self, name: str) -> TopicConfig | None:
        """Return the settings of a topic, None if it is not listed."""
        return next((topic for topic in self.topics if topic.name == name), None)
