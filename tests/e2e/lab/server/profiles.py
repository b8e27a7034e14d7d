"""Profiles: encrypted for friends, with the credential that group membership rests on."""

import secrets
import time

from tests.e2e.lab.server.attachments import upload_form
from tests.e2e.lab.server.network import Account, Network, decode_base64, encode_base64
from tests.e2e.lab.server.requests import Answer, CamelStruct, Request, Routes
from tests.e2e.lab.server.zk import ZkServer

_DAY = 86_400
_CREDENTIAL_DAYS = 5


class NewProfile(CamelStruct, kw_only=True):
    """Body of `PUT /v1/profile`."""

    name: str | None = None
    about: str | None = None
    about_emoji: str | None = None
    phone_number_sharing: str | None = None
    commitment: str | None = None
    avatar: bool = False
    same_avatar: bool = False


class ProfileServer:
    """Everybody's profile."""

    def __init__(self, network: Network, zk: ZkServer) -> None:
        self._network = network
        self._zk = zk

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("PUT", "/v1/profile", self._put)
        routes.add("GET", "/v1/profile/{who}", self._show)
        routes.add("GET", "/v1/profile/{who}/{version}", self._show)
        routes.add("GET", "/v1/profile/{who}/{version}/{request}", self._show)

    async def _put(self, request: Request) -> Answer:
        new, profile = request.decode(NewProfile), request.sender.account.profile
        profile.name, profile.about, profile.about_emoji = new.name, new.about, new.about_emoji
        profile.phone_number_sharing, profile.commitment = new.phone_number_sharing, new.commitment
        if new.avatar and new.same_avatar:
            return Answer(200)
        profile.avatar = f"profiles/{secrets.token_urlsafe(12)}" if new.avatar else None
        return Answer(200, None if profile.avatar is None else upload_form(profile.avatar))

    async def _show(self, request: Request) -> Answer:
        found = self._network.by_service_id(request.parameters["who"])
        if found is None:
            return Answer(404)
        account, kind = found
        profile = account.profile
        asked = request.parameters.get("request")
        return Answer(
            200,
            {
                "uuid": account.aci,
                "identityKey": account.identity_keys[kind],
                "name": profile.name,
                "about": profile.about,
                "aboutEmoji": profile.about_emoji,
                "phoneNumberSharing": profile.phone_number_sharing,
                "avatar": profile.avatar,
                "credential": self._credential(account, bytes.fromhex(asked)) if asked else None,
                "unidentifiedAccess": encode_base64(bytes(32)),
                "unrestrictedUnidentifiedAccess": True,
                "capabilities": {"deleteSync": True, "storage": True, "versionedExpirationTimer": True, "ssre2": True},
                "badges": [],
            },
        )

    def _credential(self, account: Account, asked: bytes) -> str | None:
        if account.profile.commitment is None:
            return None
        expiration = int(time.time()) // _DAY * _DAY + _CREDENTIAL_DAYS * _DAY
        return encode_base64(self._zk.profile_credential(account.aci, asked, decode_base64(account.profile.commitment), expiration))
