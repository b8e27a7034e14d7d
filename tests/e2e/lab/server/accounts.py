"""What an account says about itself, and its list of devices."""

from tests.e2e.lab.server.network import Network
from tests.e2e.lab.server.requests import Answer, CamelStruct, Request, Routes


class Attributes(CamelStruct, kw_only=True):
    """Body of `PUT /v1/accounts/attributes`."""

    registration_id: int
    pni_registration_id: int | None = None
    name: str | None = None


class DeviceName(CamelStruct, kw_only=True):
    """Body of `PUT /v1/accounts/name`."""

    device_name: str


class AccountServer:
    """Accounts and devices that exist; `registration.py` and `linking.py` make them."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("GET", "/v1/keepalive", self._yes)
        routes.add("PUT", "/v1/accounts/attributes", self._attributes)
        routes.add("GET", "/v1/accounts/whoami", self._who_am_i)
        routes.add("PUT", "/v1/accounts/name", self._name_device)
        routes.add("DELETE", "/v1/accounts/me", self._delete)
        routes.add("PUT", "/v1/accounts/registration_lock", self._done)
        routes.add("DELETE", "/v1/accounts/registration_lock", self._done)
        routes.add("DELETE", "/v1/accounts/gcm", self._done)
        routes.add("GET", "/v1/accounts/account/{who}", self._exists)
        routes.add("GET", "/v1/devices", self._devices)
        routes.add("DELETE", "/v1/devices/{device}", self._remove_device)

    async def _yes(self, _request: Request) -> Answer:
        return Answer(200)

    async def _done(self, _request: Request) -> Answer:
        return Answer(204)

    async def _attributes(self, request: Request) -> Answer:
        attributes, device = request.decode(Attributes), request.sender.device
        device.registration_ids["aci"] = attributes.registration_id
        device.registration_ids["pni"] = attributes.pni_registration_id or device.registration_ids["pni"]
        device.name = attributes.name or device.name
        return Answer(204)

    async def _who_am_i(self, request: Request) -> Answer:
        account = request.sender.account
        return Answer(200, {"uuid": account.aci, "pni": account.pni, "number": account.number, "usernameHash": None})

    async def _name_device(self, request: Request) -> Answer:
        caller = request.sender
        device = caller.account.devices.get(int(request.query.get("deviceId", caller.device.id)))
        if device is None:
            return Answer(404)
        device.name = request.decode(DeviceName).device_name
        return Answer(204)

    async def _delete(self, request: Request) -> Answer:
        self._network.remove(request.sender.account)
        return Answer(204)

    async def _exists(self, request: Request) -> Answer:
        return Answer(404 if self._network.by_service_id(request.parameters["who"]) is None else 200)

    async def _devices(self, request: Request) -> Answer:
        return Answer(
            200,
            {
                "devices": [
                    {
                        "id": device.id,
                        "name": device.name,
                        "lastSeen": device.created_ms,
                        "registrationId": device.registration_ids["aci"],
                        "created": device.created_ms,
                        "createdAtCiphertext": None,
                    }
                    for device in request.sender.account.devices.values()
                ]
            },
        )

    async def _remove_device(self, request: Request) -> Answer:
        await request.sender.account.remove_device(int(request.parameters["device"]))
        return Answer(204)
