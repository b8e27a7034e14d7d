"""A daemon that can be killed at any moment and forgets nothing: what it was asked to send, and the receipts that wait.

    python -m tests.fakes.post_office FOLDER SOCKET

Each message is written to `FOLDER/journal.jsonl` when it is sent, which is before the answer: whoever is killed in between has sent it, and
nobody was told. Two of three recipients confirm. Receipts lie in `mailbox.jsonl` until they have been handed over, as with Signal's server.
"""

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from tests.fakes.daemon import FakeDaemon

ACCOUNT = "+4915100000001"


def uuid_of(number: str) -> str:
    return f"{int(number[1:]):032x}"[:8] + f"-0000-4000-8000-{int(number[1:]):012x}"[-28:]


class PostOffice:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = os.open(folder / "journal.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.mailbox = os.open(folder / "mailbox.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.last = 0
        self.dice = random.Random()
        self.daemon = FakeDaemon({"send": self.send}, accounts=[ACCOUNT])

    async def send(self, params: dict[str, Any]) -> object:
        await asyncio.sleep(self.dice.uniform(0, 0.02))
        (recipient,) = params["recipient"]
        self.last = timestamp = max(self.last + 1, time.time_ns() // 1_000_000)
        self.write(self.journal, {"recipient": recipient, "text": params["message"], "timestamp": timestamp})
        if self.dice.random() < 2 / 3:
            said = {"when": timestamp, "isDelivery": True, "isRead": False, "isViewed": False, "timestamps": [timestamp]}
            envelope = {"sourceUuid": uuid_of(recipient), "sourceNumber": None, "timestamp": timestamp, "receiptMessage": said}
            self.write(self.mailbox, {"envelope": envelope, "account": ACCOUNT})
        await asyncio.sleep(self.dice.uniform(0, 0.05))
        return {
            "timestamp": timestamp,
            "results": [{"recipientAddress": {"number": recipient, "uuid": uuid_of(recipient)}, "type": "SUCCESS"}],
        }

    @staticmethod
    def write(file: int, line: object) -> None:
        os.write(file, json.dumps(line).encode() + b"\n")

    async def deliver(self) -> None:
        place = self.folder / "mailbox.delivered"
        delivered = int(place.read_text()) if place.exists() else 0
        while True:
            await self.daemon.wait_subscribed(3600)
            for line in (self.folder / "mailbox.jsonl").read_bytes().splitlines()[delivered:]:
                if not self.daemon.is_subscribed():
                    break
                self.daemon.notify_raw(line, ACCOUNT)
                await self.daemon.flushed()
                delivered += 1
                new = place.with_suffix(".new")
                new.write_text(str(delivered))
                new.replace(place)
            await asyncio.sleep(0.05)

    async def run(self, socket: Path) -> None:
        async with self.daemon:
            await self.daemon.listen_unix(socket)
            print("listening", flush=True)
            await self.deliver()


if __name__ == "__main__":
    Path(sys.argv[2]).unlink(missing_ok=True)
    asyncio.run(PostOffice(Path(sys.argv[1])).run(Path(sys.argv[2])))
