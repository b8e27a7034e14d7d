"""What waits on Signal's server for somebody to fetch it: envelopes in order, on disk, until they are taken."""

from collections import deque
from pathlib import Path


class Mailbox:
    """Frames (the bytes of one `{"envelope", "account"}` each) that nobody has taken yet, one a line in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._frames: deque[bytes] = deque()
        if path.exists():
            self._frames.extend(line for line in path.read_bytes().split(b"\n") if line)

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: bytes) -> None:
        """Keep one frame behind those that wait already."""
        self._frames.append(frame)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(frame + b"\n")

    def take(self) -> list[bytes]:
        """Everything that waits, oldest first; it waits no longer."""
        frames = list(self._frames)
        self._keep(())
        return frames

    def take_for(self, account: str, limit: int | None) -> list[bytes]:
        """What waits for one account (a number), at most `limit` frames."""
        end = f'"account":"{account}"}}'.encode()
        taken: list[bytes] = []
        kept: list[bytes] = []
        for frame in self._frames:
            room = limit is None or len(taken) < limit
            (taken if room and frame.endswith(end) else kept).append(frame)
        self._keep(kept)
        return taken

    def _keep(self, frames: "list[bytes] | tuple[()]") -> None:
        self._frames = deque(frames)
        if frames:
            fresh = self._path.with_suffix(".new")
            fresh.write_bytes(b"".join(frame + b"\n" for frame in frames))
            fresh.replace(self._path)
        else:
            self._path.unlink(missing_ok=True)
