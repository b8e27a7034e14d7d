"""The real engine: a signal-cli daemon that is kept running, connected, subscribed and complete.

Either supervised (a child of ours) or attached to (somebody else's). One task, `_supervise`, owns everything that lives; a
session is one life of the connection, and within it one task, `_keep_house`, owns subscription and accounts.
"""

import asyncio
import contextlib
import logging
import random
import signal
from typing import Final, override

import msgspec

from signal_courier.engine import versions
from signal_courier.engine.accounts import accounts_on_disk
from signal_courier.engine.answers import Number, Version
from signal_courier.engine.base import AccountState, Configuration, Engine, EngineState, EngineStatus, EnvelopeSink, Params
from signal_courier.engine.configuration import configuration_on_disk
from signal_courier.engine.deadlines import deadline_of
from signal_courier.engine.errors import AccountUnknown, EngineError, EngineTimeout, EngineUnavailable, Unsupported
from signal_courier.engine.journal import Journal
from signal_courier.engine.program.options import EngineOptions
from signal_courier.engine.program.reaching import Reach, Restart
from signal_courier.engine.readiness import Readiness
from signal_courier.engine.roll import BRINGING, REGISTERING, Roll
from signal_courier.engine.rpc import RpcConnection

_log = logging.getLogger(__name__)

_ARRIVAL_SECONDS: Final = 2.0
"""How long the answer to a call that brings an account may be held back until it is known, and receives."""
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


