"""Public keys of devices: put up by their owner, taken by whoever wants to write."""

from typing import cast

from tests.e2e.lab.server.network import Device, KeyStock, Kind, Network, PublicKey
from tests.e2e.lab.server.requests import Answer, CamelStruct, Request, Routes


class NewKeys(CamelStruct, kw_only=True):
    """Body of `PUT /v2/keys`; what is missing stays as it was."""

    pre_keys: list[PublicKey] | None = None
    pq_pre_keys: list[PublicKey] | None = None
    signed_pre_key: PublicKey | None = None
    pq_last_resort_pre_key: PublicKey | None = None


class DeviceBundle(CamelStruct, kw_only=True):
    """What somebody needs to write to a device for the first time."""

    device_id: int
    registration_id: int
    signed_pre_key: PublicKey
    pre_key: PublicKey | None
    pq_pre_key: PublicKey | None


def put_up(
    stock: KeyStock,
    *,
    signed: PublicKey | None = None,
    last_resort: PublicKey | None = None,
    one_time: list[PublicKey] | None = None,
    one_time_kyber: list[PublicKey] | None = None,
) -> None:
    """Replaces what is given."""
    if signed is not None:
        stock.signed = signed
    if last_resort is not None:
        stock.last_resort = last_resort
    if one_time is not None:
        stock.one_time = one_time
    if one_time_kyber is not None:
        stock.one_time_kyber = one_time_kyber


class KeyServer:
    """The keys of all devices."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def install(self, routes: Routes) -> None:
        """Adds the routes."""
        routes.add("GET", "/v2/keys", self._count)
        routes.add("PUT", "/v2/keys", self._put)
        routes.add("POST", "/v2/keys/check", self._check)
        routes.add("GET", "/v2/keys/{who}/{device}", self._take)

    async def _count(self, request: Request) -> Answer:
        stock = request.sender.device.keys[_kind(request)]
        return Answer(200, {"count": len(stock.one_time), "pqCount": len(stock.one_time_kyber)})

    async def _put(self, request: Request) -> Answer:
        keys = request.decode(NewKeys)
        put_up(
            request.sender.device.keys[_kind(request)],
            signed=keys.signed_pre_key,
            last_resort=keys.pq_last_resort_pre_key,
            one_time=keys.pre_keys,
            one_time_kyber=keys.pq_pre_keys,
        )
        return Answer(204)

    async def _check(self, _request: Request) -> Answer:
        return Answer(200)

    async def _take(self, request: Request) -> Answer:
        found = self._network.by_service_id(request.parameters["who"])
        if found is None:
            return Answer(404)
        account, kind = found
        wanted = request.parameters["device"]
        devices = [device for device in account.devices.values() if wanted in {"*", str(device.id)}]
        bundles = [bundle for device in devices if (bundle := _bundle(device, kind)) is not None]
        if not bundles:
            return Answer(404)
        return Answer(200, {"identityKey": account.identity_keys[kind], "devices": bundles})


def _kind(request: Request) -> Kind:
    return cast("Kind", request.query.get("identity", "aci"))


def _bundle(device: Device, kind: Kind) -> DeviceBundle | None:
    stock = device.keys[kind]
    if stock.signed is None:
        return None
    return DeviceBundle(
        device_id=device.id,
        registration_id=device.registration_ids[kind],
        signed_pre_key=stock.signed,
        pre_key=stock.one_time.pop() if stock.one_time else None,
        pq_pre_key=stock.one_time_kyber.pop() if stock.one_time_kyber else stock.last_resort,
    )
