"""What it costs a request to be judged."""

import time
from pathlib import Path

import pytest
from aiohttp import web

from signal_courier.access.tokens import new_token
from signal_courier.http.auth import split_path
from tests.fakes.served import ACCOUNT, Service, simulated

BEN = "+4915100000011"
ROUNDS, REQUESTS = 9, 5_000


async def _microseconds(service: Service, prefix: str, **headers: str) -> float:
    """The best of some rounds over one real request."""
    server, seen = service.courier.server, list[web.BaseRequest]()
    gate = server._gate
    judge = gate.identify

    def keep(request: web.BaseRequest, token: str | None, target: str, *, ingress: bool) -> object:
        seen.append(request)
        return judge(request, token, target, ingress=ingress)

    gate.identify = keep  # type: ignore[assignment,method-assign]
    answer = await service.request("PUT", f"{prefix}/v1/typing-indicator/{ACCOUNT}", {"recipient": BEN}, **headers)
    gate.identify = judge  # type: ignore[method-assign]
    assert answer.status == 204
    request = seen[0]
    match = server.router.match("PUT", split_path(request.raw_path)[1])
    assert match is not None
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(REQUESTS):
            token, target = split_path(request.raw_path)
            caller = judge(request, token, target, ingress=False)
            assert caller is not None
            gate.check(caller, match)
        best = min(best, (time.perf_counter() - begin) / REQUESTS * 1e6)
    return best


@pytest.mark.slow
async def test_judging_a_request_takes_microseconds(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    async with simulated(tmp_path) as service:
        _, secret = await service.courier.tokens.create(new_token("x", ["send"], accounts=[ACCOUNT], recipients=[BEN]))
        costs = {
            "loopback": await _microseconds(service, ""),
            "Bearer": await _microseconds(service, "", Authorization=f"Bearer {secret}"),
            "X-Api-Key": await _microseconds(service, "", **{"X-Api-Key": secret}),
            "path": await _microseconds(service, f"/t/{secret}"),
        }
    with capsys.disabled():
        print(" " + ", ".join(f"{way} {cost:.1f} us" for way, cost in costs.items()), end="")
    assert costs["loopback"] < 10, "about 2 on a machine of 2026"
    assert max(costs.values()) < 20, "about 4"
