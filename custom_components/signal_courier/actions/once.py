"""That what a script tries again does not send twice.

A script that repeats an action because it seemed to have failed (the service was restarted, the answer was lost) acts in the same context
with the same data. It then gets the same key, and the same uploads, until the action is known to have ended well; the service sends what
has the same key once. The next call with the same data is a message of its own.
"""

import hashlib
import json
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from homeassistant.core import Context, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN

_MOST: Final = 256
"""Attempts that are remembered."""
_ATTEMPTS: HassKey[OrderedDict[str, Attempt]] = HassKey(f"{DOMAIN}_attempts")


@dataclass(slots=True)
class Attempt:
    """A message that is being sent, perhaps for the second time."""

    place: str
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    """For `Idempotency-Key`."""
    options: dict[str, Any] | None = None
    """What was made of the data, with the uploads, once that is done."""


@callback
def async_attempt(hass: HomeAssistant, context: Context, data: Mapping[str, Any]) -> Attempt:
    """The attempt that this call belongs to: the one that did not end well, or a new one."""
    attempts = hass.data.setdefault(_ATTEMPTS, OrderedDict())
    plain = json.dumps(data, default=str, sort_keys=True)
    place = hashlib.sha256(f"{context.id}\n{plain}".encode()).hexdigest()
    attempt = attempts.setdefault(place, Attempt(place))
    attempts.move_to_end(place)
    while len(attempts) > _MOST:
        attempts.popitem(last=False)
    return attempt


@callback
def async_ended(hass: HomeAssistant, attempt: Attempt) -> None:
    """It is known what became of the message: the next call with this data sends anew."""
    hass.data.get(_ATTEMPTS, OrderedDict()).pop(attempt.place, None)
