"""Commands by which signal-cli reports what comes in."""

import msgspec

from signal_courier.engine.commands.asking import Asking

_frames = msgspec.json.Decoder(list[msgspec.Raw])
_subscription = msgspec.json.Decoder(int)


class ReceivingCommands(Asking):
    """Having envelopes reported, or fetching them."""

    async def receive(self, account: str, *, timeout: float | None = None, max_messages: int | None = None) -> list[msgspec.Raw]:
        """Fetch envelopes once, as JSON bytes of `{"envelope", "account"}`; refused while there is a subscription.

        `timeout` in seconds. Unreliable before 0.13.22: subscribe instead.
        """
        return await self._ask("receive", _frames, account=account, timeout=timeout, maxMessages=max_messages)

    async def subscribe_receive(self, account: str | None = None) -> int:
        """Report envelopes of the account (`None`: of all that are loaded now) on this connection; gives the subscription's id."""
        return await self._ask("subscribeReceive", _subscription, account=account)

    async def unsubscribe_receive(self, *, subscription: int) -> None:
        """Report no more."""
        await self._do("unsubscribeReceive", subscription=subscription)
