"""Apprise reaches persons and groups, alone and in one batch."""

from pathlib import Path
from urllib.parse import quote

import pytest

from signal_courier.access.tokens import new_token
from tests.fakes.daemon import Failure
from tests.fakes.served import served
from tests.service.clients import programs

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ANN, BEN = "+4915100000001", "+4915100000002"
GROUP = "Pmpi+EfPWmsxiomLe9Nx2XF9HOE483p6iKiFj65iMwI="
GROUP_ID = "group.UG1waStFZlBXbXN4aW9tTGU5TngyWEY5SE9FNDgzcDZpS2lGajY1aU13ST0="


async def send(port: int, *targets: str, query: str = "", attachment: Path | None = None, login: str = "user:secret") -> bool:
    path = "/".join(quote(target, safe="+@=") for target in targets)
    address = f"signal://{login}@127.0.0.1:{port}/{ANN}/{path}" + (f"?{query}" if query else "")
    return bool(await programs.run("use_apprise.py", "apprise==2.2.0", arguments=(address, str(attachment or ""))))


async def test_batch_may_mix_persons_and_groups(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        assert await send(service.courier.server.port, BEN, f"@{GROUP_ID}", query="batch=yes")
        calls = service.asked()
    assert sorted((call.get("recipient"), call.get("groupId")) for call in calls if call.get("recipient")) == [([BEN], None)]
    assert [call["groupId"] for call in calls if "groupId" in call] == [[GROUP]]


async def test_each_target_alone_with_an_attachment(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("hello")
    async with served(tmp_path) as service:
        seen: list[bytes] = []

        def read(params: dict[str, list[str]]) -> object:
            seen.extend(Path(path).read_bytes() for path in params["attachment"])
            return {"timestamp": 1700000000123, "results": []}

        service.daemon.on("send", read)
        assert await send(service.courier.server.port, BEN, f"@{GROUP_ID}", attachment=file)
        assert len(service.asked()) == 2
    assert seen == [b"hello", b"hello"]


async def test_failure_is_noticed(tmp_path: Path) -> None:
    async with served(tmp_path, {"send": Failure(-1, "no")}) as service:
        assert not await send(service.courier.server.port, BEN)


async def test_token_is_the_password(tmp_path: Path) -> None:
    async with served(tmp_path, trust_loopback=False) as service:
        _, token = await service.courier.tokens.create(new_token("alerts", ["send"], recipients=[BEN]))
        port = service.courier.server.port
        assert await send(port, BEN, login=f"apprise:{token}")
        assert not await send(port, "+4915100000003", login=f"apprise:{token}")
        assert not await send(port, BEN)
        assert len(service.asked()) == 1
