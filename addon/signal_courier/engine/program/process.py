"""One run of `signal-cli … daemon` as a child: started, listened to, stopped."""

import asyncio
import contextlib
import logging
import os
import re
import shlex
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from signal_courier.engine.program.options import ProcessOptions
from signal_courier.engine.program.workplace import Workplace

_log = logging.getLogger(__name__)
_daemon_log = logging.getLogger("signal_courier.signal_cli")

TERM_SECONDS: Final = 2.2
"""How long signal-cli may take to end by itself (it needs 0.3 s) before it is killed."""
_LEASH: Final = Path(__file__).with_name("leash.py")
"""Run, never imported: it needs ctypes, which is half a MiB."""
_LONGEST_LOG_LINE: Final = 64 * 1024
_NUMBER = re.compile(r"\+\d{3,13}(?=\d{2})")
_LEVEL = re.compile(r"^(?:\S+\s+(?:\[[^\]]*\]\s+)?)?(TRACE|DEBUG|INFO|WARN|ERROR)\b\s*")
_LEVELS = {"TRACE": logging.DEBUG, "DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARN": logging.WARNING, "ERROR": logging.ERROR}
_COMPLAINT = re.compile(r"\b(ERROR|WARN)\b|[Ee]rror|[Ff]ailed|cannot")
_CULPRIT = re.compile(r"Failed to load \+\d+")
_CHATTER = re.compile(r"^(WARNING: |Picked up |\s+at |\s*\.\.\. \d+ more|\s*$)")
_UNKNOWN_FLAG = re.compile(r"unrecognized arguments?: '?(--[a-z-]+)")


class DaemonProcess:
    """A running signal-cli. `flags_unknown` are those of an earlier run that this version does not know.

    A `brief` one is started for a few calls only, so that a quick start is worth more than speed later.
    """

    def __init__(
        self,
        exe: Path,
        options: ProcessOptions,
        workplace: Workplace,
        *,
        flags_unknown: frozenset[str] = frozenset(),
        brief: bool = False,
    ) -> None:
        self._exe = exe
        self._options = options
        self._workplace = workplace
        self._flags_unknown = flags_unknown
        self._brief = brief
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._last_words: deque[str] = deque(maxlen=20)

    async def start(self) -> None:
        """Start it; it listens on the workplace's socket some seconds later. Raises `OSError`."""
        self._workplace.clean()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()), str(self._exe)),
            *command_line(self._options, self._workplace.socket, self._flags_unknown),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(os.environ, self._options.java_opts, self._workplace.temporary, brief=self._brief),
            start_new_session=True,  # Ctrl-C is for us; we tell it when it is time
        )
        self._workplace.remember(self._process.pid)
        assert self._process.stdout is not None
        self._reader = asyncio.create_task(self._listen(self._process.stdout), name="signal-cli's log")
        _log.info("signal-cli is starting (process %d)", self._process.pid)

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid if self._process is not None else None

    async def wait(self) -> int:
        """Until it has ended; gives the exit code, negative = the signal that ended it."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, SIGKILL when that takes too long; returns when it is gone, within 4 s."""
        process = self._process
        if process is None:
            return
        try:
            if process.returncode is None:
                _signal(process.pid, signal.SIGTERM)
                try:
                    async with asyncio.timeout(TERM_SECONDS):
                        await process.wait()
                except TimeoutError:
                    _log.warning("signal-cli did not end by itself; killing it")
        finally:
            # The group, and in any case: the start script of an unusual installation may have left children.
            _signal(process.pid, signal.SIGKILL)
            if self._reader is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(process.wait()), 1)
                self._reader.cancel()
                await asyncio.gather(self._reader, return_exceptions=True)
            self._workplace.clean()

    def unknown_flags(self) -> frozenset[str]:
        """Options that made it refuse to start, because it is too old for them."""
        found = {match[1] for line in self._last_words if (match := _UNKNOWN_FLAG.search(line))}
        return frozenset(found) & {"--ignore-avatars", "--ignore-stickers"}

    async def why(self, code: int) -> str:
        """Why it ended, in words; phone numbers are masked."""
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=1)  # what it said last may still be in the pipe
        text = " ".join(self._last_words)
        if "UnsupportedClassVersionError" in text:
            return "signal-cli needs a newer Java (0.13: 21, 0.14: 25)"
        if "JAVA_HOME is not set" in text or "java: not found" in text:
            return "signal-cli found no Java; `signal-courier engine install` brings one"
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        words = next((line for kind in (_CULPRIT, _COMPLAINT) for line in reversed(self._last_words) if kind.search(line)), None)
        return f"signal-cli {ended}" + (f": {_mask(words)}" if words else "")

    async def _listen(self, stream: asyncio.StreamReader) -> None:
        """Pass on what it says until it says no more."""
        rest = b""
        while data := await stream.read(_LONGEST_LOG_LINE):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._pass_on(line)
            if len(rest) > _LONGEST_LOG_LINE:
                self._pass_on(rest)
                rest = b""
        if rest:
            self._pass_on(rest)

    def _pass_on(self, raw: bytes) -> None:
        line = raw.decode(errors="replace").rstrip()
        if _CHATTER.match(line):
            _daemon_log.debug("%s", line)
            return
        self._last_words.append(line)
        found = _LEVEL.match(line)
        level = _LEVELS[found[1]] if found else logging.INFO
        text = line[found.end() :] if found else line
        _daemon_log.log(level, "%s", text if _daemon_log.isEnabledFor(logging.DEBUG) else _mask(text))


