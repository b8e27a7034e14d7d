"""signal-cli's own HTTP face: `/api/v1/rpc`, `/api/v1/events`, `/api/v1/check`, with access control, ids and replay."""

from collections.abc import Iterable, Sequence

from signal_courier.http.routing import Route
from signal_courier.http.rpc import check, events, rpc

TABLES: Sequence[Iterable[Route]] = (rpc.routes, events.routes, check.routes)
"""Its routes, in the order of the documentation."""
