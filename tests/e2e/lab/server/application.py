"""The servers put together: which host and path goes where."""

import collections
import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests.e2e.lab.server.accounts import AccountServer
from tests.e2e.lab.server.attachments import UPLOAD_LIMIT, ContentNetwork
from tests.e2e.lab.server.challenges import ChallengeDesk
from tests.e2e.lab.server.faults import Faults
from tests.e2e.lab.server.groups import GroupServer
from tests.e2e.lab.server.keys import KeyServer
from tests.e2e.lab.server.linking import LinkingDesk
from tests.e2e.lab.server.messages import Post
from tests.e2e.lab.server.network import Network, now_ms
from tests.e2e.lab.server.profiles import ProfileServer
from tests.e2e.lab.server.registration import RegistrationDesk
from tests.e2e.lab.server.requests import Answer, Request, Routes
from tests.e2e.lab.server.sealed import CertificateIssuer
from tests.e2e.lab.server.stickers import StickerServer
from tests.e2e.lab.server.storage import StorageServer
from tests.e2e.lab.server.usernames import UsernameServer
from tests.e2e.lab.server.websocket import ChatSocket
from tests.e2e.lab.server.zk import ZkServer

_LOGGER = logging.getLogger(__name__)
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that was answered."""

    verb: str
    path: str
    status: int


class SignalServers:
    """Chat, storage and content network, behind one TLS port."""

    def __init__(self, zk: ZkServer) -> None:
        self.network = Network()
        self.faults = Faults()
        self.issuer = CertificateIssuer()
        self.seen: collections.deque[Seen] = collections.deque(maxlen=_REMEMBERED)
        self.post = Post(self.network, self.issuer)
        self._linking = LinkingDesk()
        self._files = ContentNetwork()
        self._storage = StorageServer(self.network)
        self._groups = GroupServer(zk)
        self.sockets = ChatSocket(self.network, self._linking, self._chat)
        self._routes = Routes()
        topics = (
            RegistrationDesk(self.network),
            AccountServer(self.network),
            UsernameServer(self.network),
            KeyServer(self.network),
            self.post,
            ProfileServer(self.network, zk),
            self._linking,
            ChallengeDesk(),
            StickerServer(),
            self._files,
            self._storage,
            self._groups,
        )
        for topic in topics:
            topic.install(self._routes)

    async def start(self, certificate: Path) -> tuple[web.AppRunner, int]:
        """Listens on a free port of 127.0.0.1 with TLS; gives the runner to clean up and the port."""
        application = web.Application(client_max_size=UPLOAD_LIMIT)
        application.router.add_get("/v1/websocket/", self._websocket)
        application.router.add_get("/v1/websocket/provisioning/", self._provisioning)
        application.router.add_route("*", "/{path:.*}", self._rest)
        application.on_response_prepare.append(_stamp)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        return runner, int(runner.addresses[0][1])

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        self._refuse_in_outage(request)
        return await self.sockets.serve(request)

    async def _provisioning(self, request: web.Request) -> web.StreamResponse:
        self._refuse_in_outage(request)
        return await self.sockets.serve_provisioning(request)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        self._refuse_in_outage(request)
        host = request.host.partition(":")[0].removesuffix(".signal.org")
        if host == "cdn":
            return await self._files.serve_forms(request)
        if host.startswith("cdn") and host != "cdsi":
            if self.faults.refuses_files and request.method in {"PATCH", "PUT"}:
                await request.read()
                return web.Response(status=self.faults.refuses_files)
            return await self._files.serve_resumable(request)
        if host == "storage":
            groups = request.path.startswith("/v2/groups")
            return await (self._groups.serve(request) if groups else self._storage.serve(request))
        authorization = request.headers.get("Authorization", "")
        headers = {name.lower(): value for name, value in request.headers.items()}
        caller = self.network.authenticate(authorization) if authorization else None
        asked = Request(request.method, request.path, dict(request.query), headers, await request.read(), caller)
        answer = await self._chat(asked)
        return web.Response(status=answer.status, body=answer.body or None, headers=dict(answer.headers), content_type="application/json")

    async def _chat(self, request: Request) -> Answer:
        answer = await self.faults.strike(request, self._routes.answer) or await self._routes.answer(request)
        _LOGGER.info("%s %s -> %s %s", request.verb, request.path, answer.status, answer.body[:200] if answer.status >= 400 else b"")
        self.seen.append(Seen(request.verb, request.path, answer.status))
        return answer

    def _refuse_in_outage(self, request: web.Request) -> None:
        if self.faults.outage and request.transport is not None:
            request.transport.abort()
            raise web.HTTPServiceUnavailable


async def _stamp(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.setdefault("X-Signal-Timestamp", str(now_ms()))
