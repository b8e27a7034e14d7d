"""The Python examples run as they stand."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.docs.pages import ROOT, blocks
from tests.docs.shell import Terminal, terminal
from tests.service.clients import programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_WEBHOOKS = ROOT / "docs" / "webhooks.md"
_CLIENTS = ROOT / "docs" / "clients.md"


def _example(page: Path, word: str) -> str:
    """The first Python example of a page with a word in it."""
    return next(block.text for block in blocks(page, "python") if word in block.text)


def _secret(answer: str | None) -> str:
    found = re.search(r'"secret":"(whsec_[^"]+)"', answer or "")
    assert found, answer
    return found[1]


def _eventually(look: object, seconds: float = 60) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    while not look():  # type: ignore[operator]  # a lambda of the tests below
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_post_is_verified_by_the_example_and_after_a_rotation_by_both_secrets(tmp_path: Path) -> None:
    with terminal(tmp_path) as here:
        first = _secret(
            here.paste("""curl http://localhost:8080/api/v2/webhooks -d '{"url": "http://192.168.1.20:5678/webhook/signal"}'""")
        )
        here.paste("curl -X POST http://localhost:8080/api/v2/webhooks/wh_0123456789abcdef/test")
        post = here.receiver.posts[-1]
        names: dict[str, Any] = {"body": post.body, "headers": post.headers}
        exec(_example(_WEBHOOKS, "verify").replace("whsec_…", first), names)  # what the page says
        assert names["event"]["type"] == "test"

        second = _secret(here.paste("curl -X POST http://localhost:8080/api/v2/webhooks/wh_0123456789abcdef/rotate"))
        here.paste("curl -X POST http://localhost:8080/api/v2/webhooks/wh_0123456789abcdef/test")
        for secret in (first, second):
            Webhook(secret).verify(here.receiver.posts[-1].body, dict(here.receiver.posts[-1].headers))

        third = _secret(here.paste("""curl -X POST http://localhost:8080/api/v2/webhooks/wh_0123456789abcdef/rotate -d '{"keep": 0}'"""))
        here.paste("curl -X POST http://localhost:8080/api/v2/webhooks/wh_0123456789abcdef/test")
        last = here.receiver.posts[-1]
        Webhook(third).verify(last.body, dict(last.headers))
        for secret in (first, second):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(last.body, dict(last.headers))


@contextmanager
def _running(program: str, here: Terminal, python: str = sys.executable) -> Iterator[Path]:
    """A program in a process of its own; gives where its output goes."""
    output = here.folder / "output"
    with output.open("w") as log:
        environment = {name: value for name, value in here.environment.items() if name != "PYTHONPATH"} | {"PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen([python, "-c", program], env=environment, stdout=log, stderr=log)
    try:
        yield output
    finally:
        process.kill()
        process.wait()


def test_the_receiver_of_the_page_takes_what_is_signed_and_nothing_else(tmp_path: Path) -> None:
    with terminal(tmp_path) as here:
        here.receiver.server_close()  # its place is for the program of the page
        secret = _secret(here.paste("""curl http://localhost:8080/api/v2/webhooks -d '{"url": "http://192.168.1.20:5678/signal"}'"""))
        program = _example(_WEBHOOKS, "HTTPServer").replace("whsec_…", secret).replace("5678", str(here.receiver.port))
        with _running(program, here) as output:
            tested = ""

            def is_delivered() -> bool:
                nonlocal tested
                tested = here.paste("curl -X POST http://localhost:8080/api/v2/webhooks/wh_0123456789abcdef/test") or ""
                return '"outcome":"delivered"' in tested

            _eventually(is_delivered)
            forged = f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{here.receiver.port}/ -d '{{}}' --no-fail-with-body"
            assert here.paste(forged) == "400"
            assert "test" in output.read_text()


def test_the_program_that_follows_is_told_everything_once_through_its_restart(tmp_path: Path) -> None:
    with terminal(tmp_path) as here:
        program = _example(_CLIENTS, "urllib").replace("127.0.0.1:8080", f"127.0.0.1:{here.port}")
        told = ""
        for text in ("one", "two"):
            with _running(program, here) as output:
                _eventually(lambda: '"connections":' in (here.paste("curl localhost:8080/api/v2/consumers") or ""))
                _say(here, text)
                _eventually(lambda output=output, text=text: text in output.read_text())
                _eventually(lambda: _acknowledged(here))
                told += output.read_text()
        assert told.split("\n") == ["Second one", "Second two", ""]


def _acknowledged(here: Terminal) -> bool:
    """Whether the newest message is behind the consumer's position."""
    messages = re.findall(
        r'"id":(\d+),"type":"message"', here.paste("curl 'localhost:8080/api/v2/events?after=0&wait=0&types=message'") or ""
    )
    position = re.search(r'"position":(\d+)', here.paste("curl localhost:8080/api/v2/consumers") or "")
    return position is not None and int(position[1]) >= int(messages[-1])


def _say(here: Terminal, text: str) -> None:
    here.paste(
        f"""curl localhost:8080/v2/send -d '{{"number": "+4915100000002", "recipients": ["+4915100000001"], "message": "{text}"}}'"""
    )


async def test_the_bot_of_the_page_answers(tmp_path: Path) -> None:
    python = await asyncio.to_thread(programs.python_with, "signalbot==2.2.1")
    with terminal(tmp_path) as here:
        program = _example(_CLIENTS, "signalbot").replace("127.0.0.1:8080", f"127.0.0.1:{here.port}")
        with _running(program, here, python) as output:
            _say(here, "ping")
            try:
                _eventually(lambda: '"message":"pong"' in (here.paste("curl localhost:8080/v1/receive/+4915100000002") or ""), 40)
            except AssertionError:
                pytest.fail(output.read_text())
