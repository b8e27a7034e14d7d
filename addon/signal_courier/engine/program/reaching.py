"""Reaching signal-cli: a child that is started for it, or a daemon that somebody else runs."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator

from signal_courier.engine.address import UnixAddress, peer_process
from signal_courier.engine.base import EnvelopeSink
from signal_courier.engine.errors import EngineUnavailable
from signal_courier.engine.journal import Journal, kept
from signal_courier.engine.program.options import EngineOptions
from signal_courier.engine.program.process import DaemonProcess
from signal_courier.engine.program.workplace import Workplace
from signal_courier.engine.rpc import RpcConnection, connect

_log = logging.getLogger(__name__)


class Restart(Exception):
    """Better start signal-cli anew at once; the text says why."""


class Reach:
    """One signal-cli after the other. What they report goes to `sink`, and is kept in `journal` until it is stored."""

    def __init__(self, options: EngineOptions, journal: Journal) -> None:
        self._options = options
        self._journal = journal
        self._workplace = Workplace(options.run_dir) if options.address is None else None
        self._process: DaemonProcess | None = None
        self._flags_unknown: frozenset[str] = frozenset()

    @property
    def pid(self) -> int | None:
        """Process id of the child, `None` when there is none."""
        return self._process.pid if self._process is not None else None

    @property
    def may_restart(self) -> bool:
        """Whether ending signal-cli brings another one."""
        return self._process is not None or self._options.respawns

    async def claim(self) -> None:
        """Take the folder in which it will work. Raises `EngineUnavailable` if another service uses the same."""
        if self._workplace is not None:
            await asyncio.to_thread(self._workplace.claim)
        else:
            self._options.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def release(self) -> None:
        """Leave the folder to others."""
        if self._workplace is not None:
            await asyncio.to_thread(self._workplace.release)

    @contextlib.asynccontextmanager
    async def connected(self, sink: EnvelopeSink) -> AsyncIterator[RpcConnection]:
        """A connection to a daemon that is there; ended with it, if it is ours. Raises `Restart`, `EngineUnavailable`, `OSError`."""
        address = self._options.address
        if address is not None:
            rpc = await connect(address, sink, journal=self._journal)
            async with kept(rpc.fileno(), self._journal):
                try:
                    yield rpc
                finally:
                    await _hang_up(rpc)
            return
        assert self._workplace is not None
        exe = self._options.exe
        if exe is None or not os.access(exe, os.X_OK):
            raise EngineUnavailable(f"{exe} is not there; `signal-courier engine install` brings signal-cli")
        process = DaemonProcess(exe, self._options, self._workplace, flags_unknown=self._flags_unknown, brief=self._options.on_demand)
        try:
            await process.start()
            self._process = process
            rpc = await self._first_connection(process, self._workplace, sink)
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

    async def _first_connection(self, process: DaemonProcess, workplace: Workplace, sink: EnvelopeSink) -> RpcConnection:
        """Connect as soon as it listens; raises `EngineUnavailable` when it ends first or takes too long."""
        ended = asyncio.create_task(process.wait())
        try:
            async with asyncio.timeout(self._options.start_timeout):
                while True:
                    if workplace.socket.exists():
                        with contextlib.suppress(EngineUnavailable):
                            return await connect(UnixAddress(workplace.socket), sink, journal=self._journal)
                    done, _ = await asyncio.wait([ended], timeout=0.02)
                    if done:
                        raise await self._ended(process, ended.result())
        except TimeoutError:
            raise EngineUnavailable(f"signal-cli did not start within {self._options.start_timeout:g} s") from None
        finally:
            ended.cancel()

    def watch(self) -> asyncio.Task[None] | None:
        """A task that raises, once the child has ended, why it has; `None` where there is no child."""
        return None if self._process is None else asyncio.create_task(self._watch(self._process))

    async def _watch(self, process: DaemonProcess) -> None:
        raise await self._ended(process, await process.wait())

    async def _ended(self, process: DaemonProcess, code: int) -> Exception:
        why = await process.why(code)
        if unknown := process.unknown_flags() - self._flags_unknown:
            self._flags_unknown |= unknown
            return Restart(f"this signal-cli does not know {', '.join(sorted(unknown))}; starting without")
        return EngineUnavailable(why)

    def end_attached(self, rpc: RpcConnection, kind: signal.Signals) -> None:
        """End the daemon that we are attached to, where somebody starts it anew."""
        if self._options.respawns and (pid := peer_process(rpc.fileno())) is not None:
            _log.warning("Ending signal-cli (process %d), which is started anew then", pid)
            with contextlib.suppress(OSError):
                os.kill(pid, kind)


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
