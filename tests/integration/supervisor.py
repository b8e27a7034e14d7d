"""A stand-in for the Supervisor: its HTTP interface as far as an app's installation needs it (aiohasupervisor is the client)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from homeassistant.components.hassio.const import DATA_COMPONENT
from homeassistant.components.hassio.handler import HassIO
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession

UUID = "5f1e0f4c9a0d4b8e8d7e6c5b4a392817"

_BASE: dict[str, Any] = {
    "advanced": False, "available": True, "build": False, "description": "Signal", "homeassistant": None, "icon": True, "logo": True,
    "name": "Signal Courier", "stage": "stable", "update_available": False, "url": None, "version_latest": "0.1.0",
    "arch": ["amd64", "aarch64"], "documentation": True, "apparmor": "profile", "auth_api": False, "docker_api": False,
    "full_access": False, "homeassistant_api": False, "host_network": False, "host_pid": False, "ingress": True, "long_description": None,
    "rating": 8, "signed": False, "hassio_api": True, "hassio_role": "default", "detached": False,
}  # fmt: skip
_INSTALLED: dict[str, Any] = {
    "hostname": "courier", "dns": [], "protected": True, "boot": "auto", "boot_config": "auto", "options": {}, "schema": [], "machine": [],
    "network": None, "network_description": None, "host_ipc": False, "host_uts": False, "host_dbus": False, "privileged": [],
    "changelog": True, "stdin": False, "gpio": False, "usb": False, "uart": False, "kernel_modules": False, "devicetree": False,
    "udev": False, "video": False, "audio": False, "startup": "services", "services": [], "discovery": ["signal_courier"],
    "translations": {}, "webui": None, "ingress_entry": None, "ingress_url": None, "ingress_port": None, "ingress_panel": False,
    "audio_input": None, "audio_output": None, "auto_update": False, "ip_address": "172.30.33.5", "watchdog": False, "devices": [],
    "system_managed": False, "system_managed_config_entry": None,
}  # fmt: skip


class Supervisor:
    """What it knows, and what it was asked to do."""

    def __init__(self, slug: str) -> None:
        self.slug = slug
        self.in_store = True
        self.installed = False
        self.started = False
        self.asked: list[str] = []
        """Every request that changes something."""
        self.failing: set[str] = set()
        """Paths that are refused, with 400."""
        self.told: dict[str, Any] | None = None
        """What the app says of itself once it runs."""
        self.version = self.latest = "0.1.0"
        """Which is installed, and which could be."""
        self.gate = asyncio.Event()
        """Installing and starting take until this is set."""
        self.gate.set()

    async def handle(self, request: web.Request) -> web.Response:
        """Any request."""
        path = request.path
        if request.method == "POST":
            self.asked.append(path)
            await self.gate.wait()
        if path in self.failing:
            return web.json_response({"result": "error", "message": f"{path} is refused"}, status=400)
        match request.method, path.removesuffix(f"/{self.slug}"), path:
            case "GET", "/store/addons", _:
                return self._app() if self.in_store else _unknown()
            case "GET", _, where if where == f"/addons/{self.slug}/info":
                return self._app() if self.installed else _unknown()
            case "GET", "/discovery", _:
                found = [{"addon": self.slug, "service": "signal_courier", "uuid": UUID, "config": self.told}]
                return _ok({"discovery": found if self.told is not None and self.started else []})
            case "POST", "/store/repositories", _:
                self.in_store = True
            case "POST", _, where if where == f"/store/addons/{self.slug}/install":
                self.installed = True
            case "POST", _, where if where == f"/addons/{self.slug}/start":
                self.started = True
            case "POST", _, where if where == f"/store/addons/{self.slug}/update":
                self.version = self.latest
            case "POST", "/backups/new/partial", _:
                return _ok({"job_id": UUID, "slug": "4711abcd"})
        return _ok({})

    def _app(self) -> web.Response:
        version = self.version if self.installed else None
        about = _BASE | {"slug": self.slug, "repository": self.slug.split("_")[0], "version": version, "installed": self.installed}
        about |= {"version_latest": self.latest, "update_available": version not in (None, self.latest)}
        if self.installed:
            about |= _INSTALLED | {"state": "started" if self.started else "stopped"}
        return _ok(about)


def _ok(data: dict[str, Any]) -> web.Response:
    return web.json_response({"result": "ok", "data": data})


def _unknown() -> web.Response:
    return web.json_response({"result": "error", "message": "App does not exist"}, status=404)


@asynccontextmanager
async def supervised(hass: HomeAssistant, slug: str) -> AsyncIterator[Supervisor]:
    """Home Assistant under a Supervisor."""
    supervisor = Supervisor(slug)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", supervisor.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hass.data[DATA_COMPONENT] = HassIO(hass.loop, async_get_clientsession(hass), f"127.0.0.1:{runner.addresses[0][1]}")
    hass.config.components.add("hassio")
    try:
        yield supervisor
    finally:
        supervisor.gate.set()
        await runner.cleanup()
