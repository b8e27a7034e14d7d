"""`/api/v2`, by topic: what the integration and the web page speak."""

from collections.abc import Iterable, Sequence

from signal_courier.http.native import audit, consumers, events, problem_list, tokens
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (
    problem_list.routes,
    events.routes,
    consumers.routes,
    tokens.routes,
    audit.routes,
)
"""Every native route, in the order of the documentation."""
