"""The floor: a bare aiohttp server with the same payloads and nothing else. Run as `python -m tests.bench.bare PORT SOCKET`.

It decodes the JSON, asks the same daemon over one multiplexed connection, and answers: no validation, no access control, no storage.
"""

import asyncio
import gc
import itertools
import sys
from typing import Any

import msgspec
from aiohttp import WSMsgType, web

_decode = msgspec.json.decode
_encode = msgspec.json.encode


class _Daemon:
    def __init__(self, path: str) -> None:
        self._path = path
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.sockets: set[web.WebSocketResponse] = set()

    async def open(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(self._path, limit=1 << 24)
        self._task = asyncio.create_task(self._read(reader))

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            answer = _decode(line)
            if "id" in answer:
                self._waiting.pop(answer["id"]).set_result(answer["result"])
                continue
            text = _encode(answer["params"]).decode()
            for socket in self.sockets:
                await socket.send_str(text)

    async def call(self, method: str, params: dict[str, object]) -> Any:
        number = next(self._ids)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write(_encode({"jsonrpc": "2.0", "method": method, "params": params, "id": number}) + b"\n")
        return await future


async def _main(port: int, path: str) -> None:
    daemon = _Daemon(path)

    async def send(request: web.Request) -> web.Response:
        body = _decode(await request.read())
        answer = await daemon.call(
            "send", {"recipient": body["recipients"], "message": body["message"], "notifySelf": True, "account": body["number"]}
        )
        return web.Response(body=_encode([{"timestamp": str(answer["timestamp"])}]), status=201, content_type="application/json")

    async def post(request: web.Request) -> web.Response:
        body = _decode(await request.read())
        return web.Response(
            body=_encode([{"timestamp": "1700000000123", "to": len(body["recipients"])}]), status=201, content_type="application/json"
        )

    async def about(_request: web.Request) -> web.Response:
        return web.Response(body=_encode({"versions": ["v1", "v2"], "build": 2, "mode": "json-rpc"}), content_type="application/json")

    async def groups(request: web.Request) -> web.Response:
        answer = await daemon.call("listGroups", {"account": request.match_info["number"]})
        return web.Response(body=_encode(answer), content_type="application/json")

    async def receive(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        daemon.sockets.add(socket)
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        daemon.sockets.discard(socket)
        return socket

    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v2/send", send)
    app.router.add_post("/post", post)
    app.router.add_get("/v1/about", about)
    app.router.add_get("/v1/groups/{number}", groups)
    app.router.add_get("/v1/receive/{number}", receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await daemon.open()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2]))