class SignalCli(Engine):
    """signal-cli behind the engine's interface."""

    def __init__(self, options: EngineOptions) -> None:
        if options.exe is None and options.address is None:
            raise ValueError("either exe or address is needed")
        self._options = options
        self._journal = Journal(options.run_dir / "unstored")
        self._reach = Reach(options, self._journal)
        self._readiness = Readiness()
        self._roll = Roll(options.reload_backoff)
        self._sink: EnvelopeSink = _drop
        self._supervisor: asyncio.Task[None] | None = None
        self._version: str | None = None
        self._restarts = 0
        self._subscription: int | None = None
        self._house_call = asyncio.Event()
        self._house_kept = asyncio.Event()
        self._paused = False
        self._subscribe_anew = False
        self._look_anew = False
        self._busy = 0
        self._last_use = 0.0
        self._awake_until = 0.0

    # -- the interface

    @property
    @override
    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        return EngineStatus(
            state=self._readiness.state,
            version=self._version,
            reason=self._readiness.reason,
            accounts=dict(self._roll.states),
            restarts=self._restarts,
        )

    @override
    async def start(self, sink: EnvelopeSink) -> None:
        """See `Engine.start`. Raises `EngineUnavailable` if another service uses the same folder."""
        self._sink = sink
        self._readiness.expect()
        try:
            await self._reach.claim()
        except BaseException:
            self._readiness.shut("signal-cli cannot be started")
            raise
        await self._recover()
        self._readiness.set(EngineState.IDLE if self._options.on_demand else EngineState.STARTING)
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
        self._readiness.shut("signal-cli has been stopped")
        self._journal.finish()
        await self._reach.release()

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
        rpc = self._readiness.connection or await self._ready()
        if self._version in versions.FATAL.get(method, ()):
            raise Unsupported(f"signal-cli {self._version} would not survive {method}: install another version")
        self._busy += 1
        self._roll.bringing += method in BRINGING
        try:
            if timeout is None:
                timeout = deadline_of(method, params, self._options.call_timeout)
            answer = await rpc.call(method, params, timeout)
        except AccountUnknown:
            if self._roll.states.get(str(params.get("account"))) is AccountState.READY:  # it was removed a moment ago
                self._look_anew = True
                self._house_call.set()
            raise
        finally:
            self._busy -= 1
            self._roll.bringing -= method in BRINGING
            self._last_use = asyncio.get_running_loop().time()
            if method in REGISTERING:
                self._note_registering(method, params)
        if method in BRINGING:  # who is told of a new account may ask for it at once
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
        if self._readiness.connection is None:
            await self._ready()
        self._awake_until = max(self._awake_until, loop.time() + seconds)

    @property
    def pid(self) -> int | None:
        """Process id of the supervised signal-cli, `None` when there is none."""
        return self._reach.pid

    async def _ready(self) -> RpcConnection:
        """The connection, started for if need be; raises `EngineUnavailable` with the reason when that takes too long."""
        return await self._readiness.wait(self._options.start_timeout if self._options.on_demand else self._options.grace)

    # -- life after life

    def _supervisor_ended(self, supervisor: asyncio.Task[None]) -> None:
        """Only a mistake of ours gets here; say so instead of looking alive."""
        if supervisor.cancelled():  # the loop is being closed without `stop`
            return
        error = supervisor.exception()
        _log.critical("The supervisor of signal-cli has ended", exc_info=error)
        self._readiness.set(EngineState.STOPPED, f"internal error: {error!r}")
        self._readiness.send_away("signal-cli is not supervised any more")

    async def _supervise(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            if self._options.on_demand:
                self._readiness.set(EngineState.IDLE, self._readiness.reason)
                await self._readiness.wanted.wait()
            self._readiness.set(EngineState.STARTING, self._readiness.reason)
            begun = loop.time()
            try:
                await self._session()
            except Restart as restart:
                failures = 0
                self._readiness.set(EngineState.STARTING, str(restart) or None)
                continue
            except _Idle:
                failures = 0
                self._readiness.reason = None
                continue
            except (EngineError, OSError, msgspec.MsgspecError) as error:
                failures = 1 if loop.time() - begun > self._options.settled else failures + 1
                reason = error.message if isinstance(error, EngineError) else f"signal-cli cannot be used: {error}"
            self._readiness.set(EngineState.STARTING, reason)
            if self._options.on_demand:
                self._readiness.wanted.clear()
                self._readiness.send_away(reason)
                if loop.time() >= self._awake_until:
                    continue
                self._readiness.wanted.set()
            self._restarts += 1
            await asyncio.sleep(self._pause(failures))

    def _pause(self, failures: int) -> float:
        """Seconds until the next start: longer each time, never the same for all who were hit by the same trouble."""
        first, longest = self._options.backoff
        pause: float = min(longest, first * 2 ** min(failures - 1, 20))
        return pause * random.uniform(0.8, 1.2)  # noqa: S311 - jitter is no secret

    async def _session(self) -> None:
        """From start to end of one connection; always raises: `_Idle`, `Restart`, or what went wrong."""
        async with self._reach.connected(self._sink) as rpc:
            self._version = await self._ask_version(rpc)
            self._subscription = None
            self._roll.begin()
            await self._look_at_accounts(rpc)
            await self._subscribe(rpc)
            self._last_use = asyncio.get_running_loop().time()
            self._readiness.open(rpc)
            self._readiness.set(EngineState.READY)
            tasks = [asyncio.create_task(self._keep_house(rpc)), asyncio.create_task(rpc.wait_lost())]
            ended = self._reach.watch()
            watch = [] if ended is None else [ended]
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
                self._readiness.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._take_leave(rpc)

    async def _take_leave(self, rpc: RpcConnection) -> None:
        """See to it that nothing more is reported: what comes while we hang up would be lost, and so would what it is at when it ends."""
        if rpc.is_open:
            with contextlib.suppress(TimeoutError, EngineError):
                async with asyncio.timeout(_LEAVE):
                    await self._unsubscribe(rpc)

    async def _wait_idle(self) -> None:
        """Raise `_Idle` once nobody has needed it for long enough."""
        loop = asyncio.get_running_loop()
        while True:
            until = max(self._last_use + self._options.idle_seconds, self._awake_until)
            if self._busy:
                until = max(until, loop.time() + self._options.idle_seconds)
            if loop.time() >= until:
                self._readiness.wanted.clear()
                self._readiness.close()  # now: a call that comes in between must not meet a connection that is about to end
                raise _Idle
            await asyncio.sleep(until - loop.time())

    # -- subscription and accounts

    async def _keep_house(self, rpc: RpcConnection) -> None:
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
                    await self._subscribe(rpc)
                    continue
            except TimeoutError:
                next_poll = loop.time() + self._options.poll
            self._look_anew = False
            try:
                changed = await self._look_at_accounts(rpc)
            except EngineTimeout as error:
                deaf += 1
                if deaf >= _DEAF_AFTER:
                    self._reach.end_attached(rpc, signal.SIGKILL)
                    raise EngineUnavailable("signal-cli does not answer any more") from error
                continue
            deaf = 0
            if changed or self._subscribe_anew:
                self._subscribe_anew = False
                await self._unsubscribe(rpc)
            await self._subscribe(rpc)
            if not self._look_anew:
                self._house_kept.set()
            await self._restart_for_missing(rpc)

    def _note_registering(self, method: str, params: Params) -> None:
        self._roll.note_call(method, params)
        self._subscribe_anew = self._look_anew = True
        self._house_kept.clear()
        self._house_call.set()

    async def _subscribe(self, rpc: RpcConnection) -> None:
        """Subscribe or unsubscribe if that is not as it should be. All accounts at once, since it costs one call."""
        wanted = not self._paused and not rpc.reports_by_itself
        if wanted and self._subscription is None:
            self._subscription = _subscription_of(await rpc.call("subscribeReceive", {}))
        elif not wanted:
            await self._unsubscribe(rpc)

    async def _unsubscribe(self, rpc: RpcConnection) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is None or subscription == _NAMELESS:
            return
        try:
            await rpc.call("unsubscribeReceive", {"subscription": subscription})
        except EngineUnavailable:
            raise
        except EngineError as error:
            _log.warning("signal-cli did not end a subscription: %s", error.message)

    async def _look_at_accounts(self, rpc: RpcConnection) -> bool:
        """Bring the account states up to date; whether other accounts are loaded than before."""
        loaded = await self._ask_loaded(rpc)
        if loaded is None:
            return False
        return self._roll.update(loaded, accounts_on_disk(self._options.config_dir))

    async def _load_missing(self, rpc: RpcConnection) -> None:
        """Have a newer daemon load again what it could not load; it does so for any call that names the account."""
        pause = 3 * self._options.poll
        while True:
            missing = self._roll.missing
            for number in missing:
                with contextlib.suppress(EngineError):
                    await rpc.call("getUserStatus", {"account": number})  # asks nobody else
            if missing:
                self._subscribe_anew = self._look_anew = True  # what is loaded so has no receiver yet
                self._house_call.set()
            await asyncio.sleep(pause)

    async def _restart_for_missing(self, rpc: RpcConnection) -> None:
        """Restart an older daemon, if that is up to us, for accounts that failed to load; later each time, never during a call."""
        if self._roll.is_overdue(asyncio.get_running_loop().time()) and self._reach.may_restart and not self._busy:
            self._roll.restarted()
            self._reach.end_attached(rpc, signal.SIGTERM)
            raise Restart("an account could not be loaded; trying again")

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


class _Idle(Exception):
    """Nobody needs it now."""


def _drop(frame: bytes) -> None:
    """Takes envelopes before `start` has named somebody who wants them."""
