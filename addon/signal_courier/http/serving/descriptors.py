"""File descriptors: for how many connections they are enough, and what is logged where they are not."""

import asyncio
import logging
import resource
import time
from collections.abc import Callable, Mapping
from typing import Final

_LOGGER = logging.getLogger(__name__)

OURS: Final = 40
"""Descriptors that the service needs for itself: database, signal-cli, listeners, a few files."""
_AT_ONCE: Final = 256
"""Descriptors beside connections that are asked for: files that are sent and received."""
_FEWEST: Final = 10
_PAUSE: Final = 60.0
"""Seconds between two lines about the same trouble."""
_ACCEPT: Final = "socket.accept() out of system resource"
"""How asyncio begins to tell, a thousand times a second, that there are no descriptors."""


def connections_possible(wanted: int) -> int:
    """As many connections as wanted, or as the system allows; the limit of this process is raised as far as that takes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OURS + _AT_ONCE
    if soft != resource.RLIM_INFINITY and soft < needed:
        raised = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        except (OSError, ValueError) as error:
            _LOGGER.debug("The limit of open files stays at %d: %s", soft, error)
        else:
            soft = raised
    possible = wanted if soft == resource.RLIM_INFINITY else max(_FEWEST, min(wanted, soft - OURS))
    if possible < wanted:
        _LOGGER.warning("This process may open %d files: %d connections are kept at once, not %d", soft, possible, wanted)
    return possible


def quieted(clock: Callable[[], float] = time.monotonic) -> Callable[[asyncio.AbstractEventLoop, dict[str, object]], None]:
    """A handler for what the event loop has to tell, which says once a minute that no connection can be taken."""
    silent_until = 0.0

    def handle(loop: asyncio.AbstractEventLoop, context: Mapping[str, object]) -> None:
        nonlocal silent_until
        if context.get("message") != _ACCEPT:
            loop.default_exception_handler(dict(context))
        elif clock() >= silent_until:
            silent_until = clock() + _PAUSE
            _LOGGER.error("No more connections can be taken for now: %s", context.get("exception"))

    return handle
