"""What waits on Signal's server for somebody to fetch it: envelopes in order, on disk, until they are taken."""

import logging
from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

_LOG = logging.getLogger(__name__)


class _Addressed(msgspec.Struct):
    account: str


class Mailbox:
    """Frames (the bytes of one `{"envelope", "account"}` each) that nobody has taken yet, one a line in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: deque[bytes] = deque()
        if path.exists():
            lines = [line for line in path.read_bytes().split(b"\n") if line]
            self._frames.extend(line for line in lines if _account_of(line) is not None)
            if len(self._frames) != len(lines):
                _LOG.warning("A waiting envelope was cut off while it was written; it is dropped")
                self._keep(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes) -> None:
        """Keep one frame behind those that wait already."""
        line = frame.replace(b"\n", b" ")  # between the tokens of JSON, all white space is the same
        self._frames.append(line)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(line + b"\n")

    def hand_over(self, take: Callable[[bytes], None]) -> None:
        """Give everything that waits to `take`, oldest first; only then it waits no longer."""
        for frame in self._frames:
            take(frame)
        self._keep(())

    def take_for(self, account: str, limit: int | None) -> list[bytes]:
        """What waits for one account (a number), at most `limit` frames."""
        taken: list[bytes] = []
        kept: list[bytes] = []
        for frame in self._frames:
            room = limit is None or len(taken) < limit
            (taken if room and _account_of(frame) == account else kept).append(frame)
        self._keep(kept)
        return taken

    def _keep(self, frames: Collection[bytes]) -> None:
        self._frames = deque(frames)
        if frames:
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(b"".join(frame + b"\n" for frame in frames))
            fresh.replace(self._path)
        else:
            self._path.unlink(missing_ok=True)


def _account_of(frame: bytes) -> str | None:
    try:
        return msgspec.json.decode(frame, type=_Addressed).account
    except msgspec.MsgspecError:
        return None
