"""A client of Signal Courier's native API, `/api/v2`: async, typed, and without a thought of Home Assistant.

    client = SignalCourierClient(session, "http://127.0.0.1:8080", token="…", account="+4915100000001")
    sent = await client.messages.send(["+4915100000011"], text="Somebody is at the door")
    async with client.events.follow("my-program") as stream:
        async for event in stream: …

The session is the caller's. Every call raises a `CourierError`, and nothing else; which one is told by `errors`. The methods stand in
topics: `accounts`, `conversations`, `messages`, `groups`, `links`, `registrations`, `attachments`, `identities`, `stickers`, `events`.
What the service tells beyond what is known here is ignored, what it leaves out has a default: an older or newer service still works.
"""

from .client import SignalCourierClient
from .errors import (
    AccountUnknown,
    CourierError,
    Forbidden,
    InvalidAnswer,
    NotFound,
    Problem,
    RateLimited,
    Unauthorized,
    Unavailable,
    Unlinked,
    Unreachable,
    Unsupported,
    UntrustedIdentity,
)

__all__ = [
    "AccountUnknown",
    "CourierError",
    "Forbidden",
    "InvalidAnswer",
    "NotFound",
    "Problem",
    "RateLimited",
    "SignalCourierClient",
    "Unauthorized",
    "Unavailable",
    "Unlinked",
    "Unreachable",
    "Unsupported",
    "UntrustedIdentity",
]
