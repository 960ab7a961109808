"""Makes plain `pytest` work where `make` did not set up: stand-ins last, measured DDS settings.

No property test has a deadline: how long an example takes says more about the machine than about
the property.
"""

import os
import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parent
ROS_LITE = str(ROOT / "tools" / "ros_lite")

if ROS_LITE not in sys.path:
    sys.path.append(ROS_LITE)

os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(ROOT / "config" / "fastdds.xml"))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
os.environ.setdefault("MUJOCO_GL", "egl")

settings.register_profile("workspace", deadline=None)
settings.load_profile("workspace")
