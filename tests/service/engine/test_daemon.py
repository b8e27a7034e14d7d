"""The supervised and the attached engine: it comes up, comes back, loses nothing, and knows its accounts."""

import asyncio
import json
import os
import signal
import stat
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from signal_courier.engine.address import parse_address
from signal_courier.engine.base import AccountState, EngineState
from signal_courier.engine.daemon import SignalCli
from signal_courier.engine.errors import AccountUnknown, EngineFault, EngineTimeout, EngineUnavailable, Unsupported
from signal_courier.engine.program.options import EngineOptions
from tests.fakes.daemon import Failure, FakeDaemon, Held, Silence, daemon_process
from tests.fakes.signal_cli import write_account

PROGRAM = Path(__file__).parents[2] / "fakes" / "signal_cli.py"
FIRST, SECOND = "+4915100000001", "+4915100000002"


async def reach(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it is so, looking every few milliseconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - files and processes have no event
            await asyncio.sleep(0.005)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    write_account(folder, FIRST)
    write_account(folder, SECOND, linked=True)
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The fake program as something that can be executed: run by the interpreter that runs the tests."""
    script = tmp_path / "signal-cli"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{PROGRAM}" "$@"\n')
    script.chmod(0o755)
    return script


@pytest.fixture
def options(config: Path, program: Path, tmp_path: Path) -> EngineOptions:
    return EngineOptions(
        exe=program, config_dir=config, run_dir=tmp_path / "run", poll=0.05, backoff=(0.02, 0.1), reload_backoff=(0.1, 0.4), grace=15
    )


class Engines:
    """Starts engines and stops them all in the end."""

    def __init__(self, options: EngineOptions) -> None:
        self.options = options
        self.frames: list[bytes] = []
        self._running: list[SignalCli] = []

    async def start(self, **changes: object) -> SignalCli:
        engine = SignalCli(replace(self.options, **changes))  # type: ignore[arg-type]  # whatever the test wants changed
        await engine.start(self.frames.append)
        self._running.append(engine)
        return engine

    async def ready(self, **changes: object) -> SignalCli:
        engine = await self.start(**changes)
        await reach(lambda: engine.status.state is EngineState.READY)
        return engine

    async def stop(self) -> None:
        await asyncio.gather(*(engine.stop() for engine in self._running))

    @property
    def timestamps(self) -> list[int]:
        return [msgspec.json.decode(frame)["envelope"]["timestamp"] for frame in self.frames]


@pytest.fixture
async def engines(options: EngineOptions) -> AsyncIterator[Engines]:
    started = Engines(options)
    yield started
    await started.stop()


def behave(config: Path, **behaviour: object) -> None:
    (config / "behaviour.json").write_text(json.dumps(behaviour))


def fill_mailbox(config: Path, first: int, last: int) -> None:
    with (config / "mailbox.jsonl").open("a") as mailbox:
        for timestamp in range(first, last):
            mailbox.write(json.dumps({"envelope": {"timestamp": timestamp}, "account": FIRST}) + "\n")


def starts(config: Path) -> list[dict[str, object]]:
    log = config / "starts.log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# -- start and stop


async def test_it_starts_answers_and_stops(engines: Engines, options: EngineOptions, config: Path) -> None:
    engine = await engines.ready(trust="always", ignore_stories=True)
    assert engine.status.version == "0.14.6"
    assert engine.status.accounts == {FIRST: AccountState.READY, SECOND: AccountState.READY}
    assert msgspec.json.decode(await engine.call("listAccounts", {})) == [{"number": FIRST}, {"number": SECOND}]
    arguments = starts(config)[0]["arguments"]
    assert arguments == [
        *("--output=json", "--config", str(config), "--trust-new-identities", "always", "daemon"),
        *("--socket", str(options.run_dir / "signal-cli.sock"), "--receive-mode", "manual", "--no-receive-stdout", "--ignore-stories"),
    ]
    pid = engine.pid
    assert pid is not None
    begun = time.monotonic()
    await engine.stop()
    assert time.monotonic() - begun < 10
    assert not is_running(pid)
    assert engine.status.state is EngineState.STOPPED
    assert sorted(path.name for path in options.run_dir.iterdir()) == ["lock", "tmp", "unstored.reserve"]
    with pytest.raises(EngineUnavailable):
        await engine.call("version", {})


async def test_only_we_may_use_the_socket(engines: Engines, options: EngineOptions) -> None:
    await engines.ready()
    assert stat.S_IMODE(options.run_dir.stat().st_mode) == 0o700


async def test_a_signal_cli_that_will_not_end_is_killed_in_time(engines: Engines, config: Path) -> None:
    behave(config, deaf_to_sigterm=True)
    engine = await engines.ready()
    pid = engine.pid
    assert pid is not None
    begun = time.monotonic()
    await engine.stop()
    assert time.monotonic() - begun < 8
    assert not is_running(pid)


async def test_calls_in_flight_fail_when_the_engine_stops(engines: Engines, config: Path) -> None:
    engine = await engines.ready()
    calls = [asyncio.create_task(engine.call("waitForEver", {"account": FIRST})) for _ in range(3)]
    await engine.call("version", {})
    await engine.stop()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, (EngineUnavailable, msgspec.Raw)) for outcome in outcomes)


async def test_java_gets_what_a_small_machine_needs_and_the_user_wins(engines: Engines, options: EngineOptions, config: Path) -> None:
    await engines.ready(java_opts="-Xmx1g -Dx=y")
    assert starts(config)[0]["java_opts"] == (
        f"-Djava.io.tmpdir={options.run_dir / 'tmp'} -XX:-UsePerfData -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -Xmx1g -Dx=y"
    )


async def test_leftovers_of_a_kill_are_removed(engines: Engines, options: EngineOptions) -> None:
    stale = options.run_dir / "tmp" / "libsignal123456"
    stale.mkdir(parents=True)
    (stale / "libsignal_jni_amd64.so").write_bytes(b"x" * 1000)
    (options.run_dir / "signal-cli.sock").touch()
    engine = await engines.ready()
    assert engine.status.restarts == 0
    assert not stale.exists()


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A folder whose name is short, as those below /run/user are."""
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        yield Path(folder)


async def test_a_long_data_folder_gets_its_socket_elsewhere_and_leaves_nothing(
    engines: Engines, tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    (runtime / "signal-courier-stale").mkdir()
    run = tmp_path / ("x" * 100) / "run"
    run.mkdir(parents=True)
    (run / "socket-folder").write_text(str(runtime / "signal-courier-stale"))
    engine = await engines.ready(run_dir=run)
    (name,) = os.listdir(runtime)  # noqa: PTH208 - a look, not a walk
    assert name != "signal-courier-stale"
    assert stat.S_IMODE((runtime / name).stat().st_mode) == 0o700
    await engine.stop()
    assert not os.listdir(runtime)  # noqa: PTH208 - a look, not a walk


async def test_two_services_do_not_share_a_folder(engines: Engines) -> None:
    await engines.ready()
    with pytest.raises(EngineUnavailable, match="Another Signal Courier"):
        await engines.start()


async def test_a_program_that_is_not_there_is_said_and_tried_again(engines: Engines, tmp_path: Path, program: Path) -> None:
    later = tmp_path / "later" / "signal-cli"
    engine = await engines.start(exe=later, grace=0.3)
    await reach(lambda: engine.status.restarts >= 2)
    with pytest.raises(EngineUnavailable, match="is not there"):
        await engine.call("version", {})
    later.parent.mkdir()
    later.symlink_to(program)
    await reach(lambda: engine.status.state is EngineState.READY)


async def test_why_it_fails_is_told_without_the_number(engines: Engines, config: Path) -> None:
    behave(config, fail=f"ERROR App - Failed to load account file for {FIRST}: no network")
    engine = await engines.start(grace=0.2)
    await reach(lambda: engine.status.restarts >= 1)
    with pytest.raises(EngineUnavailable, match=r"ended with code 2.*Failed to load account file") as caught:
        await engine.call("version", {})
    assert FIRST not in caught.value.message
    behave(config)
    await reach(lambda: engine.status.state is EngineState.READY)


async def test_a_flag_that_an_old_version_does_not_know_is_left_out(engines: Engines, config: Path) -> None:
    behave(config, version="0.13.19", unknown_flags=["--ignore-avatars"])
    engine = await engines.ready(ignore_avatars=True, ignore_attachments=True)
    assert engine.status.restarts == 0
    last = starts(config)[-1]["arguments"]
    assert isinstance(last, list)
    assert "--ignore-attachments" in last
    assert "--ignore-avatars" not in last


async def test_a_call_waits_for_a_daemon_that_is_coming(engines: Engines, config: Path) -> None:
    behave(config, start_seconds=0.3)
    engine = await engines.start()
    assert msgspec.json.decode(await engine.call("version", {})) == {"version": "0.14.6"}


async def test_a_call_does_not_wait_for_ever(engines: Engines, config: Path) -> None:
    behave(config, start_seconds=60)
    engine = await engines.start(grace=0.1)
    begun = time.monotonic()
    with pytest.raises(EngineUnavailable, match=r"not ready \(starting\)"):
        await engine.call("version", {})
    assert time.monotonic() - begun < 20


# -- crashes


async def test_it_comes_back_after_a_kill_and_calls_in_flight_fail_at_once(engines: Engines) -> None:
    engine = await engines.ready()
    first = engine.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await reach(lambda: engine.pid not in {None, first} and engine.status.state is EngineState.READY)
    assert engine.status.restarts == 1
    assert await engine.call("version", {})


async def test_a_call_right_after_a_crash_waits_for_the_next_life(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon() as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        daemon.on("send", Silence())
        lost = asyncio.create_task(engine.call("send", {"account": FIRST}))
        await daemon.next_call("send")
        daemon.drop_connections()
        with pytest.raises(EngineUnavailable):
            await lost
        assert await engine.call("version", {})
        await engine.stop()


@pytest.mark.slow
async def test_twenty_kills_in_mid_stream_lose_nothing_and_keep_the_order(engines: Engines, config: Path) -> None:
    behave(config, spacing=0.0005)
    fill_mailbox(config, 0, 4000)
    engine = await engines.ready(backoff=(0.01, 0.02))
    for kill in range(20):
        goal = len(engines.frames) + 20 + 13 * (kill % 5)
        await reach(lambda goal=goal: len(engines.frames) >= goal and engine.pid is not None)  # type: ignore[misc]  # bound now
        pid = engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await reach(lambda pid=pid: engine.pid != pid)  # type: ignore[misc]  # bound now
    behave(config)
    await reach(lambda: bool(engines.timestamps) and engines.timestamps[-1] == 3999, 40)
    seen = engines.timestamps
    assert list(dict.fromkeys(seen)) == list(range(4000)), "lost or reordered"
    assert len(seen) - 4000 <= 20, "more than the one envelope that each kill may hand over twice"
    assert engine.status.restarts == 20


@pytest.mark.slow
async def test_an_orphan_of_a_killed_service_does_not_block_the_next(engines: Engines, options: EngineOptions, config: Path) -> None:
    behave(config, deaf_to_sigterm=True, outlives_its_parent=True)
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVICE, str(options.exe), str(config), str(options.run_dir), stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    orphan = int(await asyncio.wait_for(service.stdout.readline(), 30))
    service.kill()
    await service.wait()
    assert is_running(orphan), "as a child of a start script does"
    engine = await engines.ready()
    assert not is_running(orphan)
    assert engine.pid != orphan


async def test_a_killed_service_takes_its_signal_cli_with_it(options: EngineOptions, config: Path) -> None:
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _SERVICE, str(options.exe), str(config), str(options.run_dir), stdout=asyncio.subprocess.PIPE
    )
    assert service.stdout is not None
    child = int(await asyncio.wait_for(service.stdout.readline(), 30))
    service.kill()
    await service.wait()
    await reach(lambda: not is_running(child), 5)


_SERVICE = """
import asyncio, sys
from pathlib import Path
from signal_courier.engine.daemon import SignalCli
from signal_courier.engine.program.options import EngineOptions
async def main():
    engine = SignalCli(EngineOptions(exe=Path(sys.argv[1]), config_dir=Path(sys.argv[2]), run_dir=Path(sys.argv[3])))
    await engine.start(lambda frame: None)
    await engine.call("version", {})
    print(engine.pid, flush=True)
    await asyncio.get_running_loop().create_future()
asyncio.run(main())
"""


# -- accounts


async def test_an_account_that_was_not_loaded_is_tried_again_until_it_is_there(engines: Engines, config: Path) -> None:
    """An older signal-cli, no network while it started: it is restarted."""
    behave(config, version="0.13.24")
    (config / "offline").touch()
    engine = await engines.ready()
    assert engine.status.accounts == {FIRST: AccountState.LOADING, SECOND: AccountState.LOADING}
    await reach(lambda: len(starts(config)) >= 3)
    (config / "offline").unlink()
    await reach(lambda: set(engine.status.accounts.values()) == {AccountState.READY})


async def test_a_newer_signal_cli_loads_a_missing_account_without_restart(engines: Engines, config: Path) -> None:
    behave(config, lazy=True)
    (config / "offline").touch()
    fill_mailbox(config, 0, 3)
    engine = await engines.ready(reload_backoff=(60, 60))
    (config / "offline").unlink()
    await reach(lambda: set(engine.status.accounts.values()) == {AccountState.READY})
    await reach(lambda: len(engines.frames) == 3)
    assert len(starts(config)) == 1


async def test_an_account_that_vanishes_is_reported_as_unlinked(tmp_path: Path, config: Path, engines: Engines) -> None:
    async with FakeDaemon(version="0.13.19") as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        daemon.accounts.remove(SECOND)
        await reach(lambda: engine.status.accounts == {FIRST: AccountState.READY, SECOND: AccountState.UNLINKED})
        daemon.drop_connections()
        await reach(lambda: engine.status.restarts == 1 and engine.status.state is EngineState.READY)
        assert engine.status.accounts[SECOND] is AccountState.UNLINKED
        await engine.stop()


async def test_an_account_that_vanishes_elsewhere_is_reported_too(tmp_path: Path, engines: Engines) -> None:
    """The daemon's files cannot be seen from here."""
    async with FakeDaemon() as daemon:
        address = parse_address(await daemon.listen_tcp())
        engine = await engines.ready(exe=None, address=address, config_dir=tmp_path / "elsewhere")
        daemon.accounts.remove(SECOND)
        await reach(lambda: engine.status.accounts == {FIRST: AccountState.READY, SECOND: AccountState.UNLINKED})
        daemon.accounts.append(SECOND)
        await reach(lambda: engine.status.accounts == {FIRST: AccountState.READY, SECOND: AccountState.READY})
        await engine.stop()


async def test_an_account_that_a_call_does_not_find_any_more_is_reported_at_once(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon() as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_tcp()), poll=3600)
        daemon.accounts.remove(SECOND)
        daemon.on("send", Failure(-32602, "Specified account does not exist"))
        with pytest.raises(AccountUnknown):
            await engine.call("send", {"account": SECOND})
        await reach(lambda: engine.status.accounts == {FIRST: AccountState.READY, SECOND: AccountState.UNLINKED})
        await engine.stop()


async def test_an_unlinked_device_is_known_as_such_at_start_and_a_half_registration_is_nothing(engines: Engines, config: Path) -> None:
    taken = "+4915100000008"
    write_account(config, SECOND, registered=False, linked=True)
    write_account(config, taken, registered=False, uuid="8e000000-0000-4000-8000-000000000000")  # its number was registered elsewhere
    write_account(config, "+4915100000009", registered=False)
    engine = await engines.ready()
    assert engine.status.accounts == {FIRST: AccountState.READY, SECOND: AccountState.UNLINKED, taken: AccountState.UNLINKED}


async def test_an_account_that_is_being_linked_is_not_one_that_was_unlinked(tmp_path: Path, engines: Engines, config: Path) -> None:
    """Signal-cli writes its file first, and says that it is registered last."""
    new = "+4915100000003"
    async with FakeDaemon() as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_tcp()))
        held = Held({"number": new})
        daemon.on("finishLink", held)
        linking = asyncio.create_task(engine.call("finishLink", {"deviceLinkUri": "sgnl://x"}))
        await daemon.next_call("finishLink")
        write_account(config, new, registered=False, linked=True)
        for _ in range(3):
            daemon.calls.clear()
            await reach(lambda: any(call.method == "listAccounts" for call in daemon.calls))
        assert new not in engine.status.accounts
        write_account(config, new, linked=True)
        daemon.accounts.append(new)
        held.release()
        await linking
        assert engine.status.accounts[new] is AccountState.READY
        await engine.stop()


