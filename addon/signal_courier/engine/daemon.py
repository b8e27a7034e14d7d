"""The real engine: a signal-cli daemon that is kept running, connected, subscribed and complete.

Either supervised (a child of ours) or attached to (somebody else's). One task, `_supervise`, owns everything that lives; a
session is one life of the connection, and within it one task, `_keep_house`, owns subscription and accounts.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, override

import msgspec

from signal_courier.engine import versions
from signal_courier.engine.accounts import AccountOnDisk, accounts_on_disk
from signal_courier.engine.address import Address, UnixAddress, peer_process
from signal_courier.engine.answers import Number, Version
from signal_courier.engine.base import AccountState, Configuration, Engine, EngineState, EngineStatus, EnvelopeSink, Params
from signal_courier.engine.configuration import configuration_on_disk
from signal_courier.engine.deadlines import DEFAULT, deadline_of
from signal_courier.engine.errors import AccountUnknown, EngineError, EngineTimeout, EngineUnavailable, Unsupported
from signal_courier.engine.journal import Journal, kept
from signal_courier.engine.program.process import DaemonProcess, ProcessOptions, Trust
from signal_courier.engine.program.workplace import Workplace
from signal_courier.engine.rpc import RpcConnection, connect

_log = logging.getLogger(__name__)

_REGISTERING: Final = frozenset({"register", "verify", "finishLink", "finishChangeNumber", "unregister", "deleteLocalAccountData"})
"""Calls after which accounts come, go, or lose their receiver."""
_BRINGING: Final = frozenset({"verify", "finishLink", "finishChangeNumber"})
"""Those of them after which an account is there that was not."""
_ARRIVAL_SECONDS: Final = 2.0
"""How long their answers may be held back until it is known, and receives."""
_MOST_WAITING: Final = 1000
_LOADS_LAZILY: Final = "0.14.6"
_LEAVE: Final = 0.5
"""Seconds that signal-cli has to end a subscription before we hang up."""
_DEAF_AFTER: Final = 3
"""Polls in a row without an answer, until signal-cli counts as hung."""

_accounts = msgspec.json.Decoder(list[Number])
_version = msgspec.json.Decoder(Version)
_subscription = msgspec.json.Decoder(int)
_NAMELESS: Final = -1
"""A subscription without a number, as a backend gives that stands in for signal-cli; it ends with its connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """What the engine has to know. Either `exe` (supervise it) or `address` (attach to it). Times in seconds."""

    config_dir: Path
    """signal-cli's data folder; for a daemon on another machine it may not exist here."""
    run_dir: Path
    """A private folder for socket, temporary files and process id; emptied at start and stop."""
    exe: Path | None = None
    address: Address | None = None
    respawns: bool = False
    """Whether what is attached to is started anew by somebody when it ends, so that it may be ended when it hangs. Unix sockets only."""
    on_demand: bool = False
    """Start with the first call, stop when idle (`MODE=normal` and `native`)."""
    idle_seconds: float = 120.0
    trust: Trust | None = None
    ignore_attachments: bool = False
    ignore_stories: bool = False
    ignore_avatars: bool = False
    ignore_stickers: bool = False
    send_read_receipts: bool = False
    java_opts: str = ""
    call_timeout: float = DEFAULT
    """For methods without a deadline of their own."""
    grace: float = 10.0
    """How long a call waits for a daemon that is always on and not ready, before it is refused."""
    start_timeout: float = 90.0
    """How long a start may take (4 s on a PC, 20 s on a small board); also how long a call waits for a start on demand."""
    poll: float = 10.0
    """How often accounts are compared with the disk; signal-cli does not tell when a phone has removed one."""
    backoff: tuple[float, float] = (0.5, 60.0)
    """First and longest pause between starts."""
    settled: float = 10.0
    """A session that lasted this long ends the back-off."""
    reload_backoff: tuple[float, float] = (60.0, 900.0)
    """First and longest time that an account may be missing before the supervised daemon is restarted for its sake."""


