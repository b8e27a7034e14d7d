"""Every command of signal-cli has its typed method, and an old signal-cli is told apart from a new one."""

import inspect
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signal_courier.engine import versions
from signal_courier.engine.address import parse_address
from signal_courier.engine.base import EngineState, EngineStatus, EnvelopeSink, Params
from signal_courier.engine.commands import Commands
from signal_courier.engine.errors import EngineFault, Unsupported
from signal_courier.engine.rpc import RpcConnection, connect
from tests.fakes.daemon import Failure, FakeDaemon

DATA = json.loads((Path(__file__).parents[2] / "data" / "signal-cli-methods.json").read_text())
NEWEST: dict[str, dict[str, Any]] = DATA["v0.14.6"]
OLDEST: dict[str, dict[str, Any]] = DATA["v0.13.19"]

LEFT_OUT = {
    ("send", "messageFromStdin"): "reads the daemon's own stdin",
    ("listGroups", "detailed"): "has no effect on JSON",
    ("listContacts", "detailed"): "has no effect on JSON",
}


def snake(name: str) -> str:
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def method_of(name: str) -> Callable[..., Awaitable[object]]:
    method: Callable[..., Awaitable[object]] = getattr(Commands, snake(name))
    return method


class Direct:
    """An engine that is nothing but an open connection, of a known or unknown version."""

    def __init__(self, rpc: RpcConnection, version: str | None) -> None:
        self._rpc = rpc
        self.status = EngineStatus(state=EngineState.READY, version=version)

    async def start(self, sink: EnvelopeSink) -> None: ...
    async def stop(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def stored(self, count: int) -> None: ...

    async def call(self, method: str, params: Params, *, timeout: float | None = None) -> msgspec.Raw:
        return await self._rpc.call(method, params, timeout)


type Asking = Callable[[str | None], Commands]


@pytest.fixture
async def daemon() -> AsyncIterator[FakeDaemon]:
    async with FakeDaemon() as fake:
        yield fake


@pytest.fixture
async def asking(daemon: FakeDaemon, tmp_path: Path) -> AsyncIterator[Asking]:
    rpc = await connect(parse_address(await daemon.listen_unix(tmp_path / "s")), lambda _: None)
    yield lambda version: Commands(Direct(rpc, version))
    rpc.close()


@pytest.mark.parametrize("name", NEWEST)
def test_every_method_and_parameter_is_there(name: str) -> None:
    parameters = inspect.signature(method_of(name)).parameters
    expected = {parameter for parameter in NEWEST[name]["params"] if (name, parameter) not in LEFT_OUT}
    assert {snake(parameter) for parameter in expected} == set(parameters) - {"self", "account"}
    for parameter, facts in NEWEST[name]["params"].items():
        if facts["required_jsonrpc"] and parameter != "pinDuration":
            assert parameters[snake(parameter)].default is inspect.Parameter.empty
    needs_account = NEWEST[name]["scopes"] != ["multi"] and name not in {"version", "unsubscribeReceive", "unsubscribeCallEvents"}
    assert ("account" in parameters) == needs_account


def test_versions_are_those_of_the_table() -> None:
    for name, facts in NEWEST.items():
        assert versions.METHODS.get(name) == (facts["since"].removeprefix("v") if name not in OLDEST else None)
        later = {
            parameter: entry["since"].removeprefix("v")
            for parameter, entry in facts["params"].items()
            if name in OLDEST and parameter not in OLDEST[name]["params"]
        }
        assert dict(versions.PARAMETERS.get(name, {})) == later


_SAMPLES: dict[str, object] = {
    "string": "text",
    "integer": 1,
    "long": 1700000000123,
    "number": 1.5,
    "boolean": True,
}


@pytest.mark.parametrize("name", NEWEST)
async def test_every_parameter_arrives_under_its_name(name: str, daemon: FakeDaemon, asking: Asking) -> None:
    daemon.on(name, _answer(NEWEST[name]["output_shape"]))
    wanted: dict[str, object] = {}
    for parameter, facts in NEWEST[name]["params"].items():
        if (name, parameter) not in LEFT_OUT:
            sample = _SAMPLES[facts["type"]]
            wanted[parameter] = [sample, sample] if facts["list"] else sample
    given = {snake(parameter): value for parameter, value in wanted.items()}
    if "account" in inspect.signature(method_of(name)).parameters:
        given["account"] = wanted["account"] = "+4915100000001"
    await getattr(asking("0.14.6"), snake(name))(**given)
    assert daemon.calls[-1].method == name
    assert daemon.calls[-1].params == wanted


def _answer(shape: object) -> object:
    """An answer of the documented shape."""
    if isinstance(shape, dict):
        return {key: _answer(value) for key, value in shape.items()}
    if isinstance(shape, list):
        return [_answer(entry) for entry in shape]
    if not isinstance(shape, str):
        return shape
    for word, sample in (("bool", True), ("true", True), ("long", 18446744073709551615), ("int", 3), ("see envelopes", {"timestamp": 1})):
        if shape.startswith(word):
            return sample
    return None if shape.endswith("null") else "text"


@pytest.mark.parametrize("name", NEWEST)
async def test_what_is_not_given_is_not_sent(name: str, daemon: FakeDaemon, asking: Asking) -> None:
    daemon.on(name, _answer(NEWEST[name]["output_shape"]))
    wanted: dict[str, object] = {}
    for parameter, facts in NEWEST[name]["params"].items():
        if inspect.signature(method_of(name)).parameters.get(snake(parameter), _OPTIONAL).default is inspect.Parameter.empty:
            sample = _SAMPLES[facts["type"]]
            wanted[parameter] = [sample] if facts["list"] else sample
    given = {snake(parameter): value for parameter, value in wanted.items()}
    if inspect.signature(method_of(name)).parameters.get("account", _OPTIONAL).default is inspect.Parameter.empty:
        given["account"] = wanted["account"] = "+4915100000001"
    if name == "sendPinMessage":
        wanted["pinDuration"] = -1  # must be sent
    await getattr(asking("0.14.6"), snake(name))(**given)
    assert daemon.calls[-1].params == wanted


_OPTIONAL = inspect.Parameter("optional", inspect.Parameter.KEYWORD_ONLY, default=None)


async def test_a_setting_may_be_false_and_a_name_empty(daemon: FakeDaemon, asking: Asking) -> None:
    commands = asking("0.14.6")
    await commands.update_configuration("+4915100000001", read_receipts=False)
    assert daemon.calls[-1].params == {"account": "+4915100000001", "readReceipts": False}
    await commands.update_contact("+4915100000001", recipient="+4915100000002", name="", expiration=0)
    assert daemon.calls[-1].params == {"account": "+4915100000001", "recipient": "+4915100000002", "name": "", "expiration": 0}


@pytest.mark.parametrize("running", ["0.13.19", None], ids=["known version", "version asked for first"])
async def test_an_old_signal_cli_is_not_asked_for_what_it_lacks(running: str | None, daemon: FakeDaemon, asking: Asking) -> None:
    daemon.version = "0.13.19"
    commands = asking(running)
    with pytest.raises(Unsupported, match=r"sendStory needs signal-cli 0\.14\.6 or later, this is 0\.13\.19"):
        await commands.send_story("+4915100000001", attachment="/x.jpg")
    with pytest.raises(Unsupported, match=r"voiceNote of send needs signal-cli 0\.14\.2"):
        await commands.send("+4915100000001", recipient=["+4915100000002"], message="x", voice_note=True)
    assert {call.method for call in daemon.calls} <= {"version"}


async def test_a_method_that_the_daemon_turns_down_names_the_version_unless_it_is_new_enough(daemon: FakeDaemon, asking: Asking) -> None:
    daemon.on("sendStory", Failure(-32601, "Method not implemented"))
    daemon.on("startLink", Failure(-32601, "Method not implemented"))
    with pytest.raises(Unsupported, match=r"sendStory needs signal-cli 0\.14\.6 or later, this is an unknown version"):
        await asking(None).send_story("+4915100000001", attachment="/x.jpg")
    with pytest.raises(Unsupported, match="does not offer sendStory"):
        await asking("0.14.6").send_story("+4915100000001", attachment="/x.jpg")
    with pytest.raises(Unsupported, match="does not offer startLink"):
        await asking("0.14.6").start_link()


async def test_an_answer_of_another_shape_is_a_fault_and_extra_fields_are_not(daemon: FakeDaemon, asking: Asking) -> None:
    daemon.on("listGroups", [{"id": "g", "unheardOf": [1], "members": [{"uuid": "u"}]}])
    groups = await asking("0.14.6").list_groups("+4915100000001")
    assert (groups[0].id, groups[0].members[0].uuid, groups[0].name) == ("g", "u", None)
    daemon.on("listGroups", {"groups": []})
    with pytest.raises(EngineFault, match="listGroups"):
        await asking("0.14.6").list_groups("+4915100000001")


async def test_null_in_an_answer_is_as_if_it_had_been_left_out(daemon: FakeDaemon, asking: Asking) -> None:
    commands = asking("0.14.6")
    daemon.on("send", {"timestamp": 5, "results": None})
    assert (await commands.send("+4915100000001", recipient=["+4915100000002"], message="Hi")).results == []
    daemon.on("updateGroup", None)
    assert (await commands.update_group("+4915100000001", group_id="g")).timestamp is None
    daemon.on("listGroups", None)
    assert await commands.list_groups("+4915100000001") == []


@pytest.mark.parametrize(
    "running,needed,older",
    [
        ("0.13.19", "0.13.22", True),
        ("0.13.24", "0.13.22", False),
        ("0.14.6-SNAPSHOT", "0.14.6", False),
        ("0.14", "0.14.0", False),
        ("0.14", "0.14.1", True),
        ("1.0.0", "0.14.6", False),
        ("unknown", "0.14.6", False),
    ],
)
def test_versions_compare_by_number(running: str, needed: str, older: bool) -> None:
    assert versions.is_older(running, needed) is older
