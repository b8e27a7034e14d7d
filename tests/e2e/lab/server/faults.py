"""What goes wrong on request."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from tests.e2e.lab.server.requests import Answer, Request


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

    def matches(self, request: Request) -> bool:
        """Whether this request is to go wrong."""
        return self.times > 0 and self.path in request.path and self.verb in {None, request.verb}


@dataclass(slots=True)
class Faults:
    """All that is wrong at the moment."""

    waiting: list[Fault] = field(default_factory=list)
    outage: bool = False
    """Nothing answers: connections are closed."""

    async def strike(self, request: Request) -> Answer | None:
        """The answer of a fault that matches, None when all is well."""
        fault = next((fault for fault in self.waiting if fault.matches(request)), None)
        if fault is None:
            return None
        fault.times -= 1
        if not fault.times:
            self.waiting.remove(fault)
        await asyncio.sleep(fault.delay_seconds)
        return Answer(fault.status, None if bytes(fault.value) == b"null" else fault.value, fault.headers)
