"""Others are called by https with the system's certificates, although they are not loaded before somebody is."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.service.access.test_tls import issue
from tests.service.faults.test_service_process import Service


@asynccontextmanager
async def _receiver(certificate: Path, key: Path) -> AsyncIterator[str]:
    async def take(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response(status=204)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    runner = web.ServerRunner(web.Server(take), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}/hook"
    finally:
        await runner.cleanup()


async def _posted(folder: Path, url: str, settings: dict[str, str]) -> Any:
    async with Service.running(folder, settings={"COURIER_ENGINE": "simulator", **settings}) as service, aiohttp.ClientSession() as session:
        hooks = f"http://127.0.0.1:{service.port}/api/v2/webhooks"
        async with session.post(hooks, json={"url": url}) as answer:
            name = (await answer.json())["webhook"]["id"]
        async with session.post(f"{hooks}/{name}/test") as answer:
            return await answer.json()


async def test_a_receiver_is_believed_whom_the_system_believes_and_no_other(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path, "receiver")
    async with _receiver(certificate, key) as url:
        believed = await _posted(tmp_path / "one", url, {"SSL_CERT_FILE": str(certificate)})
        assert (believed["outcome"], believed["status"]) == ("delivered", 204)
        unknown = await _posted(tmp_path / "other", url, {})
        assert unknown["outcome"] == "failed"
        assert "certificate" in unknown["error"].lower()
