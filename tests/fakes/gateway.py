"""The service before the simulator at full speed, as clients of the gateway meet it: with a credential, or with a token."""

import base64
import contextlib
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import new_token
from signal_courier.engine.simulator import Simulator
from tests.fakes.served import Reply, Service, simulated


@dataclass
class Client:
    """Somebody who shows something."""

    service: Service
    authorization: str | None

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        shown = {"Authorization": self.authorization} if self.authorization is not None else {}
        return await self.service.request(method, f"/api/v1/{path}", body, **(shown | headers))

    async def told(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
        """Status and the text of the error."""
        answer = await self.ask(method, path, body, **headers)
        assert list(answer.json) == ["error"], answer.json
        return answer.status, answer.json["error"]


_start = Simulator.__init__


def _fast(self: Simulator, folder: Path, config_dir: Path) -> None:
    _start(self, folder, config_dir, speed=math.inf)


class Gateway:
    """The service; nobody is trusted without a token."""

    def __init__(self, service: Service, secret: str) -> None:
        self.service = service
        self.admin = self.basic("whoever", secret)
        self.nobody = Client(service, None)

    def basic(self, client_id: str, secret: str) -> Client:
        return Client(self.service, "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode())

    def bearer(self, token: str) -> Client:
        return Client(self.service, f"Bearer {token}")

    async def credential(self, client_id: str = "my-app", scopes: list[str] | None = None) -> Client:
        made = await self.admin.ask("POST", "credentials", {"client_id": client_id})
        assert made.status == 201
        if scopes is not None:
            assert (await self.admin.ask("PUT", f"credentials/{client_id}", {"scopes": scopes})).status == 200
        return self.basic(client_id, made.json["client_secret"])

    async def token(self, credential: Client | None = None, **wish: Any) -> Client:
        made = await (credential or self.admin).ask("POST", "tokens", wish)
        assert made.status == 201, made.json
        return self.bearer(made.json["token"])

    async def native(self, *scopes: Scope, **limits: Any) -> Client:
        _, secret = await self.service.courier.tokens.create(new_token("native", scopes, **limits))
        return self.bearer(secret)


@contextlib.asynccontextmanager
async def gateway(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, trust_loopback: bool = False, **settings: Any
) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(Simulator, "__init__", _fast)
    async with simulated(folder, trust_loopback=trust_loopback, **settings) as service:
        _, secret = await service.courier.tokens.create(new_token("admin", [Scope.ADMIN]))
        yield Gateway(service, secret)
