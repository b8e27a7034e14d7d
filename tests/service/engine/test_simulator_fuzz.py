"""Whatever a call carries, the simulator answers or refuses: nothing but an engine's exceptions comes out of it."""

import asyncio
import contextlib
import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signal_courier.engine.base import Json
from signal_courier.engine.errors import EngineError
from signal_courier.engine.simulator import Simulator
from signal_courier.engine.simulator.cast import DEMO_GROUP, ECHO, HOME, INSTALLED_PACK, SECOND, SHADE

METHODS = json.loads((Path(__file__).parents[2] / "data" / "signal-cli-methods.json").read_text())["v0.14.6"]
WAITING = {"finishLink", "receive"}

_TEXTS = st.sampled_from([
    ECHO, SECOND, SHADE, DEMO_GROUP, INSTALLED_PACK, f"{INSTALLED_PACK}:0", "0:1:BOLD", f"0:1:{ECHO}", "u:shade.01", "PNI:x", "", "\0", "/",
    "data:;base64,%", "data:text/plain;filename=../x;base64,aGk=", "https://signal.group/#abc", "sgnl://linkdevice?uuid=a&pub_key=%ff", "http://[",
    "enabled", "read", "accept", "only-admins", "123456", "../../etc/passwd",
])  # fmt: skip
_SCALARS = _TEXTS | st.text(max_size=20) | st.integers(-(2**65), 2**65) | st.booleans() | st.floats() | st.none()
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(st.text(max_size=3), _SCALARS, max_size=2)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Json]]:
    """A method and values for some of its parameters."""
    method = draw(st.sampled_from(sorted(set(METHODS) - WAITING)))
    names = draw(st.lists(st.sampled_from(sorted(METHODS[method]["params"]) or ["none"]), unique=True))
    account: dict[str, Json] = {"account": draw(st.sampled_from([HOME, SECOND, "+4915100000055"]))}
    return method, account | {name: draw(_VALUES) for name in names}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(calls(), min_size=1, max_size=12))
def test_nothing_but_engine_errors_comes_out(sequence: list[tuple[str, dict[str, Json]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_play(Path(folder), sequence))
        asyncio.run(_play(Path(folder), []))  # what they left behind can be read again


NASTY: list[tuple[str, dict[str, Json]]] = [
    ("updateProfile", {"avatar": "\0"}),
    ("updateGroup", {"name": "x", "avatar": "\0"}),
    ("send", {"recipient": ECHO, "attachment": "\0"}),
    ("send", {"recipient": ECHO, "attachment": "/" + "x" * 5000}),
    ("send", {"recipient": ECHO, "message": "x", "mention": f"0:{'9' * 5000}:{ECHO}"}),
    ("send", {"recipient": ECHO, "message": "x", "textStyle": f"{'9' * 5000}:0:BOLD"}),
    ("send", {"recipient": ECHO, "message": "\ud800"}),
    ("send", {"recipient": ECHO, "message": "x", "sticker": f"{INSTALLED_PACK}:{'9' * 5000}"}),
    ("sendPollVote", {"recipient": ECHO, "pollTimestamp": 2**70, "pollAuthor": ECHO, "voteCount": 1}),
    ("uploadStickerPack", {"path": "\0.zip"}),
    ("uploadStickerPack", {"path": "/nowhere/manifest.json"}),
    ("addDevice", {"uri": "http://["}),
    ("getAttachment", {"id": "x" * 500}),
    ("getAttachment", {"id": ".."}),
    ("getAvatar", {"groupId": "A" * 400}),
    ("startChangeNumber", {"number": "a/../b", "captcha": "x"}),
]


@pytest.mark.parametrize("number", range(len(NASTY)), ids=[f"{number}-{method}" for number, (method, _) in enumerate(NASTY)])
async def test_nasty_values_are_refused(tmp_path: Path, number: int) -> None:
    method, params = NASTY[number]
    (tmp_path / "config" / "attachments").mkdir(parents=True)
    simulator = Simulator(tmp_path / "data", tmp_path / "config", speed=math.inf)
    await simulator.start(lambda _: None)
    with pytest.raises(EngineError):
        await simulator.call(method, {"account": HOME, **params})
    await simulator.stop()


async def _play(folder: Path, sequence: list[tuple[str, dict[str, Json]]]) -> None:
    simulator = Simulator(folder / "data", folder / "config", speed=math.inf)
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    await simulator.start(lambda frame: failures.extend([] if json.loads(frame) else [frame]))
    assert "+4915100000001" in simulator.status.accounts or not sequence
    for method, params in sequence:
        with contextlib.suppress(EngineError):
            json.loads(bytes(await simulator.call(method, params)))
    await simulator.settled()
    await simulator.stop()
    assert failures == []
    assert not (folder / "data" / "state.unreadable").exists()
