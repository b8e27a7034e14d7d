"""The service with the simulator, as a process that keeps its port and its token over restarts."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from tests.live.processes import Program, free_port

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "live-token-0123456789abcdef"
HOME = "+4915100000001"
SECOND = "+4915100000002"


class Service:
    """Started by `start`; everything at `base`."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, *, environment: Mapping[str, str] | None = None) -> None:
        folder.mkdir()
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self._session = session
        self.program = Program(
            [sys.executable, "-m", "tests.live.patient_simulator", "serve"],
            folder,
            environment={
                "PYTHONPATH": f"{ROOT / 'addon'}:{ROOT}",
                "PORT": str(self.port),
                "MODE": "json-rpc",
                "COURIER_ENGINE": "simulator",
                "COURIER_DATA_DIR": str(folder / "data"),
                "SIGNAL_CLI_CONFIG_DIR": str(folder / "signal-cli"),
                "COURIER_TOKEN": TOKEN,
                "COURIER_TRUST_LOOPBACK": "false",
                **(environment or {}),
            },
        )

    async def start(self) -> None:
        """Starts it and waits until it answers."""
        await self.program.start()
        await self.program.says(rb"listens on http", within=60)

    async def stop(self) -> None:
        """Stops it."""
        await self.program.stop()

    async def restart(self) -> None:
        """Stops and starts it."""
        await self.stop()
        await self.start()

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """A request that has to succeed; its JSON."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self._session.request(method, self.base + path, json=body, params=query, headers=headers) as answer:
            text = await answer.text()
            assert answer.ok, f"{method} {path}: {answer.status} {text[:500]}"
            return await answer.json(content_type=None) if text else None

    async def scan(self, uri: str) -> None:
        """A phone of the simulated network scans a code."""
        await self.call("POST", f"/v1/devices/{HOME}", {"uri": uri})

    async def write(self, text: str, *, to: str = HOME, sender: str = SECOND, **fields: object) -> int:
        """Somebody writes to an account; the timestamp of the message, ms."""
        (sent,) = await self.call("POST", "/v2/send", {"number": sender, "recipients": [to], "message": text, **fields})
        return int(sent["timestamp"])

    async def received(self, account: str) -> list[dict[str, Any]]:
        """All messages that an account has received until now."""
        page = await self.call("GET", "/api/v2/events", account=account, types="message", after="0", wait="0", limit="1000")
        return [event["message"] for event in page["events"]]

    async def file(self, account: str, attachment: str) -> bytes:
        """What an account was sent."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with self._session.get(
            f"{self.base}/api/v2/attachments/{attachment}", params={"account": account}, headers=headers
        ) as answer:
            assert answer.ok, answer.status
            return await answer.read()

    async def receives_file(self, account: str, number: int, *, within: float = 60) -> dict[str, Any]:
        """Waits until an account has received so many files; the last of them."""
        async with asyncio.timeout(within):
            while True:
                files = [file for message in await self.received(account) for file in message.get("attachments", ())]
                if len(files) >= number:
                    return dict(files[number - 1])
                await asyncio.sleep(0.05)

    async def receives(self, account: str, text: str, *, within: float = 60) -> dict[str, Any]:
        """Waits until an account has received a text."""
        after = "0"
        try:
            async with asyncio.timeout(within):
                while True:
                    page = await self.call("GET", "/api/v2/events", account=account, types="message", after=after, wait="5", limit="1000")
                    after = str(page["position"])
                    for event in page["events"]:
                        if event["message"].get("text") == text:
                            message: dict[str, Any] = event["message"]
                            return message
        except TimeoutError:
            texts = [message.get("text") for message in await self.received(account)]
            raise AssertionError(f"{account} has not received {text!r}, but {texts}") from None
