"""A real Home Assistant: made ready without its dialogs, started, asked over REST and WebSocket."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import aiohttp

from tests.live.processes import Program, free_port
from tests.live.service import ROOT

_START_SECONDS = 240
_COMPLAINTS = (b"Detected that custom integration", b"was still running after", b"Detected blocking call", b"deprecated")
CONFIGURATION = """
homeassistant:
  name: Live
  time_zone: Europe/Berlin
  country: DE
  unit_system: metric
frontend:
config:
history:
logbook:
system_health:
conversation:
logger:
  default: warning
  logs:
    homeassistant.bootstrap: info
    custom_components.signal_courier: debug
input_boolean:
  garden_light:
    name: Garden light
automation: !include automations.yaml
script: !include scripts.yaml
"""


class Socket:
    """A logged-in WebSocket."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self._raw = raw
        self._last = 0

    async def ask(self, kind: str, **fields: object) -> Any:
        """A command; its result. Events that come meanwhile are dropped."""
        self._last += 1
        await self._raw.send_json({"id": self._last, "type": kind, **fields})
        while True:
            answer = await self._raw.receive_json(timeout=30)
            if answer["id"] == self._last and answer["type"] == "result":
                assert answer["success"], f"{kind} {fields}: {answer['error']}"
                return answer["result"]

    async def event(self, *, within: float = 60) -> dict[str, Any]:
        """The next event of a subscription."""
        async with asyncio.timeout(within):
            while True:
                answer = await self._raw.receive_json()
                if answer["type"] == "event":
                    event: dict[str, Any] = answer["event"]
                    return event


