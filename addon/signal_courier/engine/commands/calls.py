"""Commands about calls (0.14.2)."""

import msgspec

from signal_courier.engine.answers import Call
from signal_courier.engine.commands.asking import Asking, Strings

_calls = msgspec.json.Decoder(list[Call])
_call = msgspec.json.Decoder(Call)
_subscription = msgspec.json.Decoder(int)


class CallCommands(Asking):
    """Calls that ring, run and end."""

    async def start_call(self, account: str, *, recipient: Strings) -> Call:
        """Call somebody (0.14.2)."""
        return await self._ask("startCall", _call, account=account, recipient=recipient)

    async def accept_call(self, account: str, *, call_id: int) -> Call:
        """Answer the phone (0.14.2)."""
        return await self._ask("acceptCall", _call, account=account, callId=call_id)

    async def reject_call(self, account: str, *, call_id: int) -> None:
        """Do not answer (0.14.2)."""
        await self._do("rejectCall", account=account, callId=call_id)

    async def hangup_call(self, account: str, *, call_id: int) -> None:
        """End the call (0.14.2)."""
        await self._do("hangupCall", account=account, callId=call_id)

    async def list_calls(self, account: str) -> list[Call]:
        """Calls that ring or run (0.14.2)."""
        return await self._ask("listCalls", _calls, account=account)

    async def subscribe_call_events(self, account: str | None = None) -> int:
        """Report calls on this connection (0.14.2); gives the subscription's id."""
        return await self._ask("subscribeCallEvents", _subscription, account=account)

    async def unsubscribe_call_events(self, *, subscription: int) -> None:
        """Report calls no more (0.14.2)."""
        await self._do("unsubscribeCallEvents", subscription=subscription)
