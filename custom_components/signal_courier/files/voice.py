"""Voice notes as Signal's apps make them: AAC. ffmpeg converts where it is there; without it, what can be played is sent as it is."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN, LOGGER

VOICE_TYPE: Final = {
    "aac": "audio/aac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
}
_AS_THEY_ARE: Final = frozenset({"aac", "m4a"})
"""What the apps record themselves."""
_MARKS: Final = ((b"RIFF", "wav"), (b"OggS", "ogg"), (b"fLaC", "flac"), (b"ID3", "mp3"), (b"\xff\xfb", "mp3"))
_DEADLINE: Final = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class VoiceNote:
    """Sound to be sent."""

    data: bytes
    extension: str


async def async_voice_note(hass: HomeAssistant, data: bytes, extension: str) -> VoiceNote:
    """Sound in the form that Signal's apps like best. Raises `HomeAssistantError` where ffmpeg fails."""
    extension = _form_of(data) or extension
    if extension in _AS_THEY_ARE:
        return VoiceNote(data, extension)
    program = await hass.async_add_executor_job(shutil.which, ffmpeg_of(hass))
    if program is None:
        LOGGER.debug("Without ffmpeg a voice note is sent as %s", extension)
        return VoiceNote(data, extension)
    made = await async_run_ffmpeg(program, data, "-vn", "-ac", "1", "-c:a", "aac", "-b:a", "48k", "-f", "adts")
    return VoiceNote(made, "aac")


def _form_of(data: bytes) -> str | None:
    """What the first bytes say: text-to-speech calls everything MP3."""
    if data[4:8] == b"ftyp":
        return "m4a"
    if data[:2] in (b"\xff\xf1", b"\xff\xf9"):
        return "aac"
    return next((form for mark, form in _MARKS if data.startswith(mark)), None)


def ffmpeg_of(hass: HomeAssistant) -> str:
    """The program that Home Assistant is set to use."""
    manager = hass.data.get("ffmpeg")
    binary = getattr(manager, "binary", None)
    return binary if isinstance(binary, str) else "ffmpeg"


async def async_run_ffmpeg(program: str, data: bytes | Path, *options: str) -> bytes:
    """Convert `data`, or the file; `options` say into what. Raises `HomeAssistantError`."""
    source = "pipe:0" if isinstance(data, bytes) else str(data)
    process = await asyncio.create_subprocess_exec(
        program, "-hide_banner", "-loglevel", "error", "-i", source, *options, "pipe:1",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_DEADLINE):
            made, complaints = await process.communicate(data if isinstance(data, bytes) else b"")
    except TimeoutError:
        made, complaints = b"", b"it took too long"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode or not made:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="ffmpeg_failed",
            translation_placeholders={"error": complaints.decode(errors="replace").strip()[-300:]},
        )
    return made
