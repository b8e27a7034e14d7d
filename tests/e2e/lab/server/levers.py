"""The HTTP interface for tests: what in the world is done by other people's phones, by time and by bad luck."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web

from tests.e2e.lab.datafolder import read_accounts
from tests.e2e.lab.levers import AccountView, Demand, Flood, Levers, Load, Outage, RawEnvelope, Target, Weather
from tests.e2e.lab.server.application import SignalServers
from tests.e2e.lab.server.challenges import ChallengeDesk
from tests.e2e.lab.server.faults import Fault
from tests.e2e.lab.server.messages import Sender
from tests.e2e.lab.server.network import Account, Device, now_ms


class LeverServer:
    """Answers `tests.e2e.lab.levers.Levers`."""

    def __init__(self, servers: SignalServers) -> None:
        self._servers = servers

    async def start(self) -> tuple[web.AppRunner, int]:
        """Listens on a free port of 127.0.0.1; gives the runner to clean up and the port."""
        application = web.Application()
        levers: dict[str, Callable[[bytes], Awaitable[object]]] = {
            "load": self._load,
            "fault": self._fault,
            "forget-faults": self._forget_faults,
            "outage": self._outage,
            "weather": self._weather,
            "demand-proof": self._demand_proof,
            "unlink": self._unlink,
            "unregister": self._unregister,
            "flood": self._flood,
            "push": self._push,
            "account": self._account,
            "seen": self._seen,
        }
        assert set(levers) == set(Levers.NAMES)
        for name, lever in levers.items():
            application.router.add_post(f"/{name}", _handler(lever))
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, int(runner.addresses[0][1])

    async def _load(self, body: bytes) -> None:
        for stored in read_accounts(Path(msgspec.json.decode(body, type=Load).data_folder)):
            if not stored.registered:
                continue
            network = self._servers.network
            aci, pni = stored.aci_account_data, stored.pni_account_data
            before = network.by_number(stored.number)
            if before is not None and before.aci != aci.service_id:
                network.remove(before)  # a number belongs to one account
            account = network.by_aci(aci.service_id)
            if account is None:
                account = network.add(Account(stored.number, aci.service_id, pni.service_id.removeprefix("PNI:")))
            account.identity_keys = {"aci": aci.identity_public_key, "pni": pni.identity_public_key}
            registration_ids = {"aci": aci.registration_id, "pni": pni.registration_id}
            account.devices[stored.device_id] = Device(
                stored.device_id, stored.password, {"aci": registration_ids["aci"], "pni": registration_ids["pni"]}
            )

    async def _fault(self, body: bytes) -> None:
        self._servers.faults.waiting.append(msgspec.json.decode(body, type=Fault))

    async def _forget_faults(self, _body: bytes) -> None:
        self._servers.faults.waiting.clear()

    async def _outage(self, body: bytes) -> None:
        self._servers.faults.outage = msgspec.json.decode(body, type=Outage).on
        if self._servers.faults.outage:
            await self._servers.sockets.close_all()

    async def _weather(self, body: bytes) -> None:
        weather = msgspec.json.decode(body, type=Weather)
        self._servers.faults.delay_seconds = weather.delay_seconds
        self._servers.sockets.drops_after_seconds = weather.drops_after_seconds
        self._servers.faults.refuses_files = weather.refuses_files
        await self._servers.post.disturb(twice=weather.twice, swapped=weather.swapped)

    async def _demand_proof(self, body: bytes) -> str:
        return ChallengeDesk.demand(self._find(body), msgspec.json.decode(body, type=Demand).after)

    async def _unlink(self, body: bytes) -> None:
        target = msgspec.json.decode(body, type=Target)
        await self._find(body).remove_device(target.device)

    async def _unregister(self, body: bytes) -> None:
        account = self._find(body)
        self._servers.network.remove(account)
        await account.remove_all_devices()

    async def _flood(self, body: bytes) -> None:
        flood = msgspec.json.decode(body, type=Flood)
        account, sender = self._servers.network.by_number(flood.account), self._servers.network.by_number(flood.sender)
        if account is None or sender is None:
            raise web.HTTPNotFound
        await self._servers.post.deliver_receipts(account, sender, flood.timestamps)

    async def _push(self, body: bytes) -> None:
        pushed = msgspec.json.decode(body, type=RawEnvelope)
        sender = None if pushed.sender is None else Sender(pushed.sender, 1)
        await self._servers.post.push(self._find(body), pushed.kind, pushed.content, sender, pushed.timestamp or now_ms())

    async def _account(self, body: bytes) -> AccountView:
        account = self._find(body)
        return AccountView(
            number=account.number,
            aci=account.aci,
            devices=sorted(account.devices),
            waiting=sum(len(device.mailbox.waiting) for device in account.devices.values()),
            connected=[device.id for device in account.devices.values() if device.mailbox.push is not None],
        )

    async def _seen(self, _body: bytes) -> object:
        return list(self._servers.seen)

    def _find(self, body: bytes) -> Account:
        account = self._servers.network.by_number(msgspec.json.decode(body, type=Target).account)
        if account is None:
            raise web.HTTPNotFound
        return account


def _handler(lever: Callable[[bytes], Awaitable[object]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        result = await lever(await request.read())
        return web.Response(body=msgspec.json.encode(result), content_type="application/json")

    return handle
