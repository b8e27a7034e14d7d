"""A network of its own for a test: Home Assistant's internal addresses, and no way out.

A network belongs to a thread, and what it starts inherits it; so the test's coroutine runs on a thread of its own.
"""

import asyncio
import os
import subprocess
import threading
from collections.abc import Callable, Coroutine
from typing import Any

CORE = "172.30.32.1"
"""From where Home Assistant's Core comes."""
SUPERVISOR = "172.30.32.2"
APP = "172.30.33.5"
"""The app's own address."""
_CLONE_NEWNET = 0x40000000


def inside(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in a network of its own; raises what it raises."""
    raised: list[BaseException] = []

    def work() -> None:
        try:
            os.unshare(_CLONE_NEWNET)
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for address in (CORE, SUPERVISOR, APP):
                subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
            asyncio.run(test())
        except BaseException as error:  # noqa: BLE001 - told to the test, below
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
