"""Whoever pastes the commands of a page into a terminal, one after the other, gets what the page says."""

import json
import re
import time
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import PAGES, ROOT, blocks, commands, name_of
from tests.docs.shell import Terminal, terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

_PROMISED: Final = {
    "README.md": ['"+4915100000001"', '"success":true', '"message":"Hello"'],
    "docs/clients.md": ['{"id":"msg_', '"success":true'],
    "docs/docker.md": [],
    "docs/events.md": ["event: ", '"type":"message"', '"position":'],
    "docs/gateway.md": ['"client_id":"my-app"', "sgnl://linkdevice", "Message queued successfully"],
    "docs/migrate-from-bbernhard.md": ["1 account is in"],
    "docs/native-api.md": ['"uri":"sgnl://', '"state":"linked"', '"id":"msg_1"', '"text":"Somebody is at the door"', "encrypted"],
    "docs/python.md": ['"success":true'],
    "docs/rest-api.md": ['"timestamp":"'],
    "docs/security.md": ["This is the only time it is shown", "doorbell is revoked"],
    "docs/settings.md": ["COURIER_INBOX_DAYS"],
    "docs/simulator.md": ['"votes":[', '"type":"poll"', '"text":"Say it again"', '"state":"registered"'],
    "docs/troubleshooting.md": ['{"status":"ready"}', "204"],
    "docs/webhooks.md": ['"secret":"whsec_', '"outcome":"delivered"', '"state":"active"'],
}
"""What is to be seen when all of a page was pasted."""


_IN_SHELL: Final = sorted({name_of(block.page) for page in PAGES for block in blocks(page, "sh")})
_PATIENCE: Final = 60.0
"""Seconds within which the make-believe people have answered."""


@pytest.mark.parametrize("page", _IN_SHELL)
def test_the_commands_of_a_page_do_what_it_says(page: str, tmp_path: Path):
    with terminal(tmp_path) as here:
        _prepare(page, here)
        pasted = [command for block in blocks(ROOT / page, "sh") for command in commands(block)]
        for command in pasted:
            here.paste(command)
        _wait_for(_PROMISED[page], here, [command for command in pasted if re.match(r"curl (?!.* (-d|-F|-X|-N|-T) )", command)])


def _prepare(page: str, here: Terminal) -> None:
    """What a page takes for granted."""
    match page:
        case "docs/docker.md":
            here.paste("signal-courier token create admin --scope admin")
        case "docs/events.md":
            here.meanwhile = (
                """curl localhost:8080/v2/send -d '{"number": "+4915100000002", "recipients": ["+4915100000001"], "message": "Hello"}'"""
            )
            here.paste(here.meanwhile)
        case "docs/migrate-from-bbernhard.md":
            old = here.folder / "signal-cli-config" / "data"
            old.mkdir(parents=True)
            (old / "accounts.json").write_text(json.dumps({"accounts": [{"path": "123456", "number": "+4915100000001"}], "version": 2}))
            (old / "123456").write_text("{}")


def _wait_for(promised: list[str], here: Terminal, reading: list[str]) -> None:
    """Make-believe people answer after a moment: ask again what was asked, as a reader would."""
    deadline = time.monotonic() + _PATIENCE
    while missing := [text for text in promised if text not in "\n".join(here.said)]:
        if not reading or time.monotonic() > deadline:
            pytest.fail(f"{missing} was not seen:\n" + "\n".join(here.said))
        for command in reading:
            here.paste(command)
