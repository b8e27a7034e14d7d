"""The drop-in routes, by topic: a file holds the routes whose path begins with its name."""

from collections.abc import Iterable, Sequence

from signal_courier.http.compat import about
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (about.routes,)
"""Every drop-in route."""
