"""The client: one service, one account, and the topics of its API."""

import aiohttp

from .accounts import Accounts
from .attachments import Attachments
from .conversations import Conversations
from .groups import Groups
from .identities import Identities
from .links import Links
from .messages import Messages
from .models import Caller, Status
from .registrations import Registrations
from .stickers import Stickers
from .stream import Events
from .transport import SHORT_DEADLINE, Transport, read


class SignalCourierClient:
    """Signal Courier at one address.

    Args:
        session: whose connections are used; it stays the caller's.
        url: where the service is, such as `http://127.0.0.1:8080`.
        token: a token of the service; not needed on the same machine.
        account: the number that acts unless a call names another; `None` until one is chosen.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, *, token: str | None = None, account: str | None = None) -> None:
        self._transport = Transport(session, url, token, account)
        self.accounts = Accounts(self._transport)
        self.attachments = Attachments(self._transport)
        self.conversations = Conversations(self._transport)
        self.events = Events(self._transport)
        self.groups = Groups(self._transport)
        self.identities = Identities(self._transport)
        self.links = Links(self._transport)
        self.messages = Messages(self._transport)
        self.registrations = Registrations(self._transport)
        self.stickers = Stickers(self._transport)

    @property
    def account(self) -> str | None:
        """The number that acts."""
        return self._transport.account

    def url(self, path: str) -> str:
        """The whole address of a path that the service told, such as an attachment's."""
        return str(self._transport.url(path))

    async def status(self) -> Status:
        """How the service, signal-cli and the accounts are. Wants the scope `receive`."""
        return read(Status, await self._transport.call("GET", "/api/v2/status", deadline=SHORT_DEADLINE))

    async def caller(self) -> Caller:
        """Who the service thinks we are, and what we may."""
        return read(Caller, await self._transport.call("GET", "/api/v2/tokens/self", deadline=SHORT_DEADLINE))
