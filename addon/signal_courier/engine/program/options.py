"""What signal-cli is told, and what those are told who run it or talk to it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from signal_courier.engine.address import Address
from signal_courier.engine.deadlines import DEFAULT

type Trust = Literal["on-first-use", "always", "never"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """What signal-cli is told when it starts."""

    config_dir: Path
    """Where signal-cli keeps accounts and attachments; for a daemon on another machine it may not exist here."""
    trust: Trust | None = None
    """Whom to trust when a safety number is new; `None`: signal-cli's own default, on-first-use."""
    ignore_attachments: bool = False
    ignore_stories: bool = False
    ignore_avatars: bool = False
    ignore_stickers: bool = False
    send_read_receipts: bool = False
    java_opts: str = ""
    """The user's own; ours step back where they say the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions(ProcessOptions):
    """What the engine has to know. Either `exe` (supervise it) or `address` (attach to it). Times in seconds."""

    run_dir: Path
    """A private folder for socket, temporary files and process id; emptied at start and stop."""
    exe: Path | None = None
    address: Address | None = None
    respawns: bool = False
    """Whether what is attached to is started anew by somebody when it ends, so that it may be ended when it hangs. Unix sockets only."""
    on_demand: bool = False
    """Start with the first call, stop when idle (`MODE=normal` and `native`)."""
    idle_seconds: float = 120.0
    call_timeout: float = DEFAULT
    """For methods without a deadline of their own."""
    grace: float = 10.0
    """How long a call waits for a daemon that is always on and not ready, before it is refused."""
    start_timeout: float = 90.0
    """How long a start may take (4 s on a PC, 20 s on a small board); also how long a call waits for a start on demand."""
    poll: float = 10.0
    """How often accounts are compared with the disk; signal-cli does not tell when a phone has removed one."""
    backoff: tuple[float, float] = (0.5, 60.0)
    """First and longest pause between starts."""
    settled: float = 10.0
    """A session that lasted this long ends the back-off."""
    reload_backoff: tuple[float, float] = (60.0, 900.0)
    """First and longest time that an account may be missing before the supervised daemon is restarted for its sake."""
