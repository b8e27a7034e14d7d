"""People and groups: find, change, block, accept."""

from collections.abc import Sequence

from .models import Conversation, FoundPerson
from .transport import SHORT_DEADLINE, Transport, read, read_all, segment

_PATH = "/api/v2/conversations"


class Conversations:
    """`/api/v2/conversations`. A conversation is named by UUID, number, username or `group.…`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def all(self, *, search: str = "", kind: str = "", everybody: bool = False) -> list[Conversation]:
        """People and groups by name. `kind`: person, group or self; `everybody`: not only contacts."""
        query = {"search": search, "kind": kind, "all": everybody or None, **self._query()}
        answer = await self._transport.call("GET", _PATH, query=query)
        return read_all(Conversation, answer, "conversations")

    async def get(self, conversation: str) -> Conversation:
        """One of them. Raises `NotFound`."""
        return read(Conversation, await self._transport.call("GET", self._path(conversation), query=self._query()))

    async def avatar(self, conversation: str) -> bytes:
        """The picture. Raises `NotFound` where there is none."""
        async with self._transport.open("GET", self._path(conversation) + "/avatar", query=self._query()) as response:
            return await response.read()

    async def change(
        self,
        conversation: str,
        *,
        name: str | None = None,
        given_name: str | None = None,
        family_name: str | None = None,
        nickname: str | None = None,
        note: str | None = None,
        expires_in: int | None = None,
        blocked: bool | None = None,
    ) -> None:
        """Change what is saved of a person, how long messages last, or block; a group takes the last two only."""
        body = {
            "name": name,
            "given_name": given_name,
            "family_name": family_name,
            "nickname": nickname,
            "note": note,
            "expires_in": expires_in,
            "blocked": blocked,
        }
        await self._transport.call("PATCH", self._path(conversation), body, query=self._query())

    async def remove(self, conversation: str, *, hide: bool = False, forget: bool = False) -> None:
        """Remove a contact. `forget`: keys and sessions too."""
        query = {"hide": hide or None, "forget": forget or None, **self._query()}
        await self._transport.call("DELETE", self._path(conversation), query=query)

    async def answer_request(self, conversation: str, *, accept: bool) -> None:
        """Accept or delete somebody's first message."""
        body = {"answer": "accept" if accept else "delete"}
        await self._transport.call("POST", self._path(conversation) + "/request", body, query=self._query())

    async def mark_read(self, conversation: str, *, upto: int | None = None, receipts: bool = True) -> int:
        """Mark what was received there (up to the message with this timestamp) as read; gives how many messages that were.

        `receipts`: tell the writers.
        """
        body = {"upto": upto, "receipts": receipts}
        answer = await self._transport.call("POST", self._path(conversation) + "/read", body, query=self._query())
        count = answer.get("read")
        return count if isinstance(count, int) else 0

    async def look_up(self, recipients: Sequence[str]) -> list[FoundPerson]:
        """Tell who of these numbers and usernames is on Signal."""
        body = {"recipients": list(recipients), **self._transport.whose()}
        return read_all(FoundPerson, await self._transport.call("POST", "/api/v2/lookups", body, deadline=SHORT_DEADLINE * 2), "people")

    def _path(self, conversation: str) -> str:
        return f"{_PATH}/{segment(conversation)}"

    def _query(self) -> dict[str, str | int | bool | None]:
        return {"account": self._transport.account}
