"""The drop-in routes, by topic: a file holds the routes whose path begins with its name."""

from collections.abc import Iterable, Sequence

from signal_courier.http.compat import about, attachments, calls, polls, reactions, receipts, remote_delete, send, stories, typing_indicator
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (
    about.routes,
    attachments.routes,
    calls.routes,
    polls.routes,
    reactions.routes,
    receipts.routes,
    remote_delete.routes,
    send.routes,
    stories.routes,
    typing_indicator.routes,
)
"""Every drop-in route."""
