"""Commands about polls (0.13.22)."""

from collections.abc import Sequence

import msgspec

from signal_courier.engine.answers import SendAnswer
from signal_courier.engine.commands.asking import Asking, Strings, to

_send = msgspec.json.Decoder(SendAnswer)


class PollCommands(Asking):
    """Asking, voting, ending."""

    async def send_poll_create(
        self,
        account: str,
        *,
        question: str,
        option: Strings,
        no_multi: bool = False,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
    ) -> SendAnswer:
        """Ask a question with a choice of answers (0.13.22); `no_multi` allows one answer only."""
        return await self._ask(
            "sendPollCreate",
            _send,
            account=account,
            **to(recipient, group_id, username, note_to_self, notify_self),
            question=question,
            option=option,
            noMulti=no_multi or None,
        )

    async def send_poll_vote(
        self,
        account: str,
        *,
        poll_author: str,
        poll_timestamp: int,
        option: Sequence[int],
        vote_count: int,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
    ) -> SendAnswer:
        """Vote (0.13.22): `option` counts from 0, none takes the vote back; `vote_count` is 1 for the first vote and grows."""
        return await self._ask(
            "sendPollVote",
            _send,
            account=account,
            **to(recipient, group_id, username, note_to_self, notify_self),
            pollAuthor=poll_author,
            pollTimestamp=poll_timestamp,
            option=option,
            voteCount=vote_count,
        )

    async def send_poll_terminate(
        self,
        account: str,
        *,
        poll_timestamp: int,
        recipient: Strings = (),
        group_id: Strings = (),
        username: Strings = (),
        note_to_self: bool = False,
        notify_self: bool = False,
    ) -> SendAnswer:
        """End an own poll (0.13.22)."""
        return await self._ask(
            "sendPollTerminate",
            _send,
            account=account,
            **to(recipient, group_id, username, note_to_self, notify_self),
            pollTimestamp=poll_timestamp,
        )