async def test_a_linked_account_receives_at_once(engines: Engines, config: Path) -> None:
    engine = await engines.ready(poll=3600)
    await engine.call("finishLink", {"deviceLinkUri": "sgnl://x"})
    assert engine.status.accounts["+4915100000003"] is AccountState.READY
    with (config / "mailbox.jsonl").open("a") as mailbox:
        mailbox.write(json.dumps({"envelope": {"timestamp": 1}, "account": "+4915100000003"}) + "\n")
    await reach(lambda: len(engines.frames) == 1)


# -- receiving


async def test_pause_leaves_envelopes_with_signal_and_resume_fetches_them(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon() as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        daemon.notify({"timestamp": 1})
        engine.pause()
        await daemon.wait_unsubscribed()
        daemon.notify({"timestamp": 2})
        daemon.drop_connections()
        await reach(lambda: engine.status.restarts == 1 and engine.status.state is EngineState.READY)
        daemon.notify({"timestamp": 3})
        assert not daemon.is_subscribed()
        engine.resume()
        await reach(lambda: len(engines.frames) == 3)
        assert engines.timestamps == [1, 2, 3]
        await engine.stop()


async def test_after_a_reconnect_it_is_subscribed_again(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon() as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_tcp()))
        held = Held({})
        daemon.on("send", held)
        call = asyncio.create_task(engine.call("send", {"account": FIRST}))
        await daemon.next_call("send")
        daemon.drop_connections()
        daemon.notify({"timestamp": 1})
        with pytest.raises(EngineUnavailable):
            await call
        await reach(lambda: len(engines.frames) == 1)
        await engine.stop()


