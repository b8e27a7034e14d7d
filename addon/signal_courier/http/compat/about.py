"""`/v1/about` and `/v1/health`: what clients ask first."""

from functools import lru_cache

import msgspec
from aiohttp import web

from signal_courier import __version__
from signal_courier.http.answers import empty, json_answer, json_bytes
from signal_courier.http.call import Call
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.model.dialects import Dialect

routes = RouteTable("General")

_RELEASES = {Dialect.V0_101: "0.101", Dialect.V0_100: "0.100", Dialect.MORPH027: "0.101"}


class About(msgspec.Struct):
    """What this service is and can; the keys of upstream and of morph027 together."""

    versions: tuple[str, ...]
    build: int
    mode: str
    """Always `json-rpc`: clients decide by it whether messages can be pushed to them, and they can in every mode."""
    version: str
    """The release of bbernhard/signal-cli-rest-api whose behaviour the caller gets."""
    capabilities: dict[str, tuple[str, ...]]
    signal_cli: str
    """Version of signal-cli, empty until it is known."""
    courier: str
    """Version of this service."""


_EXAMPLE = {
    "versions": ["v1", "v2"],
    "build": 2,
    "mode": "json-rpc",
    "version": "0.101",
    "capabilities": {"v2/send": ["quotes", "mentions"]},
    "signal_cli": "0.14.6",
    "courier": __version__,
}


@routes.add("GET", "/v1/about", scope=None, answers=[Answer(200, "Versions and capabilities.", About, example=_EXAMPLE)])
async def about(call: Call[None, None]) -> web.StreamResponse:
    """Tell versions and capabilities.

    Clients decide by it what they may send: `versions`, `mode` (always `json-rpc`), `capabilities` and the release whose answers they get
    are as signal-cli-rest-api tells them. `courier` and `signal_cli` are what really runs.
    """
    services = call.services
    return json_bytes(_rendered(services.settings.build_version or _RELEASES[call.dialect], services.engine.status.version or ""))


@lru_cache(16)
def _rendered(version: str, signal_cli: str) -> bytes:
    """The answer's bytes: it hardly ever changes, and monitors ask for it all day."""
    return msgspec.json.encode(
        About(
            versions=("v1", "v2"),
            build=2,
            mode="json-rpc",
            version=version,
            capabilities={"v2/send": ("quotes", "mentions")},
            signal_cli=signal_cli,
            courier=__version__,
        )
    )


class Health(msgspec.Struct):
    """The JSON form of health, for those who ask for it."""

    status: str


class HealthQuery(msgspec.Struct):
    """How to answer."""

    format: str = ""
    """`json` for a body; without, the answer is empty."""


@routes.add(
    "GET", "/v1/health", scope=None, query=HealthQuery, quiet=True,
    answers=[Answer(204, "The service is alive."), Answer(200, "The same as JSON, when asked for.", Health, example={"status": "ok"})],
)  # fmt: skip
async def health(call: Call[None, HealthQuery]) -> web.StreamResponse:
    """Tell whether the service is alive.

    204 without a body, as clients expect; JSON with `?format=json` or `Accept: application/json`.
    """
    if call.query.format == "json" or call.request.headers.get("Accept", "").partition(";")[0].strip() == "application/json":
        return json_answer(Health("ok"))
    return empty()