def command_line(options: ProcessOptions, socket: Path, without: frozenset[str] = frozenset()) -> list[str]:
    """Arguments of signal-cli, except those flags that are named in `without`."""
    flags = {
        "--ignore-attachments": options.ignore_attachments,
        "--ignore-stories": options.ignore_stories,
        "--ignore-avatars": options.ignore_avatars,
        "--ignore-stickers": options.ignore_stickers,
        "--send-read-receipts": options.send_read_receipts,
    }
    return [
        *("--output=json", "--config", str(options.config_dir)),
        *(("--trust-new-identities", options.trust) if options.trust else ()),
        *("daemon", "--socket", str(socket), "--receive-mode", "manual", "--no-receive-stdout"),
        *(flag for flag, wanted in flags.items() if wanted and flag not in without),
    ]


def environment(inherited: Mapping[str, str], java_opts: str, temporary: Path, *, brief: bool = False) -> dict[str, str]:
    """The child's environment: a Java for small machines, temporary files where we can find them again."""
    ours = [f"-Djava.io.tmpdir={temporary}", "-XX:-UsePerfData"]  # the latter would leave a folder in /tmp
    if "GC" not in java_opts:
        ours.append("-XX:+UseSerialGC")
    # Measured with 0.13.19: the quick compiler alone saves 0.6 s of CPU at the start and 10 MB; but without the good one Java encrypts
    # and decrypts 50 MiB in 5 s instead of 1 s.
    if brief and "TieredStopAtLevel" not in java_opts and "TieredCompilation" not in java_opts:
        ours.append("-XX:TieredStopAtLevel=1")
    if "-Xmx" not in java_opts and "RAMPercentage" not in java_opts and "MaxHeapSize" not in java_opts:
        ours += ["-Xmx256m", "-Xms16m"]  # it would begin with a part of the machine's memory: 137 MB when idle, 97 MB so
    if "OutOfMemoryError" not in java_opts:
        ours.append("-XX:+ExitOnOutOfMemoryError")  # and be started again, instead of lingering half dead
    joined = " ".join((*map(shlex.quote, ours), java_opts)).strip()
    return {**inherited, "JAVA_OPTS": joined, "TMPDIR": str(temporary)}


def _mask(text: str) -> str:
    """The same without phone numbers; the last two digits stay, so that accounts can be told apart."""
    return _NUMBER.sub("+…", text)


def _signal(pid: int, kind: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, kind)
