"""What goes wrong on request."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tests.e2e.lab.server.requests import Answer, Handler, Request


class Fault(msgspec.Struct, kw_only=True):
    """The next `times` requests that match are answered with this instead."""

    path: str
    """Part of the path."""
    verb: str | None = None
    status: int = 500
    value: msgspec.Raw = msgspec.Raw(b"null")
    """JSON to answer; null for no body."""
    headers: Mapping[str, str] = {}
    times: int = 1
    delay_seconds: float = 0
    """How long to wait before the answer."""
    carried_out: bool = False
    """Whether what was asked is done all the same: only the answer goes wrong."""

    def matches(self, request: Request) -> bool:
        """Whether this request is to go wrong."""
        return self.times > 0 and self.path in request.path and self.verb in {None, request.verb}


@dataclass(slots=True)
class Faults:
    """All that is wrong at the moment."""

    waiting: list[Fault] = field(default_factory=list)
    outage: bool = False
    """Nothing answers: connections are closed."""
    delay_seconds: float = 0
    """How long every answer takes."""
    refuses_files: int = 0
    """With which status uploads are refused; 0: they are not."""

    async def strike(self, request: Request, handler: Handler) -> Answer | None:
        """The answer of a fault that matches, None when all is well."""
        if self.delay_seconds:
            await asyncio.sleep(self.delay_seconds)
        fault = next((fault for fault in self.waiting if fault.matches(request)), None)
        if fault is None:
            return None
        fault.times -= 1
        if not fault.times:
            self.waiting.remove(fault)
        if fault.carried_out:
            await handler(request)
        await asyncio.sleep(fault.delay_seconds)
        return Answer(fault.status, None if bytes(fault.value) == b"null" else fault.value, fault.headers)
