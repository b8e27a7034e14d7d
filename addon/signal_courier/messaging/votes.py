"""How often an account has voted in a poll. Signal takes a changed vote only if it counts higher than the one before."""

from collections import OrderedDict

from signal_courier.model.recipients import Recipient

_MOST = 4096


class Votes:
    """Counts votes by account and poll, the latest few thousand."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str, int], int] = OrderedDict()

    def next(self, account: str, author: Recipient, timestamp: int) -> int:
        """The number of the next vote, from 1."""
        return self._counts.get((account, str(author), timestamp), 0) + 1

    def cast(self, account: str, author: Recipient, timestamp: int, count: int) -> None:
        """Remember that a vote went out."""
        poll = (account, str(author), timestamp)
        self._counts[poll] = max(count, self._counts.get(poll, 0))
        self._counts.move_to_end(poll)
        if len(self._counts) > _MOST:
            self._counts.popitem(last=False)
