"""The recorded backend: answers as `backend.json` says, and remembers every call with the files that it named."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, override

from tests.fakes.daemon import Call, Delayed, Failure, FakeDaemon
from tests.service.golden.recordings import Backend, BackendCall


class RecordedBackend(FakeDaemon):
    """Unlike a real daemon it answers `{}` to whatever was not recorded, subscriptions included."""

    def __init__(self, recorded: Backend) -> None:
        super().__init__()
        self.heard: list[BackendCall] = []
        self.exceptions: Mapping[str, Any] = {}
        """Answers of the case that is being replayed."""
        self._recorded = recorded

    async def wait_heard(self, methods: Iterable[str], *, seconds: float) -> None:
        """Until each of these methods was called as often as it is named here, or the time is over."""
        wanted = Counter(methods)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: wanted <= Counter(call.method for call in self.heard))

    @override
    def _default(self, connection: object, call: Call) -> object:
        self.heard.append(BackendCall(call.method, call.params, _files_named_in(call.params)))
        answer: object
        if call.method in self.exceptions:
            given = self.exceptions[call.method]
            answer = Failure(**given["error"]) if "error" in given else given["result"]
        else:
            answer = self._recorded.results.get(call.method, {})
        return Delayed(self._recorded.answer_delay_ms / 1000, answer)


def _files_named_in(params: Mapping[str, Any]) -> dict[str, str]:
    """Temporary files are gone as soon as the call is answered, so they are read when it arrives."""
    found = {}
    for given in params.values():
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, str) and value.startswith("/"):
                with contextlib.suppress(OSError):
                    found[value] = Path(value).read_bytes().decode("latin-1")
    return found
