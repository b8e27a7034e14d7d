"""Signal's websocket: requests and answers in both directions as protobufs (WebSocketResources.proto)."""

import asyncio
import contextlib
import itertools

from aiohttp import WSMsgType, web

from tests.e2e.lab import protobuf
from tests.e2e.lab.server.linking import LinkingDesk
from tests.e2e.lab.server.network import Caller, Network, now_ms
from tests.e2e.lab.server.requests import Answer, Handler, Request, split_target

_REQUEST, _RESPONSE = 1, 2
_CLOSING_SECONDS = 0.5
"""How long a client may take to say goodbye."""
_REPLACED = 4409
"""Close code for a connection whose device has opened another one."""


class Connection:
    """One websocket: answers what comes, and asks the client to take messages."""

    def __init__(self, socket: web.WebSocketResponse, caller: Caller | None, handler: Handler) -> None:
        self._socket = socket
        self._caller = caller
        self._handler = handler
        self._ids = itertools.count(1)
        self._offered: dict[int, str] = {}
        """Guids of messages by the id of the request that offers them."""

    async def ask(self, verb: str, path: str, body: bytes = b"", *headers: str) -> int:
        """Sends a request and gives its id; nothing is done when the connection is closing."""
        request_id = next(self._ids)
        request = protobuf.message((1, verb), (2, path), (3, body or None), *((5, header) for header in headers), (4, request_id))
        await self._send(protobuf.message((1, _REQUEST), (2, request)))
        return request_id

    async def offer(self, guid: str, envelope: bytes) -> None:
        """Offers a message; it leaves the mailbox when the client says yes."""
        request_id = next(self._ids)
        self._offered[request_id] = guid
        header = f"X-Signal-Timestamp: {now_ms()}"
        request = protobuf.message((1, "PUT"), (2, "/api/v1/message"), (3, envelope), (5, header), (4, request_id))
        await self._send(protobuf.message((1, _REQUEST), (2, request)))

    async def close(self, code: int = 1001) -> None:
        """Ends the connection."""
        await self._socket.close(code=code)

    async def serve(self) -> None:
        """Until the client goes away."""
        async with asyncio.TaskGroup() as tasks:
            async for frame in self._socket:
                if frame.type is not WSMsgType.BINARY:
                    continue
                message = protobuf.Message(frame.data)
                if message.integer(1) == _REQUEST:
                    tasks.create_task(self._answer(message.message(2)))
                else:
                    self._answered(message.message(3))

    async def _answer(self, request: protobuf.Message) -> None:
        path, query = split_target(request.text(2))
        headers = dict(_header(line.decode()) for line in request.all_data(5))
        answer = await self._handler(Request(request.text(1), path, query, headers, request.data(3), self._caller))
        await self._send(protobuf.message((1, _RESPONSE), (3, _response(request.integer(4), answer))))

    async def _send(self, frame: bytes) -> None:
        """Sends, unless the client is gone; that it is, `serve` will notice."""
        if not self._socket.closed:
            with contextlib.suppress(ConnectionError):
                await self._socket.send_bytes(frame)

    def _answered(self, response: protobuf.Message) -> None:
        guid = self._offered.pop(response.integer(1), None)
        if guid is not None and self._caller is not None and response.integer(2) < 300:
            self._caller.device.mailbox.acknowledge(guid)


class ChatSocket:
    """The websockets of the chat server."""

    def __init__(self, network: Network, linking: LinkingDesk, handler: Handler) -> None:
        self._network = network
        self._linking = linking
        self._handler = handler
        self._open: set[Connection] = set()
        self.drops_after_seconds: float | None = None
        """How long a connection lasts; None: as long as it is wanted."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`/v1/websocket/`: with credentials the mailbox is emptied over it, without it takes sealed messages and the like."""
        authorization = request.headers.get("Authorization")
        caller = self._network.authenticate(authorization) if authorization else None
        if authorization and caller is None:
            return web.Response(status=403)
        socket = web.WebSocketResponse(max_msg_size=0, timeout=_CLOSING_SECONDS)
        await socket.prepare(request)
        connection = Connection(socket, caller, self._handler)
        self._open.add(connection)
        drop = None
        if self.drops_after_seconds is not None and request.transport is not None:
            drop = asyncio.get_running_loop().call_later(self.drops_after_seconds, request.transport.abort)
        try:
            if caller is None:
                await connection.serve()
            else:
                await self._serve_device(connection, caller)
        finally:
            self._open.discard(connection)
            if drop is not None:
                drop.cancel()
        return socket

    async def serve_provisioning(self, request: web.Request) -> web.StreamResponse:
        """`/v1/websocket/provisioning/`: a new device waits to be scanned."""
        socket = web.WebSocketResponse(timeout=_CLOSING_SECONDS)
        await socket.prepare(request)
        connection = Connection(socket, None, self._handler)

        async def provision(message: bytes) -> None:
            await connection.ask("PUT", "/v1/message", message)

        address = self._linking.wait_for_scan(provision)
        self._open.add(connection)
        try:
            await connection.ask("PUT", "/v1/address", protobuf.field(1, address))
            await connection.serve()
        finally:
            self._open.discard(connection)
            self._linking.stop_waiting(address)
        return socket

    async def close_all(self) -> None:
        """Ends every connection, as an outage does."""
        await asyncio.gather(*(connection.close() for connection in list(self._open)))

    async def _serve_device(self, connection: Connection, caller: Caller) -> None:
        device, mailbox = caller.device, caller.device.mailbox
        if device.disconnect is not None:
            await device.disconnect()

        async def disconnect() -> None:
            await connection.close(_REPLACED)

        device.disconnect = disconnect
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(connection.serve())
                offered: set[str] = set()
                while late := [guid for guid in mailbox.waiting if guid not in offered]:
                    for guid in late:
                        if guid in mailbox.waiting:
                            await connection.offer(guid, mailbox.waiting[guid])
                    offered.update(late)
                mailbox.push = connection.offer  # nothing is late any more, so that the order is kept
                await connection.ask("PUT", "/api/v1/queue/empty")
        finally:
            if device.disconnect is disconnect:
                device.disconnect, mailbox.push = None, None


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _response(request_id: int, answer: Answer) -> bytes:
    headers = ["Content-Type:application/json", *(f"{name}:{value}" for name, value in answer.headers.items())]
    reason = "OK" if answer.status < 300 else "Error"
    return protobuf.message(
        (1, request_id), (2, answer.status), (3, reason), *((5, header) for header in headers), (4, answer.body or None)
    )
