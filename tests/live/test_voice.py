"""Voice notes over Signal, in the codecs of phones, with a real ffmpeg: what is said is done, and the answer is spoken."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from imageio_ffmpeg import get_ffmpeg_exe

from tests.live.home_assistant import HomeAssistant
from tests.live.modem import tones
from tests.live.service import HOME, SECOND, TOKEN, Service

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

NOTES = [
    pytest.param("on", "note.aac", "audio/aac", ["-c:a", "aac", "-b:a", "32k", "-f", "adts"], id="Android"),
    pytest.param("off", "note.m4a", "audio/mp4", ["-c:a", "aac", "-b:a", "32k", "-f", "ipod"], id="iPhone"),
    pytest.param("on", "note.ogg", "audio/ogg", ["-c:a", "libopus", "-b:a", "24k", "-f", "ogg"], id="computer"),
]
LIGHT = "input_boolean.garden_light"


async def converted(path: Path, data: bytes, *options: str) -> bytes:
    """What ffmpeg makes of a sound, in a file: what iPhones record has to be one."""
    program = await asyncio.create_subprocess_exec(
        get_ffmpeg_exe(), "-y", "-loglevel", "error", "-i", "pipe:0", *options, str(path), stdin=asyncio.subprocess.PIPE
    )
    await program.communicate(data)
    assert program.returncode == 0
    return await asyncio.to_thread(path.read_bytes)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def heard(home: HomeAssistant, service: Service) -> AsyncIterator[list[str]]:
    """The answers that HOME has heard, who speaks with Assist of SECOND."""
    await home.ask("homeassistant/expose_entity", assistants=["conversation"], entity_ids=[LIGHT], should_expose=True)
    pipeline = await home.add_voice_assistant("Modem", "modem")
    known = [one["entry_id"] for one in await home.entries() if one["title"] == "Second"]
    entry = known[0] if known else await home.add_account(service.base, SECOND, token=TOKEN)
    await home.add_conversation(entry, HOME, enabled=True, pipeline=pipeline, voice_answers=True)
    yield []
    if not known:
        await home.call("DELETE", f"/api/config/config_entries/entry/{entry}")


@pytest.mark.parametrize(("word", "name", "kind", "options"), NOTES)
async def test_what_a_voice_note_says_is_done_and_the_answer_is_spoken(
    home: HomeAssistant, service: Service, heard: list[str], tmp_path: Path, word: str, name: str, kind: str, options: list[str]
) -> None:
    note = base64.b64encode(await converted(tmp_path / name, tones.wav(f"turn {word} the garden light"), *options)).decode()
    await service.write("", to=SECOND, sender=HOME, base64_attachments=[f"data:{kind};filename={name};base64,{note}"])
    answer = await service.receives_file(HOME, len(heard) + 1)
    spoken = await service.file(HOME, answer["id"])
    heard.append(tones.heard(await converted(tmp_path / "answer.raw", spoken, "-ar", str(tones.RATE), "-ac", "1", "-f", "s16le")))
    assert heard[-1] == f"turned {word} the switch"
    assert answer["type"] == "audio/aac"
    await home.until(LIGHT, word)
