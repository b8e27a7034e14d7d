"""Whether signal-cli is ready, and those who wait for it."""

import asyncio
import logging
from typing import Final

from signal_courier.engine.base import EngineState
from signal_courier.engine.errors import EngineUnavailable
from signal_courier.engine.rpc import RpcConnection

_log = logging.getLogger(__name__)

_MOST_WAITING: Final = 1000


class Readiness:
    """A state and a gate: calls go through while there is a connection, else they wait, or are told why they need not."""

    def __init__(self) -> None:
        self.state = EngineState.STOPPED
        self.reason: str | None = None
        self.wanted = asyncio.Event()
        """Set when somebody waits."""
        self._rpc: RpcConnection | None = None
        self._gate: asyncio.Future[RpcConnection] | None = None
        self._waiting = 0

    @property
    def connection(self) -> RpcConnection | None:
        """The connection, while there is one that is open."""
        return self._rpc if self._rpc is not None and self._rpc.is_open else None

    def set(self, state: EngineState, reason: str | None = None) -> None:
        """How it is now; what is new is logged."""
        if (state, reason) != (self.state, self.reason):
            _log.log(logging.WARNING if reason else logging.INFO, "signal-cli: %s%s", state, _because(reason))
        self.state, self.reason = state, reason

    def expect(self) -> None:
        """Who calls from now on waits."""
        self._gate = asyncio.get_running_loop().create_future()
        self.set(EngineState.STARTING)

    def open(self, rpc: RpcConnection) -> None:
        """Let through those who wait, and those who come."""
        self._rpc = rpc
        if self._gate is not None and not self._gate.done():
            self._gate.set_result(rpc)

    def close(self) -> None:
        """Who comes now waits for the next connection."""
        self._rpc = None
        if self._gate is not None and self._gate.done():
            self._gate = asyncio.get_running_loop().create_future()

    def shut(self, reason: str) -> None:
        """Nobody waits any more, and nobody will."""
        self.set(EngineState.STOPPED)
        self.send_away(reason)
        self._gate = None

    def send_away(self, reason: str) -> None:
        """Those who wait are told that it is in vain."""
        gate = self._gate
        if gate is not None and not gate.done() and self._waiting:
            gate.set_exception(EngineUnavailable(reason))
            gate.exception()  # seen, even if all who waited have gone
            self._gate = asyncio.get_running_loop().create_future()

    async def wait(self, seconds: float) -> RpcConnection:
        """The connection as soon as there is one; raises `EngineUnavailable` with the reason when that takes too long."""
        if self._rpc is not None and not self._rpc.is_open:
            self.close()  # lost a moment ago; the supervisor will notice in the next
        gate = self._gate
        if gate is None:
            raise EngineUnavailable("signal-cli is not running")
        if self._waiting >= _MOST_WAITING:
            raise EngineUnavailable(f"signal-cli is {self.state}; {_MOST_WAITING} calls are waiting for it already")
        self.wanted.set()
        self._waiting += 1
        try:
            await asyncio.wait([gate], timeout=seconds)
        finally:
            self._waiting -= 1
        if not gate.done():
            raise EngineUnavailable(f"signal-cli is not ready ({self.state}){_because(self.reason)}")
        return gate.result()


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
