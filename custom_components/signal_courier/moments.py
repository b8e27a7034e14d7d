"""Times as the service tells them, milliseconds since 1970, as moments.

Phones say themselves when something happened, and a strange one may say anything: what no calendar knows becomes the nearest that one does.
"""

from datetime import UTC, datetime
from typing import Final

_LAST: Final = int(datetime(9998, 12, 31, tzinfo=UTC).timestamp()) * 1000
"""A year before the last one, so that it exists in every time zone."""


def moment(milliseconds: int) -> datetime:
    """When it was, in UTC."""
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST) / 1000, UTC)
