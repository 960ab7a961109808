# Source this file from bash to use the workspace:  . env.sh
# It activates .venv, ROS 2 Jazzy (from apt where /opt/ros/jazzy exists, else from wheels) and the built packages, and sets
# the DDS settings that the workspace was measured with. What is already set in the calling shell is kept.

if [ -z "${BASH_VERSION:-}" ]; then
  echo "env.sh: needs bash; start one with: bash" >&2
  return 1 2>/dev/null || exit 1
fi

hop_env() {
  local root
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
  if [ ! -e "$root/.venv/bin/activate" ]; then
    echo "env.sh: no environment in $root/.venv yet; run: make -C $root build" >&2
    return 1
  fi

  # A shell started by another environment's Python inherits that environment's library path and the mark that says that
  # the path is complete; our Python would then load the other one's libraries.
  if [ -n "${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
    unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
    LD_LIBRARY_PATH=$(tr ':' '\n' <<<"${LD_LIBRARY_PATH:-}" | grep -v '/ros_[^/]*\.libs$' | paste -sd: || true)
    export LD_LIBRARY_PATH
  fi

  . "$root/.venv/bin/activate"
  if [ -e /opt/ros/jazzy/setup.bash ]; then
    . /opt/ros/jazzy/setup.bash
  fi
  if [ -e "$root/install/setup.bash" ]; then
    . "$root/install/setup.bash"
  fi
  if [ -d "$VIRTUAL_ENV/share/ament_index" ]; then  # ROS from wheels: their share folders lie in the environment
    case ":${AMENT_PREFIX_PATH:-}:" in
      *":$VIRTUAL_ENV:"*) ;;
      *) export AMENT_PREFIX_PATH="${AMENT_PREFIX_PATH:+$AMENT_PREFIX_PATH:}$VIRTUAL_ENV" ;;
    esac
    case ":$PATH:" in  # at the end: a real ros2 wins
      *":$root/tools/ros_lite/bin:"*) ;;
      *) export PATH="$PATH:$root/tools/ros_lite/bin" ;;
    esac
  fi

  export RMW_IMPLEMENTATION="${RMW_IMPLEMENTATION:-rmw_fastrtps_cpp}"
  export FASTRTPS_DEFAULT_PROFILES_FILE="${FASTRTPS_DEFAULT_PROFILES_FILE:-$root/config/fastdds.xml}"
  export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"
  export MUJOCO_GL="${MUJOCO_GL:-egl}"
  # Threads of one training wait for each other by spinning, by default for so long that most of the time goes by in that
  # where anything else has a core. This much is as quick on an idle machine (measured: docs/results.md, Training).
  export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-10000}"
  if [ -z "${ROS_LOG_DIR:-}" ] && { [ -z "${HOME:-}" ] || [ ! -w "$HOME" ]; }; then  # rclpy refuses to start without one
    export ROS_LOG_DIR="${TMPDIR:-/tmp}/ros_log_$(id -u)"
  fi
}

# The sourced scripts read unset variables and rely on commands that fail, which a strict calling shell would not survive.
hop_env_flags=$-
set +eu
hop_env
hop_env_status=$?
case $hop_env_flags in *u*) set -u ;; esac
case $hop_env_flags in *e*) set -e ;; esac
unset -f hop_env
unset hop_env_flags
(exit $hop_env_status)
