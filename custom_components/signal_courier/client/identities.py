"""Safety numbers, and whom to trust."""

from .models import Identity
from .transport import Transport, read_all, segment

_PATH = "/api/v2/identities"


class Identities:
    """`/api/v2/identities`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def of(self, recipient: str | None = None) -> list[Identity]:
        """The safety numbers that the account knows, or those of one person."""
        query = {"recipient": recipient, "account": self._transport.account}
        return read_all(Identity, await self._transport.call("GET", _PATH, query=query), "identities")

    async def trust(self, recipient: str, *, safety_number: str | None = None) -> None:
        """Trust a person: with the number that both have compared, else all that is known of them. What waited goes out."""
        body = {"safety_number": safety_number} if safety_number else {"all_keys": True}
        await self._transport.call("PUT", f"{_PATH}/{segment(recipient)}/trust", body, query={"account": self._transport.account})