class SignalCli(Engine):
    """signal-cli behind the engine's interface."""

    def __init__(self, options: EngineOptions) -> None:
        if options.exe is None and options.address is None:
            raise ValueError("either exe or address is needed")
        self._options = options
        self._workplace = Workplace(options.run_dir) if options.address is None else None
        self._journal = Journal(options.run_dir / "unstored")
        self._sink: EnvelopeSink = _drop
        self._supervisor: asyncio.Task[None] | None = None
        self._state = EngineState.STOPPED
        self._reason: str | None = None
        self._version: str | None = None
        self._restarts = 0
        self._accounts: dict[str, AccountState] = {}
        self._rpc: RpcConnection | None = None
        self._process: DaemonProcess | None = None
        self._flags_unknown: frozenset[str] = frozenset()
        self._gate: asyncio.Future[RpcConnection] | None = None
        self._wanted = asyncio.Event()
        self._house_call = asyncio.Event()
        self._house_kept = asyncio.Event()
        self._paused = False
        self._subscribe_anew = False
        self._look_anew = False
        self._registering: set[str] = set()
        self._bringing = 0
        """Calls in flight by which an account comes; signal-cli writes it before it is one."""
        self._busy = 0
        self._waiting = 0
        self._last_use = 0.0
        self._awake_until = 0.0
        self._reload_pause = options.reload_backoff[0]

    # -- the interface

    @property
    @override
    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        return EngineStatus(
            state=self._state,
            version=self._version,
            reason=self._reason,
            accounts=dict(self._accounts),
            restarts=self._restarts,
        )

    @override
    async def start(self, sink: EnvelopeSink) -> None:
        """See `Engine.start`. Raises `EngineUnavailable` if another service uses the same folder."""
        self._sink = sink
        self._gate = asyncio.get_running_loop().create_future()  # who calls from now on waits
        self._set(EngineState.STARTING)
        if self._workplace is not None:
            try:
                await asyncio.to_thread(self._workplace.claim)
            except BaseException:
                self._shut("signal-cli cannot be started")
                raise
        else:
            self._options.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._recover()
        self._set(EngineState.IDLE if self._options.on_demand else EngineState.STARTING)
        self._supervisor = asyncio.create_task(self._supervise(), name="signal-cli's supervisor")
        self._supervisor.add_done_callback(self._supervisor_ended)

    @override
    async def stop(self) -> None:
        """See `Engine.stop`."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        supervisor.remove_done_callback(self._supervisor_ended)
        supervisor.cancel()
        await asyncio.gather(supervisor, return_exceptions=True)
        self._shut("signal-cli has been stopped")
        self._journal.finish()
        if self._workplace is not None:
            await asyncio.to_thread(self._workplace.release)

    async def _recover(self) -> None:
        """Hand on what a killed run has received and not stored."""
        try:
            lines = await asyncio.to_thread(self._journal.open)
        except OSError as error:
            _log.warning("%s cannot be used, so that a kill may cost messages: %s", self._journal.path, error)
            return
        if count := RpcConnection(self._sink, self._journal).replay(lines):
            _log.info("%d messages were received by an earlier run and not stored yet", count)

    @override
    def stored(self, count: int) -> None:
        """See `Engine.stored`."""
        self._journal.stored(count)

    @override
    async def call(self, method: str, params: Params, *, timeout: float | None = None) -> msgspec.Raw:
        """See `Engine.call`."""
        rpc = self._rpc
        if rpc is None or not rpc.is_open:
            rpc = await self._ready()
        if self._version in versions.FATAL.get(method, ()):
            raise Unsupported(f"signal-cli {self._version} would not survive {method}: install another version")
        self._busy += 1
        self._bringing += method in _BRINGING
        try:
            if timeout is None:
                timeout = deadline_of(method, params, self._options.call_timeout)
            answer = await rpc.call(method, params, timeout)
        except AccountUnknown:
            if self._accounts.get(str(params.get("account"))) is AccountState.READY:  # it was removed a moment ago
                self._look_anew = True
                self._house_call.set()
            raise
        finally:
            self._busy -= 1
            self._bringing -= method in _BRINGING
            self._last_use = asyncio.get_running_loop().time()
            if method in _REGISTERING:
                self._note_registering(method, params)
        if method in _BRINGING:  # who is told of a new account may ask for it at once
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ARRIVAL_SECONDS):
                    await self._house_kept.wait()
        return answer

    async def configuration(self, account: str) -> Configuration:
        """As `Configured.configuration`: read from signal-cli's own database, beside it."""
        return await asyncio.to_thread(configuration_on_disk, self._options.config_dir, account)

    @override
    def pause(self) -> None:
        """See `Engine.pause`."""
        self._paused = True
        self._house_call.set()

    @override
    def resume(self) -> None:
        """See `Engine.resume`."""
        self._paused = False
        self._house_call.set()

    async def receive_for(self, seconds: float) -> None:
        """See to it that envelopes are being received from when this returns until `seconds` later, also on demand.

        Raises `EngineUnavailable` when signal-cli does not come up.
        """
        loop = asyncio.get_running_loop()
        self._awake_until = max(self._awake_until, loop.time() + seconds)
        if self._rpc is None or not self._rpc.is_open:
            await self._ready()
        self._awake_until = max(self._awake_until, loop.time() + seconds)

    @property
    def pid(self) -> int | None:
        """Process id of the supervised signal-cli, `None` when there is none."""
        return self._process.pid if self._process is not None else None

    # -- waiting for it

    async def _ready(self) -> RpcConnection:
        """The connection, started for if need be; raises `EngineUnavailable` with the reason when that takes too long."""
        if self._rpc is not None and not self._rpc.is_open:
            self._close_gate()  # lost a moment ago; the supervisor will notice in the next
        gate = self._gate
        if gate is None:
            raise EngineUnavailable("signal-cli is not running")
        if self._waiting >= _MOST_WAITING:
            raise EngineUnavailable(f"signal-cli is {self._state}; {_MOST_WAITING} calls are waiting for it already")
        self._wanted.set()
        self._waiting += 1
        try:
            await asyncio.wait([gate], timeout=self._options.start_timeout if self._options.on_demand else self._options.grace)
        finally:
            self._waiting -= 1
        if not gate.done():
            raise EngineUnavailable(f"signal-cli is not ready ({self._state}){_because(self._reason)}")
        return gate.result()

    def _open_gate(self, rpc: RpcConnection) -> None:
        self._rpc = rpc
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(rpc)

    def _close_gate(self) -> None:
        self._rpc = None
        if self._gate is not None and self._gate.done():
            self._gate = asyncio.get_running_loop().create_future()

    def _shut(self, reason: str) -> None:
        """Nobody waits any more, and nobody will."""
        self._set(EngineState.STOPPED)
        self._fail_waiting(reason)
        self._gate = None

    def _fail_waiting(self, reason: str) -> None:
        gate = self._gate
        if gate is not None and not gate.done() and self._waiting:
            gate.set_exception(EngineUnavailable(reason))
            gate.exception()  # seen, even if all who waited have gone
            self._gate = asyncio.get_running_loop().create_future()

    def _set(self, state: EngineState, reason: str | None = None) -> None:
        if (state, reason) != (self._state, self._reason):
            _log.log(logging.WARNING if reason else logging.INFO, "signal-cli: %s%s", state, _because(reason))
        self._state, self._reason = state, reason

    def _supervisor_ended(self, supervisor: asyncio.Task[None]) -> None:
        """Only a mistake of ours gets here; say so instead of looking alive."""
        if supervisor.cancelled():  # the loop is being closed without `stop`
            return
        error = supervisor.exception()
        _log.critical("The supervisor of signal-cli has ended", exc_info=error)
        self._set(EngineState.STOPPED, f"internal error: {error!r}")
        self._fail_waiting("signal-cli is not supervised any more")

    # -- life after life

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            if self._options.on_demand:
                self._set(EngineState.IDLE, self._reason)
                await self._wanted.wait()
            self._set(EngineState.STARTING, self._reason)
            begun = loop.time()
            try:
                await self._session()
            except _Restart as restart:
                failures = 0
                self._set(EngineState.STARTING, str(restart) or None)
                continue
            except _Idle:
                failures = 0
                self._reason = None
                continue
            except (EngineError, OSError, msgspec.MsgspecError) as error:
                failures = 1 if loop.time() - begun > self._options.settled else failures + 1
                reason = error.message if isinstance(error, EngineError) else f"signal-cli cannot be used: {error}"
            self._set(EngineState.STARTING, reason)
            if self._options.on_demand:
                self._wanted.clear()
                self._fail_waiting(reason)
                if loop.time() >= self._awake_until:
                    continue
                self._wanted.set()
            self._restarts += 1
            await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        """Seconds until the next start: longer each time, never the same for all who were hit by the same trouble."""
        first, longest = self._options.backoff
        pause: float = min(longest, first * 2 ** min(failures - 1, 20))
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret

    async def _session(self) -> None:
        """From start to end of one connection; always raises: `_Idle`, `_Restart`, or what went wrong."""
        async with self._daemon() as rpc:
            self._version = await self._ask_version(rpc)
            house = _House()
            await self._look_at_accounts(rpc, house)
            await self._subscribe(rpc, house)
            self._last_use = asyncio.get_running_loop().time()
            self._open_gate(rpc)
            self._set(EngineState.READY)
            tasks = [asyncio.create_task(self._keep_house(rpc, house)), asyncio.create_task(rpc.wait_lost())]
            watch: list[asyncio.Task[None]] = []
            if self._process is not None:
                watch.append(asyncio.create_task(self._watch(self._process)))
                tasks += watch
            if self._version is not None and not versions.is_older(self._version, _LOADS_LAZILY):
                tasks.append(asyncio.create_task(self._load_missing(rpc)))
            if self._options.on_demand:
                tasks.append(asyncio.create_task(self._wait_idle()))
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                # The process and its connection end at the same time; the process knows better why.
                if watch and not rpc.is_open:
                    await asyncio.wait(watch, timeout=1)
                for task in (*(task for task in watch if task.done()), *done):
                    await task
                raise EngineUnavailable("The connection to signal-cli dropped")
            finally:
                self._close_gate()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._take_leave(rpc, house)

    async def _take_leave(self, rpc: RpcConnection, house: "_House") -> None:
        """See to it that nothing more is reported: what comes while we hang up would be lost, and so would what it is at when it ends."""
        if rpc.is_open:
            with contextlib.suppress(TimeoutError, EngineError):
                async with asyncio.timeout(_LEAVE):
                    await self._unsubscribe(rpc, house)

    @contextlib.asynccontextmanager
    async def _daemon(self) -> AsyncIterator[RpcConnection]:
        """A connection to a daemon that is there; ended with it, if it is ours."""
        address = self._options.address
        if address is not None:
            rpc = await connect(address, self._sink, journal=self._journal)
            async with kept(rpc.fileno(), self._journal):
                try:
                    yield rpc
                finally:
                    await _hang_up(rpc)
            return
        assert self._workplace is not None
        if not os.access(self._options.exe or "", os.X_OK):
            raise EngineUnavailable(f"{self._options.exe} is not there; `signal-courier engine install` brings signal-cli")
        process = DaemonProcess(self._process_options(), self._workplace, self._flags_unknown)
        try:
            await process.start()
            self._process = process
            rpc = await self._reach(process, self._workplace)
            async with kept(rpc.fileno(), self._journal):
                try:
                    yield rpc
                finally:
                    # First the process, so that what it still has to say is read to the end.
                    await process.stop()
                    await _hang_up(rpc)
        finally:
            self._process = None
            await process.stop()

    async def _reach(self, process: DaemonProcess, workplace: Workplace) -> RpcConnection:
        """Connect as soon as it listens; raises `EngineUnavailable` when it ends first or takes too long."""
        ended = asyncio.create_task(process.wait())
        try:
            async with asyncio.timeout(self._options.start_timeout):
                while True:
                    if workplace.socket.exists():
                        with contextlib.suppress(EngineUnavailable):
                            return await connect(UnixAddress(workplace.socket), self._sink, journal=self._journal)
                    done, _ = await asyncio.wait([ended], timeout=0.02)
                    if done:
                        raise await self._ended(process, ended.result())
        except TimeoutError:
            raise EngineUnavailable(f"signal-cli did not start within {self._options.start_timeout:g} s") from None
        finally:
            ended.cancel()

    async def _ended(self, process: DaemonProcess, code: int) -> Exception:
        why = await process.why(code)
        if unknown := process.unknown_flags() - self._flags_unknown:
            self._flags_unknown |= unknown
            return _Restart(f"this signal-cli does not know {', '.join(sorted(unknown))}; starting without")
        return EngineUnavailable(why)

    async def _watch(self, process: DaemonProcess) -> None:
        raise await self._ended(process, await process.wait())

    async def _wait_idle(self) -> None:
        """Raise `_Idle` once nobody has needed it for long enough."""
        loop = asyncio.get_running_loop()
        while True:
            until = max(self._last_use + self._options.idle_seconds, self._awake_until)
            if self._busy:
                until = max(until, loop.time() + self._options.idle_seconds)
            if loop.time() >= until:
                self._wanted.clear()
                self._close_gate()  # now: a call that comes in between must not meet a connection that is about to end
                raise _Idle
            await asyncio.sleep(until - loop.time())

    def _process_options(self) -> ProcessOptions:
        options = self._options
        assert options.exe is not None
        return ProcessOptions(
            exe=options.exe,
            config_dir=options.config_dir,
            trust=options.trust,
            ignore_attachments=options.ignore_attachments,
            ignore_stories=options.ignore_stories,
            ignore_avatars=options.ignore_avatars,
            ignore_stickers=options.ignore_stickers,
            send_read_receipts=options.send_read_receipts,
            java_opts=options.java_opts,
            brief=options.on_demand,
        )

    # -- subscription and accounts

    async def _keep_house(self, rpc: RpcConnection, house: "_House") -> None:
        """Compare accounts now and then, subscribe and unsubscribe as wanted; raises what ends the session."""
        deaf = 0
        loop = asyncio.get_running_loop()
        next_poll = loop.time() + self._options.poll
        while True:
            try:
                async with asyncio.timeout_at(next_poll):
                    await self._house_call.wait()
                self._house_call.clear()
                if not self._look_anew:
                    await self._subscribe(rpc, house)
                    continue
            except TimeoutError:
                next_poll = loop.time() + self._options.poll
            self._look_anew = False
            try:
                changed = await self._look_at_accounts(rpc, house)
            except EngineTimeout as error:
                deaf += 1
                if deaf >= _DEAF_AFTER:
                    self._end_attached(rpc, signal.SIGKILL)
                    raise EngineUnavailable("signal-cli does not answer any more") from error
                continue
            deaf = 0
            if changed or self._subscribe_anew:
                self._subscribe_anew = False
                await self._unsubscribe(rpc, house)
            await self._subscribe(rpc, house)
            if not self._look_anew:
                self._house_kept.set()
            await self._restart_for_missing(rpc, house)

    def _note_registering(self, method: str, params: Params) -> None:
        account = params.get("account")
        if isinstance(account, str):
            if method == "register":
                self._registering.add(account)
            elif method in {"verify", "deleteLocalAccountData"}:
                self._registering.discard(account)
            if method in {"unregister", "deleteLocalAccountData"}:
                self._accounts.pop(account, None)
        self._subscribe_anew = self._look_anew = True
        self._house_kept.clear()
        self._house_call.set()

    async def _subscribe(self, rpc: RpcConnection, house: "_House") -> None:
        """Subscribe or unsubscribe if that is not as it should be. All accounts at once, since it costs one call."""
        wanted = not self._paused and not rpc.reports_by_itself
        if wanted and house.subscription is None:
            house.subscription = _subscription_of(await rpc.call("subscribeReceive", {}))
        elif not wanted:
            await self._unsubscribe(rpc, house)

    async def _unsubscribe(self, rpc: RpcConnection, house: "_House") -> None:
        subscription, house.subscription = house.subscription, None
        if subscription is None or subscription == _NAMELESS:
            return
        try:
            await rpc.call("unsubscribeReceive", {"subscription": subscription})
        except EngineUnavailable:
            raise
        except EngineError as error:
            _log.warning("signal-cli did not end a subscription: %s", error.message)

    async def _look_at_accounts(self, rpc: RpcConnection, house: "_House") -> bool:
        """Bring the account states up to date; whether other accounts are loaded than before."""
        loaded = await self._ask_loaded(rpc)
        if loaded is None:
            return False
        disk = accounts_on_disk(self._options.config_dir)
        states = dict.fromkeys(sorted(loaded), AccountState.READY)
        if disk is not None:
            for number, facts in disk.items():
                if number not in loaded and (state := self._state_of_absent(number, facts, house)) is not None:
                    states[number] = state
        else:
            gone = house.loaded | {number for number, state in self._accounts.items() if state is AccountState.UNLINKED}
            states |= dict.fromkeys(gone - loaded, AccountState.UNLINKED)
        for number, state in states.items():
            if self._accounts.get(number) is not state and state is not AccountState.READY:
                _log.warning("Account …%s is %s", number[-2:], state)
        self._accounts = states
        changed = loaded != house.loaded
        house.loaded = loaded
        return changed

    async def _load_missing(self, rpc: RpcConnection) -> None:
        """Have a newer daemon load again what it could not load; it does so for any call that names the account."""
        pause = 3 * self._options.poll
        while True:
            missing = [number for number, state in self._accounts.items() if state is AccountState.LOADING]
            for number in missing:
                with contextlib.suppress(EngineError):
                    await rpc.call("getUserStatus", {"account": number})  # asks nobody else
            if missing:
                self._subscribe_anew = self._look_anew = True  # what is loaded so has no receiver yet
                self._house_call.set()
            await asyncio.sleep(pause)

    def _state_of_absent(self, number: str, facts: AccountOnDisk, house: "_House") -> AccountState | None:
        """What to call an account that is on disk and not loaded; `None` for a registration that was never finished."""
        if number in self._registering:
            return None
        if not facts.registered:
            if self._bringing and number not in self._accounts:
                return None
            known = facts.linked or facts.uuid is not None or number in house.loaded or number in self._accounts
            return AccountState.UNLINKED if known else None
        if number in house.loaded or self._accounts.get(number) is AccountState.UNLINKED:
            return AccountState.UNLINKED
        return AccountState.LOADING

    async def _restart_for_missing(self, rpc: RpcConnection, house: "_House") -> None:
        """Restart an older daemon, if that is up to us, for accounts that failed to load; later each time, never during a call."""
        now = asyncio.get_running_loop().time()
        if AccountState.LOADING not in self._accounts.values():
            house.missing_since = None
            self._reload_pause = self._options.reload_backoff[0]
            return
        if house.missing_since is None:
            house.missing_since = now
        pause = self._reload_pause if house.loaded else self._options.reload_backoff[0]  # nobody is disturbed where nobody is loaded
        may = self._process is not None or self._options.respawns
        if may and not self._busy and now - house.missing_since >= pause:
            self._reload_pause = min(self._options.reload_backoff[1], self._reload_pause * 2)
            self._end_attached(rpc, signal.SIGTERM)
            raise _Restart("an account could not be loaded; trying again")

    def _end_attached(self, rpc: RpcConnection, kind: signal.Signals) -> None:
        """End the daemon that we are attached to, where somebody starts it anew."""
        if self._options.respawns and (pid := peer_process(rpc.fileno())) is not None:
            _log.warning("Ending signal-cli (process %d), which is started anew then", pid)
            with contextlib.suppress(OSError):
                os.kill(pid, kind)

    @staticmethod
    async def _ask_version(rpc: RpcConnection) -> str | None:
        try:
            return _version.decode(await rpc.call("version", {})).version or None
        except (Unsupported, msgspec.MsgspecError):
            return None

    @staticmethod
    async def _ask_loaded(rpc: RpcConnection) -> frozenset[str] | None:
        """Numbers of the loaded accounts; `None` where the daemon does not tell (it was started for one account)."""
        try:
            accounts = _accounts.decode(await rpc.call("listAccounts", {}))
        except Unsupported:
            return None
        except msgspec.MsgspecError as error:
            raise EngineUnavailable(f"What answers there is not signal-cli: {error}") from error
        return frozenset(account.number for account in accounts if account.number)


def _subscription_of(answer: msgspec.Raw) -> int:
    try:
        return _subscription.decode(answer)
    except msgspec.ValidationError:
        return _NAMELESS


class _House:
    """What is true of the current connection only."""

    def __init__(self) -> None:
        self.subscription: int | None = None
        self.loaded: frozenset[str] = frozenset()
        self.missing_since: float | None = None


class _Idle(Exception):
    """Nobody needs it now."""


class _Restart(Exception):
    """Better start it anew; the text says why."""


async def _hang_up(rpc: RpcConnection) -> None:
    """Close, and wait until everything that was written to us has been taken in."""
    if rpc.is_open:
        rpc.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await rpc.wait_lost()
    if rpc.is_open:
        rpc.abort()
        await rpc.wait_lost()


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""


def _drop(frame: bytes) -> None:
    """Takes envelopes before `start` has named somebody who wants them."""
