"""Hashed usernames and their links."""

from tests.e2e.lab.server.network import Network, Username
from tests.e2e.lab.server.requests import Answer, CamelStruct, Request, Routes


class Reservation(CamelStruct, kw_only=True):
    """Body of `PUT /v1/accounts/username_hash/reserve`."""

    username_hashes: list[str]


class Confirmation(CamelStruct, kw_only=True):
    """Body of `PUT /v1/accounts/username_hash/confirm`."""

    username_hash: str
    encrypted_username: str | None = None


class NewLink(CamelStruct, kw_only=True):
    """Body of `PUT /v1/accounts/username_link`."""

    username_link_encrypted_value: str


class UsernameServer:
    """Finds accounts by the hash of their username."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("PUT", "/v1/accounts/username_hash/reserve", self._reserve)
        routes.add("PUT", "/v1/accounts/username_hash/confirm", self._confirm)
        routes.add("DELETE", "/v1/accounts/username_hash", self._delete)
        routes.add("GET", "/v1/accounts/username_hash/{hash}", self._find)
        routes.add("PUT", "/v1/accounts/username_link", self._link)
        routes.add("GET", "/v1/accounts/username_link/{handle}", self._find_link)

    async def _reserve(self, request: Request) -> Answer:
        taken = {_plain(account.username.hash) for account in self._network if account.username and account is not request.sender.account}
        free = [wanted for wanted in request.decode(Reservation).username_hashes if _plain(wanted) not in taken]
        return Answer(200, {"usernameHash": free[0]}) if free else Answer(409)

    async def _confirm(self, request: Request) -> Answer:
        body = request.decode(Confirmation)
        name = request.sender.account.username = Username(body.username_hash, body.encrypted_username)
        return Answer(200, {"usernameHash": name.hash, "usernameLinkHandle": name.handle})

    async def _delete(self, request: Request) -> Answer:
        request.sender.account.username = None
        return Answer(204)

    async def _find(self, request: Request) -> Answer:
        wanted = _plain(request.parameters["hash"])
        for account in self._network:
            if account.username and _plain(account.username.hash) == wanted:
                return Answer(200, {"uuid": account.aci})
        return Answer(404)

    async def _link(self, request: Request) -> Answer:
        account = request.sender.account
        if account.username is None:
            return Answer(409)
        encrypted = request.decode(NewLink).username_link_encrypted_value
        account.username = Username(account.username.hash, encrypted)
        return Answer(200, {"usernameLinkHandle": account.username.handle})

    async def _find_link(self, request: Request) -> Answer:
        for account in self._network:
            if account.username and account.username.handle == request.parameters["handle"]:
                return Answer(200, {"usernameLinkEncryptedValue": account.username.encrypted})
        return Answer(404)


def _plain(hashed: str) -> str:
    return hashed.rstrip("=")
