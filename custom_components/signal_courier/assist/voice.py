"""Voice notes for Assist: what was said, as the pipeline's speech recognition understands it."""

import asyncio
import shutil
import tempfile
import wave
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from ..const import DOMAIN
from ..files.voice import async_run_ffmpeg, ffmpeg_of

if TYPE_CHECKING:
    from homeassistant.components.assist_pipeline import Pipeline

LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a voice note that is listened to; more than an hour."""
_RATE: Final = 16000
_PIECE: Final = 4096
_DEADLINE: Final = 60.0
"""Seconds for the recognition."""


async def async_understand(hass: HomeAssistant, pipeline: Pipeline | None, data: bytes) -> str:
    """What was said; empty where nothing was understood.

    Raises `HomeAssistantError` (translated): no recognition is set up, ffmpeg is missing, the recognition failed.
    """
    if pipeline is None or pipeline.stt_engine is None or "stt" not in hass.config.components:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="assist_no_recognition")
    from homeassistant.components import stt  # noqa: PLC0415  # only where it is set up

    engine = stt.async_get_speech_to_text_engine(hass, pipeline.stt_engine)
    if engine is None:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="assist_no_recognition")
    metadata = stt.SpeechMetadata(
        language=pipeline.stt_language or pipeline.language,
        format=stt.AudioFormats.WAV,
        codec=stt.AudioCodecs.PCM,
        bit_rate=stt.AudioBitRates.BITRATE_16,
        sample_rate=stt.AudioSampleRates.SAMPLERATE_16000,
        channel=stt.AudioChannels.CHANNEL_MONO,
    )
    samples = _pieces(await _samples(hass, data))
    try:
        async with asyncio.timeout(_DEADLINE):
            if isinstance(engine, stt.Provider):
                result = await engine.async_process_audio_stream(metadata, samples)
            else:
                result = await engine.internal_async_process_audio_stream(metadata, samples)
    except TimeoutError as error:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="assist_not_understood") from error
    if result.result is not stt.SpeechResultState.SUCCESS:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="assist_not_understood")
    return (result.text or "").strip()


async def _samples(hass: HomeAssistant, data: bytes) -> bytes:
    """The sound as recognitions want it: 16 bits, 16 kHz, mono, without a header."""
    if (plain := _plain(data)) is not None:
        return plain
    program = await hass.async_add_executor_job(shutil.which, ffmpeg_of(hass))
    if program is None:
        raise HomeAssistantError(translation_domain=DOMAIN, translation_key="assist_no_ffmpeg")
    path = await hass.async_add_executor_job(_kept, data)  # what iPhones record can only be read from a file
    try:
        return await async_run_ffmpeg(program, path, "-vn", "-ac", "1", "-ar", str(_RATE), "-f", "s16le")
    finally:
        await hass.async_add_executor_job(path.unlink)


def _plain(data: bytes) -> bytes | None:
    """The samples of a WAV file that needs no conversion."""
    if not data.startswith(b"RIFF"):
        return None
    try:
        with wave.open(BytesIO(data)) as sound:
            fits = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, _RATE)
            return sound.readframes(sound.getnframes()) if fits else None
    except wave.Error, EOFError:
        return None


def _kept(data: bytes) -> Path:
    with tempfile.NamedTemporaryFile(prefix="voice-note-", delete=False) as file:
        file.write(data)
        return Path(file.name)


async def _pieces(samples: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(samples), _PIECE):
        yield samples[start : start + _PIECE]
