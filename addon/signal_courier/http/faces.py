"""The faces of the service: which family of routes a request speaks to, and so how what goes wrong is worded."""

import enum
from typing import Final


class Face(enum.Enum):
    """A family of routes."""

    COMPAT = "compat"
    """The drop-in routes: upstream's `{"error": …}`."""
    NATIVE = "native"
    """`/api/v2`: RFC 9457."""
    GATEWAY = "gateway"
    """`/api/v1/credentials`, `tokens`, `devices`, `webhooks`."""


_PREFIXES: Final = (
    ("/api/v2/", Face.NATIVE),
    *((f"/api/v1/{room}", Face.GATEWAY) for room in ("credentials", "tokens", "devices", "webhooks")),
)


def face_of(path: str) -> Face:
    """The face that a path belongs to when no route matches it."""
    return next((face for prefix, face in _PREFIXES if path.startswith(prefix)), Face.COMPAT)
