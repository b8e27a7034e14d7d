"""`/api/v1/{credentials,tokens,devices,webhooks}`: the contract of a messaging gateway, for the one platform `signal`."""

from collections.abc import Iterable, Sequence

from signal_courier.http.gateway import credentials, devices, messages, tokens, webhooks
from signal_courier.http.routing import Route

TABLES: Sequence[Iterable[Route]] = (credentials.routes, tokens.routes, devices.routes, messages.routes, webhooks.routes)
"""Every route of the gateway, in the order of the documentation."""