async def test_a_daemon_that_reports_by_itself_does_not_report_twice(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon(direct=True) as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        daemon.notify({"timestamp": 1})
        await daemon.wait_unsubscribed()
        daemon.notify({"timestamp": 2})
        await engine.call("version", {})
        assert engines.timestamps == [1, 2]
        await engine.stop()


async def test_a_daemon_that_hangs_is_noticed(tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signal_courier.engine.deadlines.DEADLINES", {"listAccounts": 0.05})
    async with FakeDaemon() as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        daemon.on("listAccounts", Silence())
        daemon.on("send", Silence())
        with pytest.raises(EngineTimeout):
            await engine.call("send", {"account": FIRST}, timeout=0.05)
        await reach(lambda: engine.status.state is EngineState.STARTING)
        daemon.on("listAccounts", [{"number": FIRST}])
        await reach(lambda: engine.status.state is EngineState.READY)
        await engine.stop()


async def test_a_hung_daemon_is_ended_where_somebody_starts_it_anew(
    tmp_path: Path, engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal_courier.engine.deadlines.DEADLINES", {"listAccounts": 0.05})
    socket = tmp_path / "s"
    async with daemon_process("--socket", str(socket), python=sys.executable) as (hung, address):
        engine = await engines.ready(exe=None, address=parse_address(address), respawns=True)
        hung.send_signal(signal.SIGSTOP)
        assert await asyncio.wait_for(hung.wait(), 30) == -signal.SIGKILL
    socket.unlink()
    async with FakeDaemon() as daemon:
        await daemon.listen_unix(socket)
        await reach(lambda: engine.status.state is EngineState.READY)
        await engine.stop()


async def test_a_daemon_for_one_account_serves_too(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon({"listAccounts": Failure(-32601, "Method not implemented")}) as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        assert daemon.is_subscribed()
        assert engine.status.accounts == {}
        await engine.stop()


async def test_what_a_version_would_not_survive_is_not_asked_of_it(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon({"version": {"version": "0.14.8"}, "listDevices": []}) as daemon:
        engine = await engines.ready(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")))
        with pytest.raises(Unsupported, match=r"0\.14\.8 would not survive listDevices"):
            await engine.call("listDevices", {"account": "+4915100000001"})
        assert not [call for call in daemon.calls if call.method == "listDevices"]
        await engine.stop()


async def test_an_attached_daemon_that_comes_later_is_found(tmp_path: Path, engines: Engines) -> None:
    engine = await engines.start(exe=None, address=parse_address(f"unix:{tmp_path / 's'}"), grace=0.05)
    with pytest.raises(EngineUnavailable, match="cannot be reached"):
        await engine.call("version", {})
    async with FakeDaemon() as daemon:
        await daemon.listen_unix(tmp_path / "s")
        await reach(lambda: engine.status.state is EngineState.READY)
        await engine.stop()


async def test_something_else_that_answers_there_is_not_taken_for_signal_cli(tmp_path: Path, engines: Engines) -> None:
    async with FakeDaemon({"listAccounts": {"hello": 1}, "version": []}) as daemon:
        engine = await engines.start(exe=None, address=parse_address(await daemon.listen_unix(tmp_path / "s")), grace=0.2)
        with pytest.raises((EngineUnavailable, EngineFault), match="not signal-cli"):
            await engine.call("version", {})
        await engine.stop()


# -- on demand


async def test_on_demand_the_first_call_starts_it_and_idleness_stops_it(engines: Engines, config: Path) -> None:
    engine = await engines.start(on_demand=True, idle_seconds=0.2)
    assert engine.status.state is EngineState.IDLE
    assert not starts(config)
    answers = await asyncio.gather(*(engine.call("version", {}) for _ in range(20)))
    assert len(answers) == 20
    assert len(starts(config)) == 1, "all first calls share one start"
    pid = engine.pid
    assert pid is not None
    await reach(lambda: engine.status.state is EngineState.IDLE)
    assert not is_running(pid)
    await engine.call("version", {})
    assert len(starts(config)) == 2


async def test_on_demand_a_long_call_is_not_cut_off(engines: Engines, config: Path) -> None:
    engine = await engines.start(on_demand=True, idle_seconds=0.1)
    assert bytes(await engine.call("slow", {"seconds": 0.6})) == b'"done"'


async def test_on_demand_calls_at_any_moment_are_answered(engines: Engines) -> None:
    """Also in the moment in which it decides to stop."""
    engine = await engines.start(on_demand=True, idle_seconds=0.03)
    for pause in range(12):
        await engine.call("version", {})
        await asyncio.sleep(0.024 + pause * 0.001)


async def test_on_demand_a_failed_start_is_told_to_all_who_wait_and_tried_by_the_next_call(engines: Engines, config: Path) -> None:
    behave(config, fail="ERROR App - nothing works")
    engine = await engines.start(on_demand=True)
    outcomes = await asyncio.gather(*(engine.call("version", {}) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(outcome, EngineUnavailable) and "nothing works" in outcome.message for outcome in outcomes)
    behave(config)
    assert await engine.call("version", {})


async def test_on_demand_receive_for_wakes_it_and_keeps_it_awake(engines: Engines, config: Path) -> None:
    fill_mailbox(config, 0, 50)
    engine = await engines.start(on_demand=True, idle_seconds=0.01)
    await engine.receive_for(0.5)
    await reach(lambda: len(engines.frames) == 50)
    assert engine.status.state is EngineState.READY
    await reach(lambda: engine.status.state is EngineState.IDLE)
    assert engines.timestamps == list(range(50))
