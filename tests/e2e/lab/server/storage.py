"""The storage service: an account's settings and contacts, encrypted, shared by its devices."""

from dataclasses import dataclass, field

from aiohttp import web

from tests.e2e.lab import protobuf
from tests.e2e.lab.server.network import Network, basic_credentials
from tests.e2e.lab.server.requests import Answer, Request, Routes


@dataclass(slots=True)
class _Store:
    version: int = -1
    manifest: bytes | None = None
    items: dict[bytes, bytes] = field(default_factory=dict)


class StorageServer:
    """One store an account; the protobufs are StorageManifest, ReadOperation and WriteOperation of Signal's StorageService.proto."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._stores: dict[str, _Store] = {}

    def install(self, routes: Routes) -> None:
        """Adds the chat server's route that gives leave."""
        routes.add("GET", "/v1/storage/auth", self._allow)

    async def _allow(self, request: Request) -> Answer:
        return Answer(200, {"username": request.sender.account.aci, "password": "storage"})

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Requests to storage.signal.org below `/v1/storage`."""
        user, _password = basic_credentials(request.headers.get("Authorization", ""))
        if self._network.by_aci(user) is None:
            return web.Response(status=401)
        store = self._stores.setdefault(user, _Store())
        body = await request.read()
        if request.path.startswith("/v1/storage/manifest"):
            return _manifest(store, request.path)
        if request.path == "/v1/storage/read":
            wanted = protobuf.Message(body).all_data(1)
            found = [protobuf.message((1, key), (2, store.items[key])) for key in wanted if key in store.items]
            return web.Response(body=b"".join(protobuf.field(1, item) for item in found))
        if request.path == "/v1/storage" and request.method == "PUT":
            _write(store, protobuf.Message(body))
            return web.Response()
        return web.Response(status=404)


def _manifest(store: _Store, path: str) -> web.Response:
    newer_than = path.rsplit("/", 1)[-1] if "/version/" in path else None
    if store.manifest is None:
        return web.Response(status=404 if newer_than is None else 204)
    if newer_than == str(store.version):
        return web.Response(status=204)
    return web.Response(body=store.manifest)


def _write(store: _Store, operation: protobuf.Message) -> None:
    if operation.integer(4):
        store.items.clear()
    store.manifest = operation.data(1)
    store.version = protobuf.Message(store.manifest).integer(1)
    for item in operation.all_messages(2):
        store.items[item.data(1)] = item.data(2)
    for key in operation.all_data(3):
        store.items.pop(key, None)
