"""The two networks that a case is tried on, and what comes out of it in a form that can be compared."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from signal_courier.engine.base import Json
from signal_courier.engine.errors import EngineError
from signal_courier.engine.simulator import Simulator
from signal_courier.engine.simulator.cast import CODE, HOME, PIXEL, SECOND, uuid_of
from tests.contract.cases import CASES, Case
from tests.contract.shapes import differences, shape
from tests.e2e.lab.daemon import CallFailed
from tests.e2e.lab.laboratory import Lab

type Roles = Mapping[str, Json]
"""What the placeholders of the cases stand for."""

type Outcome = dict[str, Any]
"""`result` (a shape) or `error` (code and text), and `heard` (a shape) where Ben heard it."""

STRANGER = "99999999-9999-4999-8999-999999999999"
_CLEO = "+4915100000103"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXCEPTION = re.compile(r".*\((\w+Exception)\)", re.DOTALL)


class Refused(Exception):
    """The network said no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class World(Protocol):
    """A network with Ann, Ben and Cleo."""

    async def call(self, method: str, params: Mapping[str, Json]) -> Any:
        """One call; raises `Refused`."""

    async def heard(self, timestamp: int) -> Any:
        """The envelope with this timestamp that Ben got."""

    async def people(self) -> Roles:
        """Uuids (`ann`) and numbers (`ann_number`)."""


class Simulated:
    """The simulator; its own accounts play the three."""

    def __init__(self, simulator: Simulator, frames: list[bytes]) -> None:
        self._simulator = simulator
        self._frames = frames

    async def call(self, method: str, params: Mapping[str, Json]) -> Any:
        try:
            return json.loads(bytes(await self._simulator.call(method, params)))
        except EngineError as error:
            raise Refused(error.code or 0, error.message) from error

    async def heard(self, timestamp: int) -> Any:
        await self._simulator.settled()
        frames = [frame for frame in map(json.loads, self._frames) if frame["account"] == SECOND]
        [envelope] = [frame["envelope"] for frame in frames if frame["envelope"]["timestamp"] == timestamp]
        return envelope

    async def people(self) -> Roles:
        await self.call("register", {"account": _CLEO, "captcha": "solved"})
        await self.call("verify", {"account": _CLEO, "verificationCode": CODE})
        return {
            "ann": uuid_of(HOME), "ann_number": HOME, "ben": uuid_of(SECOND), "ben_number": SECOND,
            "cleo": uuid_of(_CLEO), "cleo_number": _CLEO,
        }  # fmt: skip


class Real:
    """The real signal-cli in the lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def call(self, method: str, params: Mapping[str, Json]) -> Any:
        try:
            return await self._lab.ann.daemon.call(method, **params)
        except CallFailed as error:
            message = str(error).removeprefix(f"{method}: ").removesuffix(f" ({error.code})")
            raise Refused(error.code, message) from error

    async def heard(self, timestamp: int) -> Any:
        return await self._lab.ben.receives(lambda envelope: envelope.get("timestamp") == timestamp)

    async def people(self) -> Roles:
        lab = self._lab
        return {
            "ann": lab.ann.aci, "ann_number": lab.ann.number, "ben": lab.ben.aci, "ben_number": lab.ben.number,
            "cleo": lab.cleo.aci, "cleo_number": lab.cleo.number,
        }  # fmt: skip


async def outcomes(world: World, folder: Path) -> dict[str, Outcome]:
    """Try every case; gives what came out, by name."""
    roles = await _furnished(world, folder)
    return {case.name: await _outcome(world, case, roles) for case in CASES}


def disagreements(wanted: Outcome, found: Outcome, where: str = "") -> list[str]:
    """In what two outcomes differ: the error to the letter, results and envelopes in their shapes."""
    errors = [] if wanted.get("error") == found.get("error") else [f"{where}: {found.get('error')}, not {wanted.get('error')}"]
    parts = ("result", "heard")
    return errors + [drift for part in parts for drift in differences(wanted.get(part, {}), found.get(part, {}), f"{where} {part}")]


async def _furnished(world: World, folder: Path) -> Roles:
    """Add a picture, a sticker pack, a group and a message to the people."""
    people = await world.people()
    ann = {"account": people["ann_number"]}
    picture = folder / "picture.png"
    picture.write_bytes(PIXEL)
    (folder / "manifest.json").write_text(json.dumps({"title": "T", "author": "A", "stickers": [{"file": "picture.png", "emoji": "⬛"}]}))
    link = (await world.call("uploadStickerPack", ann | {"path": str(folder / "manifest.json")}))["url"]
    group = (await world.call("updateGroup", ann | {"name": "Club", "member": [people["ben"], people["cleo"]]}))["groupId"]
    sent = (await world.call("send", ann | {"recipient": [people["ben"]], "message": "first"}))["timestamp"]
    pack = re.findall("pack_id=([0-9a-f]+)", link)[0]
    return {**people, "picture": str(picture), "pack": pack, "group": group, "sent": sent, "stranger": STRANGER}


async def _outcome(world: World, case: Case, roles: Roles) -> Outcome:
    params = {key: _filled(value, roles) for key, value in case.params.items()}
    if case.account is not None:
        params["account"] = _filled(case.account, roles)
    try:
        result = await world.call(case.method, params)
    except Refused as refusal:
        return {"error": [refusal.code, _comparable(refusal.code, refusal.message, roles)]}
    outcome: Outcome = {"result": shape(result)}
    if case.hears:
        outcome["heard"] = shape(await world.heard(result["timestamp"]))
    return outcome


def _filled(value: Json, roles: Roles) -> Json:
    if isinstance(value, str):
        whole = re.fullmatch(r"\{(\w+)\}", value)
        return roles[whole[1]] if whole else re.sub(r"\{(\w+)\}", lambda found: str(roles[found[1]]), value)
    if isinstance(value, list | tuple):
        return [_filled(inner, roles) for inner in value]
    return value


def _comparable(code: int, message: str, roles: Roles) -> str:
    """The text without what is different everywhere; of Java's own exceptions only the class."""
    found = _EXCEPTION.fullmatch(message)
    if code == -32603 and found and found[1] != "UnexpectedErrorException":
        return found[1]
    if code == -32600:
        message = message.partition(" (class")[0]
    for name, value in roles.items():
        if isinstance(value, str):
            message = message.replace(value, f"<{name}>")
    return _UUID.sub("<uuid>", message)
