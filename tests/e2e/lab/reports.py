"""What has been received and not been asked for yet."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

type Json = Mapping[str, Any]

_KEPT = 50_000


class Reports:
    """Reports `{envelope, account}` in their order; whoever waits for one takes it out."""

    def __init__(self) -> None:
        self._kept: deque[Json] = deque(maxlen=_KEPT)
        self._news = asyncio.Event()
        self._ended = asyncio.Event()

    def add(self, report: Json) -> None:
        """Keeps a report."""
        self._kept.append(report)
        self._news.set()

    async def take(self, wanted: Callable[[Json], bool], *, within: float = 60) -> Json:
        """The first report that is wanted, among those kept and those to come (within so many seconds).

        Raises:
            TimeoutError: none came; the text names what came instead.
        """
        try:
            async with asyncio.timeout(within):
                while True:
                    for report in self._kept:
                        if wanted(report):
                            self._kept.remove(report)
                            return report
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            last = [_kind(report) for report in list(self._kept)[-10:]]
            raise TimeoutError(f"not received within {within} s; there were: {last}") from None

    def close(self) -> None:
        """Nothing more will come."""
        self._ended.set()

    async def ended(self) -> None:
        """Waits until nothing more will come."""
        async with asyncio.timeout(60):
            await self._ended.wait()

    def take_all(self) -> list[Json]:
        """All reports there are."""
        taken = list(self._kept)
        self._kept.clear()
        return taken

    def forget(self) -> None:
        """Drops what nobody has asked for."""
        self._kept.clear()


def _kind(report: Json) -> list[str]:
    return [key for key in report.get("envelope", {}) if key.endswith("Message")] or list(report)