class HomeAssistant:
    """One configuration folder with Home Assistant running on it."""

    def __init__(
        self, folder: Path, session: aiohttp.ClientSession, *, configuration: str = CONFIGURATION, components: Collection[Path] = ()
    ) -> None:
        """`components`: folders of custom components beside ours."""
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.tokens: dict[str, Any] = {}
        """What the login gave, as the frontend keeps it."""
        self._session = session
        folder.mkdir()
        (folder / ".storage").mkdir()
        (folder / "custom_components").mkdir()
        for component in (ROOT / "custom_components" / "signal_courier", *components):
            (folder / "custom_components" / component.name).symlink_to(component)
        (folder / "configuration.yaml").write_text(configuration, encoding="utf-8")
        (folder / "automations.yaml").write_text("[]\n", encoding="utf-8")
        (folder / "scripts.yaml").write_text("{}\n", encoding="utf-8")
        # Its YAML would only be tried for five minutes.
        http = {
            "stable": {
                "server_host": ["127.0.0.1"],
                "server_port": self.port,
                "cors_allowed_origins": ["https://cast.home-assistant.io"],
                "login_attempts_threshold": -1,
                "ip_ban_enabled": True,
                "ssl_profile": "modern_v6",
                "use_x_frame_options": True,
                "created_at": "2026-01-01T00:00:00+00:00",
                "error": None,
                "error_message": None,
            },
            "pending": None,
            "yaml_migration_done": True,
        }
        self._store("http", 3, http)
        self.program = Program([sys.executable, "-m", "homeassistant", "-c", str(folder), "--skip-pip"], folder)

    def _store(self, name: str, version: int, data: object) -> None:
        content = {"version": version, "minor_version": 1, "key": name, "data": data}
        (self.folder / ".storage" / name).write_text(json.dumps(content), encoding="utf-8")

    async def start(self) -> None:
        """Starts it and waits until everything is set up."""
        await self.program.start()
        await self.program.says(rb"Home Assistant initialized in", within=_START_SECONDS)

    async def stop(self) -> None:
        """Stops it; its state is written then. It must have had nothing to say against the integration."""
        await self.program.stop(within=60)
        complaints = [line for line in self.program.said().splitlines() if b"signal_courier" in line and any(map(line.count, _COMPLAINTS))]
        assert complaints == []

    async def kill(self) -> None:
        """Ends it without a word."""
        await self.program.kill()

    async def restart(self) -> None:
        """Stops and starts it."""
        await self.stop()
        await self.start()

    async def onboard(self) -> None:
        """Makes a user and logs in; what the first dialogs would ask beyond that is marked as answered, which takes a restart."""
        client = f"{self.base}/"
        user = {"client_id": client, "name": "Live", "username": "live", "password": "live-password", "language": "en"}
        async with self._session.post(f"{self.base}/api/onboarding/users", json=user) as answer:
            code = (await answer.json())["auth_code"]
        form = {"grant_type": "authorization_code", "code": code, "client_id": client}
        async with self._session.post(f"{self.base}/auth/token", data=form) as answer:
            tokens = await answer.json()
        self.tokens = tokens | {"hassUrl": self.base, "clientId": client, "expires": 4_000_000_000_000}
        await self.stop()
        self._store("onboarding", 4, {"done": ["user", "core_config", "analytics", "integration"]})
        await self.start()

    @property
    def headers(self) -> dict[str, str]:
        """For requests."""
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    async def call(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Any:
        """A REST request; its JSON."""
        async with self._session.request(method, self.base + path, json=body, headers=self.headers) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{method} {path}: {answer.status} {text[:1000]}"
            return json.loads(text) if "json" in answer.content_type else text

    async def act(self, action: str, **data: object) -> Any:
        """Performs an action that answers; its response."""
        return (await self.call("POST", f"/api/services/{action.replace('.', '/')}?return_response", data))["service_response"]

    async def state(self, entity_id: str) -> dict[str, Any]:
        """The state of an entity."""
        state: dict[str, Any] = await self.call("GET", f"/api/states/{entity_id}")
        return state

    async def states(self, prefix: str = "") -> dict[str, dict[str, Any]]:
        """All states by entity id."""
        return {state["entity_id"]: state for state in await self.call("GET", "/api/states") if state["entity_id"].startswith(prefix)}

    async def until(self, entity_id: str, wanted: str, *, within: float = 60) -> dict[str, Any]:
        """Waits until an entity has a state."""
        state: dict[str, Any] = {}
        try:
            async with asyncio.timeout(within):
                while state.get("state") != wanted:
                    await asyncio.sleep(0.05)
                    state = (await self.states(entity_id)).get(entity_id, {})
        except TimeoutError:
            raise AssertionError(f"{entity_id} is {state}, not {wanted}") from None
        return state

    async def add_account(self, service: str, number: str, *, token: str = "") -> str:
        """Sets an account up that a service has already, as its dialog does; gives the id of the entry."""
        flows = "/api/config/config_entries/flow"
        step = await self.call("POST", flows, {"handler": "signal_courier"})
        for answer in (
            {"url": service, "verify_ssl": True, **({"token": token} if token else {})},
            {"next_step_id": "existing"},
            {"account": number},
        ):
            step = await self.call("POST", f"{flows}/{step['flow_id']}", answer)
        assert step["type"] == "create_entry", step
        entry_id: str = step["result"]["entry_id"]
        return entry_id

    async def add_conversation(self, entry_id: str, who: str, **assist: object) -> None:
        """Adds a conversation to an account, by number, id or name."""
        flows = "/api/config/config_entries/subentries/flow"
        step = await self.call("POST", flows, {"handler": [entry_id, "conversation"]})
        settings = {"enabled": False, "confirm_sensitive": True, "voice_answers": False, **assist}
        (section,) = (field for field in step["data_schema"] if field.get("type") == "expandable")
        known = {field["name"] for field in section["schema"]}
        answer = {"conversation": who, section["name"]: {name: value for name, value in settings.items() if name in known}}
        known_before = await self.states("notify.")
        step = await self.call("POST", f"{flows}/{step['flow_id']}", answer)
        assert step["type"] == "create_entry", step
        await self._until_more_than(known_before, entry_id)

    async def _until_more_than(self, before: Collection[str], entry_id: str, *, within: float = 60) -> None:
        """Waits until there are more notify entities, all of them available, and the account is loaded: it is again for a conversation."""
        async with asyncio.timeout(within):
            while True:
                now = await self.states("notify.")
                loaded = [entry["entry_id"] for entry in await self.entries() if entry["state"] == "loaded"]
                if len(now) > len(before) and entry_id in loaded and all(state["state"] != "unavailable" for state in now.values()):
                    return
                await asyncio.sleep(0.05)

    async def add_voice_assistant(self, name: str, engine: str) -> str:
        """A voice assistant that hears and speaks with one engine, and asks Home Assistant's own agent; its id."""
        chosen = {f"{kind}_engine": engine for kind in ("stt", "tts")} | {f"{kind}_language": "en" for kind in ("stt", "tts")}
        none = {"tts_voice": None, "wake_word_entity": None, "wake_word_id": None}
        agent = {"conversation_engine": "conversation.home_assistant", "conversation_language": "en", "language": "en"}
        return str((await self.ask("assist_pipeline/pipeline/create", name=name, **agent, **chosen, **none))["id"])

    async def add_automation(self, name: str, triggers: list[dict[str, Any]], actions: list[dict[str, Any]], **more: object) -> None:
        """Makes an automation as the editor does."""
        body = {"alias": name, "triggers": triggers, "actions": actions, "mode": "queued", **more}
        await self.call("POST", f"/api/config/automation/config/{name}", body)
        await self.until(f"automation.{name}", "on")  # it listens then

    async def entries(self) -> list[dict[str, Any]]:
        """The config entries of the integration."""
        found: list[dict[str, Any]] = await self.ask("config_entries/get", domain="signal_courier")
        return found

    async def entry_of(self, title: str) -> str:
        """The id of an account's entry."""
        return next(str(entry["entry_id"]) for entry in await self.entries() if entry["title"] == title)

    @contextlib.asynccontextmanager
    async def socket(self) -> AsyncIterator[Socket]:
        """A WebSocket, logged in."""
        async with self._session.ws_connect(f"{self.base}/api/websocket", max_msg_size=0) as raw:
            await raw.receive_json()
            await raw.send_json({"type": "auth", "access_token": self.tokens["access_token"]})
            assert (await raw.receive_json())["type"] == "auth_ok"
            yield Socket(raw)

    async def ask(self, kind: str, **fields: object) -> Any:
        """One WebSocket command; its result."""
        async with self.socket() as socket:
            return await socket.ask(kind, **fields)
