"""The service as tests see it: they start and stop it, and tell its simulated people what to do.

Everybody is in `signal_courier.engine.simulator.cast`; the numbers are repeated here, as Home Assistant's environment lacks the service.
"""

import asyncio
import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOKEN = "token-of-the-tests-0123456789"

HOME = "+4915100000001"
"""The account of the config entry; the next one is at the service too, and can write to it with `client.messages.send`."""
SECOND = "+4915100000002"
ECHO = "+4915100000011"
"""Sends everything back."""
POLLY = "+4915100000012"
"""Votes for the first option of every poll."""
NEWKEY = "+4915100000013"
"""Has a new safety number."""
NOBODY = "+4915100000014"
LIMITED = "+4915100000015"
DEMO_GROUP = "group.aWl6QVp6c2NRb01WL29UQUU0MlZ3OTNhTUxyNEhuMmFxQ0h4eWtjSmdaTT0="
DEMO_GROUP_ID = "iizAZzscQoMV/oTAE42Vw93aMLr4Hn2aqCHxykcJgZM="
"""The same as signal-cli spells it."""
_NAMES = uuid.UUID("5a6f1c1e-7d0b-4f0e-9a52-51b1c0de0001")


def uuid_of(address: str) -> str:
    """The uuid that a number (or `shade`, who hides hers) has in every simulated network."""
    return str(uuid.uuid5(_NAMES, address))


class HostProcess:
    """The program of `host`, and asking it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [str(ROOT / ".venv/bin/python"), "-m", "tests.integration.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT}/addon:{ROOT}", "PATH": "/usr/bin:/bin"},
        )

    def ask(self, do: str, **arguments: object) -> Any:
        """One order and its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or b'{"error": "the host has ended"}')
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def kill(self) -> None:
        """Let nobody say goodbye."""
        self._process.kill()
        self._process.wait(20)

    def end(self) -> None:
        """End the program, and the service with it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


class Courier:
    """A service of one's own for one test."""

    def __init__(self, host: HostProcess, folder: Path) -> None:
        self._host = host
        self._folder = folder
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def _ask(self, do: str, **arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, lambda: self._host.ask(do, **arguments))

    def begin(self) -> None:
        """Start it; for the fixture."""
        self.port = self._host.ask("start", folder=str(self._folder), token=TOKEN)

    def move(self, host: HostProcess) -> None:
        """Go on in this process, on another port; for a fixture, before anybody knows the port."""
        self._host.ask("stop")
        self._host = host
        self.begin()

    def end(self) -> None:
        """End the process; where it is nobody else's."""
        self._host.end()

    async def renew(self, *, speed: float | None = None, **settings: object) -> None:
        """Start a new one in its place, on another port: empty, with people `speed` times as fast as real ones (unlimited without)."""
        self._folder = self._folder.with_name(self._folder.name + "-new")
        self.port = await self._ask("start", folder=str(self._folder), token=TOKEN, speed=speed, settings=settings)

    async def stop(self) -> None:
        """Stop it; its data stays."""
        await self._ask("stop")

    async def again(self, **settings: object) -> None:
        """Start it again on the same port, with its data; and with these settings instead of those it had."""
        await self._ask("again", settings=settings)

    async def kill(self) -> None:
        """End its program without a word to anybody, and start another one on the same port, with the same data."""
        await asyncio.get_running_loop().run_in_executor(None, self._host.kill)
        self._host = await asyncio.get_running_loop().run_in_executor(None, HostProcess)
        await self._ask("start", folder=str(self._folder), token=TOKEN, settings={"port": self.port})

    async def pace_links(self, *, renew_after: float = 60, lifetime: float = 600) -> None:
        """Let codes to link be renewed after so many seconds, and links be given up."""
        await self._ask("pace_links", renew_after=renew_after, lifetime=lifetime)

    async def waiting_links(self) -> int:
        """How many links wait for a phone."""
        return await self._ask("waiting_links")

    async def limit(self, limited: bool, account: str = HOME) -> None:
        """Let Signal want fewer messages of an account for a while, or no longer; no challenge helps."""
        await self.change("accounts", uuid_of(account), "limited", limited)

    async def unlink(self, account: str = HOME) -> None:
        """Let the phone remove this device from its account; the phone that scans the next code is that one."""
        await self._ask("unlink", account=account)

    async def let_call(self, number: str) -> None:
        """Let the time be over before which no call can be asked for in a registration."""
        await self._ask("let_call", number=number)

    async def deliver(
        self, text: str, *, sender: str = ECHO, account: str = HOME, group_id: str | None = None, count: int = 1
    ) -> list[int]:
        """Let somebody write to us, `count` times (`{n}` in the text: which time, from 0); gives the timestamps.

        `group_id` is signal-cli's: DEMO_GROUP_ID.
        """
        return await self._ask("deliver", sender=sender, account=account, text=text, group_id=group_id, count=count)

    async def speak(self, parts: dict[str, Any], *, text: str | None = None, sender: str = ECHO, group_id: str | None = None) -> int:
        """Let somebody send us a data message with these members, as signal-cli spells them: `{"reaction": {…}}`; gives its timestamp."""
        return await self._ask("speak", sender=sender, account=HOME, parts=parts, text=text, group_id=group_id)

    async def post(self, content: dict[str, Any], *, sender: str = ECHO) -> int:
        """Let somebody send us an envelope that is no data message: `{"typingMessage": {…}}`; gives its timestamp."""
        return await self._ask("post", sender=sender, account=HOME, content=content)

    async def inject(self, frame: dict[str, Any]) -> None:
        """Report a ready `{"envelope", "account"}`, such as one of long ago."""
        await self._ask("inject", frame=frame)

    async def deliver_sent(self, text: str, *, recipient: str | None = None, group_id: str | None = None) -> int:
        """Let the account's phone write to somebody."""
        return await self._ask("deliver_sent", account=HOME, text=text, recipient=recipient, group_id=group_id)

    async def signal_cli(self, method: str, **params: object) -> Any:
        """Call the simulated signal-cli directly: `signal_cli("updateContact", account=HOME, recipient=ECHO, name="Bob")`."""
        return await self._ask("signal_cli", method=method, params=params)

    async def change(self, what: str, key: str, attribute: str, value: object) -> None:
        """Change the simulated world itself: `change("accounts", uuid_of(HOME), "loaded", False)`."""
        await self._ask("change", what=what, key=key, attribute=attribute, value=value)

    async def run_signal_cli(self, runs: bool) -> None:
        """Let signal-cli end, or run again, while the service runs on."""
        await self._ask("run_signal_cli", runs=runs)

    async def pretend(self, version: str) -> None:
        """Let signal-cli be of this version."""
        await self._ask("pretend", version=version)

    async def settled(self) -> None:
        """Wait until nobody on the network is about to do anything, and the service has stored what it was told."""
        await self._ask("settled")
