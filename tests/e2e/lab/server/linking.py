"""Linking a further device: an address to scan, the phone's message to it, the new device."""

import secrets
from collections.abc import Awaitable, Callable

from tests.e2e.lab.server.network import Account, basic_credentials, decode_base64
from tests.e2e.lab.server.registration import DeviceKeys, new_device
from tests.e2e.lab.server.requests import Answer, CamelStruct, Request, Routes

type Provision = Callable[[bytes], Awaitable[None]]


class ProvisioningMessage(CamelStruct, kw_only=True):
    """Body of `PUT /v1/provisioning/{address}`."""

    body: str


class NewDevice(DeviceKeys, kw_only=True):
    """Body of `PUT /v1/devices/link`."""

    verification_code: str


class LinkingDesk:
    """Devices that wait to be scanned, and codes the phones were given."""

    def __init__(self) -> None:
        self._waiting: dict[str, Provision] = {}
        self._codes: dict[str, Account] = {}

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("GET", "/v1/devices/provisioning/code", self._code)
        routes.add("PUT", "/v1/provisioning/{address}", self._provision)
        routes.add("PUT", "/v1/devices/link", self._link)

    def wait_for_scan(self, provision: Provision) -> str:
        """A new address; `provision` gets what the phone that scans it says."""
        address = secrets.token_urlsafe(16)
        self._waiting[address] = provision
        return address

    def stop_waiting(self, address: str) -> None:
        """Nobody listens at the address any more."""
        self._waiting.pop(address, None)

    async def _code(self, request: Request) -> Answer:
        code = secrets.token_hex(8)
        self._codes[code] = request.sender.account
        return Answer(200, {"verificationCode": code, "tokenIdentifier": secrets.token_hex(8)})

    async def _provision(self, request: Request) -> Answer:
        provision = self._waiting.get(request.parameters["address"])
        if provision is None:
            return Answer(404)
        await provision(decode_base64(request.decode(ProvisioningMessage).body))
        return Answer(204)

    async def _link(self, request: Request) -> Answer:
        body = request.decode(NewDevice)
        account = self._codes.pop(body.verification_code, None)
        if account is None:
            return Answer(403)
        device_id = max(account.devices, default=0) + 1
        _user, password = basic_credentials(request.headers.get("authorization", ""))
        account.devices[device_id] = new_device(device_id, password, body)
        return Answer(200, {"uuid": account.aci, "pni": account.pni, "deviceId": device_id})
