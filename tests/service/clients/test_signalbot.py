"""signalbot of three generations connects, receives, and answers, each in its dialect."""

from pathlib import Path

import pytest

from signal_courier.access.tokens import NewToken, new_token
from tests.fakes.served import simulated
from tests.service.clients import programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ANN, BEN = "+4915100000001", "+4915100000002"


@pytest.mark.parametrize("program,version,prefix,steps", [
    ("use_signalbot.py", "2.2.1", "", ["replied", "edited", "deleted", "polled", "grouped"]),
    ("use_signalbot.py", "2.0.0", "/d/0.100", ["replied", "edited", "deleted", "polled", "grouped"]),
    ("use_signalbot_1.py", "1.2.3", "/d/0.100", ["replied", "edited", "deleted", "grouped"]),
])  # fmt: skip
async def test_bot_answers_with_all_it_has(tmp_path: Path, program: str, version: str, prefix: str, steps: list[str]) -> None:
    await _converse(tmp_path, program, version, prefix, steps)


@pytest.mark.parametrize("program,version,dialect,steps", [
    ("use_signalbot.py", "2.2.1", None, ["replied", "edited", "deleted", "polled", "grouped"]),
    ("use_signalbot.py", "2.0.0", "0.100", ["replied", "edited", "deleted", "polled", "grouped"]),
    ("use_signalbot_1.py", "1.2.3", "0.100", ["replied", "edited", "deleted", "grouped"]),
])  # fmt: skip
async def test_bot_gets_its_dialect_from_a_token_in_the_path(
    tmp_path: Path, program: str, version: str, dialect: str | None, steps: list[str]
) -> None:
    await _converse(tmp_path, program, version, "", steps, token=new_token("bot", ["admin"], accounts=[ANN], dialect=dialect))


async def _converse(tmp_path: Path, program: str, version: str, prefix: str, steps: list[str], *, token: NewToken | None = None) -> None:
    attachment = tmp_path / "note.txt"
    attachment.write_text("hello")
    async with simulated(tmp_path) as service:
        if token is not None:
            _, secret = await service.courier.tokens.create(token)
            prefix = f"/t/{secret}"
        group = (await service.get(f"/v1/groups/{ANN}")).json[0]["id"]
        assert (await service.post("/v2/send", {"number": BEN, "recipients": [ANN], "message": "Hello, bot"})).status == 201
        where = f"127.0.0.1:{service.courier.server.port}{prefix}"
        outcome = await programs.run(program, f"signalbot=={version}", arguments=(where, ANN, group, str(attachment)))
    assert "error" not in outcome
    assert outcome["received"] == "Hello, bot"
    assert all(isinstance(outcome[step], int) and outcome[step] > 1_600_000_000_000 for step in steps)
