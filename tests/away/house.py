"""A Home Assistant with an account, automations, and a witness that writes down what it is told."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from tests.live.home_assistant import HomeAssistant
from tests.live.service import TOKEN, Service

LATE_AFTER: Final = 50
"""Seconds after which the houses call a message late."""
PROMPT: Final = "prompt"
"""The automation as everybody has it: what is late does not trigger it."""
PATIENT: Final = "patient"
"""The automation that asked for late messages too."""
_CONFIGURATION: Final = """
homeassistant:
  name: Away
  time_zone: Europe/Berlin
  country: DE
onboarding:
config:
witness:
logger:
  default: warning
  logs:
    homeassistant.bootstrap: info
automation: !include automations.yaml
script: !include scripts.yaml
"""
_WITNESS: Final = Path(__file__).parent / "witness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What somebody was told."""

    by: str
    text: str
    now: float
    """When, in seconds since the epoch."""
    timestamp: int = 0
    """Of the message, ms; the next ones too are for `bus` only."""
    late: bool = False
    repeated: bool = False


class House:
    """A Home Assistant that can go away; `account` is its account, `friend` the one that writes to it."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, *, account: str, friend: str) -> None:
        self.home = HomeAssistant(folder, session, configuration=_CONFIGURATION, components=[_WITNESS])
        self.account = account
        self.friend = friend
        self._witness = folder / "witness.jsonl"

    async def move_in(self, service: Service) -> None:
        """Starts it, and sets everything up."""
        home = self.home
        await home.start()
        await home.onboard()
        entry_id = await home.add_account(service.base, self.account, token=TOKEN)
        await home.add_conversation(entry_id, self.friend)
        flow = await self._options(entry_id)
        options = {
            "allowed_senders": [], "late_after": LATE_AFTER, "read_receipts": False, "typing": False, "download_attachments": False,
        }  # fmt: skip
        await home.call("POST", f"/api/config/config_entries/options/flow/{flow['flow_id']}", options)
        for name, include_late in ((PROMPT, False), (PATIENT, True)):
            await home.add_automation(
                name,
                [{"trigger": "signal_courier.message_received", "options": {"include_late": include_late}}],
                [{"event": "witness_told", "event_data": {"by": name, "text": "{{ trigger.text }}"}}],
                mode="parallel",
                max=10000,
            )
        await self._kept()

    async def _options(self, entry_id: str) -> dict[str, object]:
        """The dialog of the options, once the account is loaded: it is loaded anew when a conversation was added."""
        async with asyncio.timeout(90):
            while True:
                flow: dict[str, object] = await self.home.call("POST", "/api/config/config_entries/options/flow", {"handler": entry_id})
                if flow["type"] == "form":
                    return flow
                await asyncio.sleep(0.1)

    async def _kept(self) -> None:
        """Waits until Home Assistant has written down what was set up, which it does a little later."""
        kept = self.home.folder / ".storage" / "core.config_entries"
        async with asyncio.timeout(120):
            while f'"late_after":{LATE_AFTER}' not in kept.read_text(encoding="utf-8").replace(" ", ""):  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.1)

    def lines(self, by: str) -> list[Line]:
        """What one of them was told."""
        written = self._witness.read_bytes() if self._witness.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]  # the last line may be on its way
        told = (Line(**json.loads(line)) for line in whole.splitlines())
        return [line for line in told if line.by == by]

    def texts(self, by: str = "bus") -> list[str]:
        """The texts of it."""
        return [line.text for line in self.lines(by)]

    async def tells_more(self, *, within: float) -> None:
        """Waits until more is written down than now."""
        known = self._size()
        await self.until(lambda house: house._size() > known, within=within, look_again=0.002)

    def _size(self) -> int:
        return self._witness.stat().st_size if self._witness.exists() else 0

    async def until(self, condition: Callable[["House"], bool], *, within: float = 60, look_again: float = 0.2) -> None:
        """Waits until something is written down."""
        async with asyncio.timeout(within):
            while not condition(self):  # it is another process that writes
                self.home.program.check()
                await asyncio.sleep(look_again)
