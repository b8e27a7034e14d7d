"""Commands about the devices of an account."""

import msgspec

from signal_courier.engine.answers import Device, LinkUri, Number
from signal_courier.engine.commands.asking import Asking

_number = msgspec.json.Decoder(Number)
_devices = msgspec.json.Decoder(list[Device])
_link = msgspec.json.Decoder(LinkUri)


class DeviceCommands(Asking):
    """Linking and unlinking."""

    async def start_link(self) -> str:
        """Begin to link this device to a phone; gives the uri for the QR code."""
        return (await self._ask("startLink", _link)).device_link_uri

    async def finish_link(self, *, device_link_uri: str, device_name: str | None = None) -> str | None:
        """Wait until the phone has scanned the code (about 100 s at most); gives the account's number."""
        return (await self._ask("finishLink", _number, deviceLinkUri=device_link_uri, deviceName=device_name)).number

    async def list_devices(self, account: str) -> list[Device]:
        """The account's devices."""
        return await self._ask("listDevices", _devices, account=account)

    async def add_device(self, account: str, *, uri: str) -> None:
        """Link another device, by the `sgnl://linkdevice?…` uri that it shows."""
        await self._do("addDevice", account=account, uri=uri)

    async def remove_device(self, account: str, *, device_id: int) -> None:
        """Unlink a device."""
        await self._do("removeDevice", account=account, deviceId=device_id)

    async def update_device(self, account: str, *, device_id: int, device_name: str) -> None:
        """Rename a device (0.13.23)."""
        await self._do("updateDevice", account=account, deviceId=device_id, deviceName=device_name)
