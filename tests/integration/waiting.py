"""Waiting for what has to happen, with a deadline and without a guess."""

import asyncio
from collections.abc import Awaitable, Callable

_POLL = 0.005


async def wait_for[T](condition: Callable[[], T], within: float = 30.0) -> T:
    """The first true value of `condition`; raises `TimeoutError` after `within` seconds."""
    async with asyncio.timeout(within):
        while not (value := condition()):  # noqa: ASYNC110  # a test asks from outside
            await asyncio.sleep(_POLL)
    return value


async def wait_until[T](ask: Callable[[], Awaitable[T]], within: float = 30.0) -> T:
    """The same where one has to await what the condition says."""
    async with asyncio.timeout(within):
        while not (value := await ask()):  # noqa: ASYNC110  # a test asks from outside
            await asyncio.sleep(_POLL)
    return value
