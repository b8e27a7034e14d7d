"""The service without the history of what was sent: what it costs less than the service as it is, is what remembering costs.

Access, outbox and audit do all they do; only the rows of messages whose callers waited for them are not written.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import override

from signal_courier import settings
from signal_courier.courier import Courier, serve
from signal_courier.engine.errors import EngineError
from signal_courier.messaging.sending.delivery import Outcome
from signal_courier.messaging.sending.history import History
from signal_courier.model.messages import Sendable
from signal_courier.model.recipients import Recipient


class Forgetful(History):
    """Notes nothing."""

    @override
    def add(self, account: str, recipients: Sequence[Recipient], what: Sendable, end: Outcome | EngineError) -> int | None:
        """Count the message, and let it go."""
        self._pace.note(account, time.monotonic())
        return self._number()


def _forget(courier: Courier) -> None:
    courier.outbox._history.__class__ = Forgetful  # the same object, which forgets


if __name__ == "__main__":
    loaded, _ = settings.load({})
    asyncio.run(serve(loaded, _forget))
