"""The drop-in routes, by topic: a file holds the routes whose path begins with its name."""

from collections.abc import Iterable, Sequence

from signal_courier.http.compat import (
    about,
    accounts,
    attachments,
    calls,
    configuration,
    contacts,
    devices,
    groups,
    identities,
    polls,
    profiles,
    qrcodelink,
    reactions,
    receipts,
    receive,
    register,
    remote_delete,
    search,
    send,
    sticker_packs,
    stories,
    typing_indicator,
)
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (
    about.routes,
    configuration.routes,
    register.routes,
    qrcodelink.routes,
    devices.routes,
    accounts.routes,
    profiles.routes,
    send.routes,
    typing_indicator.routes,
    reactions.routes,
    receipts.routes,
    receive.routes,
    remote_delete.routes,
    polls.routes,
    stories.routes,
    calls.routes,
    attachments.routes,
    *groups.TABLES,
    contacts.routes,
    identities.routes,
    search.routes,
    sticker_packs.routes,
)
"""Every drop-in route, in the order of the documentation."""
