"""`/api/v2`, by topic: what the integration and the web page speak."""

from collections.abc import Iterable, Sequence

from signal_courier.http.native import (
    account_devices,
    account_settings,
    accounts,
    attachments,
    audit,
    backups,
    consumers,
    conversations,
    events,
    groups,
    history,
    identities,
    links,
    messages,
    metrics,
    polls,
    problem_list,
    reactions,
    registrations,
    status,
    stickers,
    tokens,
    webhooks,
)
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (
    status.routes,
    problem_list.routes,
    metrics.routes,
    links.routes,
    registrations.routes,
    accounts.routes,
    account_settings.routes,
    account_devices.routes,
    conversations.routes,
    messages.routes,
    history.routes,
    reactions.routes,
    events.routes,
    consumers.routes,
    polls.routes,
    attachments.routes,
    groups.routes,
    identities.routes,
    stickers.routes,
    webhooks.routes,
    tokens.routes,
    audit.routes,
    backups.routes,
)
"""Every native route, in the order of the documentation."""
