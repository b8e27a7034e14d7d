"""signal-cli-rest-api-client, an asynchronous wrapper of the REST API, finds what it expects."""

import base64
from pathlib import Path

import pytest

from signal_courier.access.tokens import new_token
from tests.fakes.served import simulated
from tests.service.clients import programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ANN, ECHO = "+4915100000001", "+4915100000011"
PICTURE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGMAAQAAAAUAAQ0KLbQAAAAASUVORK5CYII=")


async def test_every_method_succeeds_with_a_token_as_password(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "attachments"
    folder.mkdir(parents=True)
    (folder / "AAAwmVr9zpmWIpZiLZ9a.png").write_bytes(PICTURE)
    async with simulated(tmp_path) as service:
        _, token = await service.courier.tokens.create(new_token("home", ["admin"]))
        base = f"http://127.0.0.1:{service.courier.server.port}/"
        outcome = await programs.run(
            "use_signal_cli_rest_api_client.py", "signal-cli-rest-api-client==0.1.0", arguments=(base, ANN, ECHO, token)
        )
    assert len(outcome) == 14
    assert not [(name, error) for name, error in outcome.items() if error is not None]
