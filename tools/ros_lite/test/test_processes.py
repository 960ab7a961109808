"""Processes start, speak, end, come back, and take the launch with them when they are required."""

import sys
import time

import pytest
from launch import LaunchDescription, LaunchService
from launch.actions import (
    EmitEvent,
    ExecuteProcess,
    LogInfo,
    OpaqueFunction,
    RegisterEventHandler,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessExit, OnProcessStart, OnShutdown
from launch.events import Shutdown as ShutdownEvent

SLEEP = "import time; time.sleep(60)"


def python(text: str, **kwargs) -> ExecuteProcess:
    """A Python process named `child`."""
    kwargs.setdefault("output", "screen")
    return ExecuteProcess(cmd=[sys.executable, "-c", text], name="child", **kwargs)


def test_output_is_prefixed_with_the_process_name(run, capsys):
    text = "import sys; print('to out'); print('to err', file=sys.stderr); print('no end', end='')"
    assert run(python(text)) == 0
    lines = capsys.readouterr().out.splitlines()
    for said in ("to out", "to err", "no end"):
        assert any(line.startswith("[child-") and line.endswith(f"] {said}") for line in lines)
    assert any("process has finished cleanly" in line for line in lines)


@pytest.mark.parametrize(
    ("output", "screen", "log"),
    [
        ("screen", {"out", "err"}, set()),
        ("log", {"err"}, {"out", "err"}),
        ("both", {"out", "err"}, {"out", "err"}),
    ],
)
def test_output_goes_where_it_is_told(run, capsys, log_dir, output, screen, log):
    text = "import sys; print('said out'); print('said err', file=sys.stderr)"
    assert run(python(text, output=output)) == 0
    (file,) = log_dir.glob("*/launch.log")
    shown = capsys.readouterr().out
    assert {each for each in ("out", "err") if f"said {each}" in shown.replace(text, "")} == screen
    assert {each for each in ("out", "err") if f"] said {each}" in file.read_text()} == log


def test_an_unknown_output_is_refused(run, capsys):
    assert run(python("", output="nowhere")) == 1
    assert "expected one of ('screen', 'log', 'both')" in capsys.readouterr().out


@pytest.mark.parametrize("emulate_tty", [True, False])
def test_emulate_tty_gives_the_process_a_terminal(run, capsys, emulate_tty):
    assert run(python("import sys; print(sys.stdout.isatty())", emulate_tty=emulate_tty)) == 0
    assert f"] {emulate_tty}" in capsys.readouterr().out


def test_environment_working_directory_and_prefix(run, capsys, tmp_path):
    process = python(
        "import os; print(os.environ['ROS_LITE_TEST'], os.getcwd())",
        additional_env={"ROS_LITE_TEST": ["a", "b"]},
        cwd=str(tmp_path),
        prefix="env ROS_LITE_TEST=prefixed",
    )
    assert run(process) == 0
    assert f"prefixed {tmp_path}" in capsys.readouterr().out


def test_a_shell_interprets_the_command_only_when_asked(run, capsys):
    assert run(ExecuteProcess(cmd=["echo $((1 + 1))"], shell=True, output="screen")) == 0
    assert "] 2" in capsys.readouterr().out


def test_a_command_that_does_not_exist_ends_the_launch_with_1(run, capsys):
    assert run(ExecuteProcess(cmd=["/no/such/command"]), python(SLEEP)) == 1
    assert "cannot be started" in capsys.readouterr().out


def test_a_failed_required_process_ends_all_with_1(run, capsys):
    begin = time.monotonic()
    assert run(python(SLEEP), python("raise SystemExit(3)", on_exit=Shutdown(reason="gone"))) == 1
    assert time.monotonic() - begin < 40.0
    assert "was required: shutting down launched system" in capsys.readouterr().out


def test_a_required_process_that_ends_cleanly_ends_all_with_0(run):
    assert run(python(SLEEP), python("", on_exit=[Shutdown()])) == 0


def test_the_failure_of_any_other_process_is_not_the_launchs(run):
    assert run(python("raise SystemExit(3)")) == 0


def test_a_respawned_process_comes_back_until_its_retries_are_used_up(run, capsys, tmp_path):
    text = f"open(r'{tmp_path}/count', 'a').write('x'); raise SystemExit(1)"
    assert run(python(text, respawn=True, respawn_delay=0.05, respawn_max_retries=2)) == 0
    assert (tmp_path / "count").read_text() == "xxx"
    starts = [line for line in capsys.readouterr().out.splitlines() if "started with pid" in line]
    assert len(starts) == 3
    assert len({line.split("]")[1] for line in starts}) == 1  # one name for all


def test_a_shutdown_ends_a_process_that_waits_for_its_respawn(run):
    process = python("raise SystemExit(1)", respawn=True, respawn_delay=60.0)
    begin = time.monotonic()
    assert run(process, TimerAction(period=0.5, actions=[Shutdown()])) == 0
    assert time.monotonic() - begin < 40.0


def test_handlers_see_start_and_exit_of_their_process_only(run):
    seen = []
    watched, other = python("raise SystemExit(2)"), python("")
    started = OnProcessStart(
        target_action=watched, on_start=lambda event, _: seen.append(event.pid > 0)
    )
    exited = OnProcessExit(
        target_action=watched, on_exit=lambda event, _: seen.append(event.returncode)
    )
    assert run(RegisterEventHandler(started), RegisterEventHandler(exited), watched, other) == 0
    assert seen == [True, 2]


def test_an_exit_can_start_the_next_process(run, capsys):
    following = OnProcessExit(on_exit=[LogInfo(msg="next one")], handle_once=True)
    assert run(RegisterEventHandler(following), python("")) == 0
    assert capsys.readouterr().out.count("next one") == 1


def test_shutdown_handlers_run_once_and_late_processes_are_not_started(run, capsys):
    reasons = []

    def on_shutdown(event, _context):
        reasons.append(event.reason)
        return [python("print('too late')")]

    emit = EmitEvent(event=ShutdownEvent(reason="enough"))
    handler = RegisterEventHandler(OnShutdown(on_shutdown=on_shutdown))
    assert run(handler, python(SLEEP), emit, emit) == 0
    assert reasons == ["enough"]
    assert "too late" not in capsys.readouterr().out


def test_a_timer_acts_after_its_period_and_is_cancelled_by_a_shutdown(run):
    times = []

    def note(_context) -> None:
        times.append(time.monotonic())

    begin = time.monotonic()
    assert run(TimerAction(period=0.3, actions=[OpaqueFunction(function=note)])) == 0
    assert times[0] - begin >= 0.3
    assert run(TimerAction(period=60.0, actions=[]), Shutdown()) == 0


def test_a_process_that_ignores_sigint_gets_sigterm_then_sigkill(run, capsys, tmp_path):
    ready = tmp_path / "ready"
    stubborn = (
        "import signal, time\n"
        "for s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, signal.SIG_IGN)\n"
        f"open({str(ready)!r}, 'w').close()\ntime.sleep(60)"
    )
    waits = f"import os, time\nwhile not os.path.exists({str(ready)!r}): time.sleep(0.05)"
    process = python(stubborn, sigterm_timeout="0.2", sigkill_timeout="0.2")
    assert run(process, python(waits, on_exit=Shutdown())) == 0
    out = capsys.readouterr().out
    assert out.index("escalating to 'SIGTERM'") < out.index("escalating to 'SIGKILL'")
    assert "exit code -9" in out


def test_an_exception_in_a_function_ends_the_launch_with_1(run, capsys):
    def fail(_context) -> None:
        raise ValueError("what was wrong")

    assert run(python(SLEEP), OpaqueFunction(function=fail)) == 1
    assert "Caught exception in launch: what was wrong" in capsys.readouterr().out


def test_a_service_that_does_not_end_when_idle_ends_by_shutdown():
    import threading

    service = LaunchService()
    service.include_launch_description(LaunchDescription([]))
    threading.Timer(0.3, service.shutdown).start()
    begin = time.monotonic()
    assert service.run(shutdown_when_idle=False) == 0
    assert time.monotonic() - begin >= 0.2
