"""The one path of everything that is sent."""

from collections.abc import Sequence

from signal_courier.messaging.delivery import Delivery, Outcome
from signal_courier.model.messages import Sendable
from signal_courier.model.recipients import Recipient


class Outbox:
    """Sends."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    async def send(self, account: str, recipients: Sequence[Recipient], what: Sendable) -> Outcome:
        """Send to all recipients and wait for what became of it. Raises as `Delivery.send` does."""
        return await self._delivery.send(account, recipients, what)
