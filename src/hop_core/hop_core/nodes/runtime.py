"""Life of a HOP node.

Parameters, executor loop, signals, and one clear sentence when it cannot run.

Periodic work runs in the node's own threads; ROS callbacks only hand data over. The executor is
therefore the cheapest one that works: `EventsExecutor` driven by `spin_once` (its `spin` never
returns in the wheels), `SingleThreadedExecutor` where it is missing.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import rclpy
from builtin_interfaces.msg import Time
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from hop_core.ending_signals import on_ending_signal
from hop_core.errors import HopError, denied
from hop_core.nodes.shared_memory import remove_orphans
from hop_core.parent_process import exit_with_launcher
from hop_core.realtime import Priority, schedule

_SPIN_S = 0.1


class HopNode(Node):
    """A node with HOP's common parameters.

    `config_dir` (empty: the installed config), `robot` (name of the overlay) and `twin_address`
    (loopback address of the twin where it is not the overlay's).

    Subclasses start their threads in `__init__` (or on a service) and stop them in `close`, which
    runs exactly once.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        text = self.declare_parameter("config_dir", "").value
        self.config_dir: Path | None = Path(text).expanduser() if text else None
        self.robot: str = self.declare_parameter("robot", "twin").value
        self.twin_address: str = self.declare_parameter("twin_address", "").value
        self.stopping = threading.Event()
        self.exit_code = 0

    def stop(self, exit_code: int = 0) -> None:
        """Ends the node from any thread; the executor loop returns within a tenth of a second."""
        self.exit_code = max(self.exit_code, exit_code)
        self.stopping.set()

    def close(self) -> None:
        """Releases threads and devices; called once, before the node is destroyed."""


def make_executor(context: Context | None = None) -> Executor:
    """Returns an executor of `context` (default: the global one), driven by `spin_once` only."""
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:  # an older Jazzy from apt lacks it
        return SingleThreadedExecutor(context=context)
    return EventsExecutor(context=context)


def run(
    make_node: Callable[[], HopNode],
    args: list[str] | None = None,
    priority: Priority | None = None,
) -> int:
    """Runs one node until SIGINT, SIGTERM, SIGHUP or its own `stop`.

    Args:
        make_node: constructs the node after ROS is initialised; may raise HopError.
        args: command line, default `sys.argv`.
        priority: real-time priority of the process; None: as any program.

    Returns:
        0 after a requested stop, 1 (or the error's own code) after a HopError, the node's
        `exit_code` otherwise.
    """
    exit_with_launcher()
    scheduling = schedule(priority) if priority is not None else None
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node: HopNode | None = None
    stop_early = threading.Event()

    def end() -> None:
        stop_early.set()
        if node is not None:
            node.stop()

    on_ending_signal(end)
    try:
        node = make_node()
        if scheduling is not None:
            node.get_logger().info(str(scheduling))
        if not stop_early.is_set():
            _spin(node)
        return node.exit_code
    except HopError as error:
        get_logger(node.get_name() if node else "hop").fatal(str(error))
        return error.exit_code
    except PermissionError as error:
        get_logger(node.get_name() if node else "hop").fatal(denied(error))
        return HopError.exit_code
    except ParameterException as error:
        get_logger(node.get_name() if node else "hop").fatal(f"a parameter is wrong: {error}")
        return HopError.exit_code
    finally:
        try:
            if node is not None:
                node.close()
                node.destroy_node()
        finally:
            if rclpy.ok():
                rclpy.shutdown()
            remove_orphans()  # of nodes that were killed; the last one to end tidies up for all


def main_of(
    make_node: Callable[[], HopNode], priority: Priority | None = None
) -> Callable[[], None]:
    """Returns a console-script entry point that runs the node and exits with its code."""

    def main() -> None:
        sys.exit(run(make_node, priority=priority))

    return main


def _spin(node: HopNode) -> None:
    executor = make_executor()
    executor.add_node(node)
    gc.collect()
    gc.freeze()  # modules never become garbage: searching them again and again would take a tick
    try:
        while rclpy.ok() and not node.stopping.is_set():
            executor.spin_once(timeout_sec=_SPIN_S)
    except ExternalShutdownException:
        return
    finally:
        executor.remove_node(node)
        executor.shutdown(timeout_sec=1.0)


def to_time(stamp_ns: int) -> Time:
    """Returns the message form of a stamp [ns]."""
    seconds, nanoseconds = divmod(int(stamp_ns), 1_000_000_000)
    return Time(sec=seconds, nanosec=nanoseconds)


def to_ns(stamp: Time) -> int:
    """Returns a message stamp as integer nanoseconds."""
    return stamp.sec * 1_000_000_000 + stamp.nanosec
