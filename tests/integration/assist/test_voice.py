"""Promises of voice notes with Assist: heard by the pipeline's recognition, answered with its voice where that is wanted."""

import asyncio
import io
import sys
import wave
from collections.abc import AsyncIterable, Awaitable, Callable
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, override

import pytest
from homeassistant.components import stt, tts
from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.components.stt.const import DATA_COMPONENT as STT
from homeassistant.components.stt.const import DATA_PROVIDERS as OLD_KIND
from homeassistant.components.tts.const import DATA_COMPONENT as TTS
from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.setup import async_setup_component

from custom_components.signal_courier.client import SignalCourierClient
from custom_components.signal_courier.client.events import MessageContent
from custom_components.signal_courier.const import CONF_ASSIST, CONF_ASSIST_ENABLED, CONF_ASSIST_PIPELINE, CONF_ASSIST_VOICE
from tests.integration.conftest import conversation_subentry
from tests.integration.courier import HOME, SECOND, TOKEN, uuid_of
from tests.integration.waiting import wait_until

SAMPLES = b"\x01\x00" * 1600
MP3 = b"\xff\xfb\x90\x00" + bytes(413)


class Ear(stt.SpeechToTextEntity):
    """A recognition that hears one sentence, and keeps what it was given."""

    _attr_name = "Ear"
    supported_languages = ["en"]  # noqa: RUF012  # as its base has it
    supported_formats = [stt.AudioFormats.WAV]  # noqa: RUF012  # as its base has it
    supported_codecs = [stt.AudioCodecs.PCM]  # noqa: RUF012  # as its base has it
    supported_bit_rates = [stt.AudioBitRates.BITRATE_16]  # noqa: RUF012  # as its base has it
    supported_sample_rates = [stt.AudioSampleRates.SAMPLERATE_16000]  # noqa: RUF012  # as its base has it
    supported_channels = [stt.AudioChannels.CHANNEL_MONO]  # noqa: RUF012  # as its base has it
    hears: str | None = "turn on the lamp"
    given = b""
    patience = 0.0
    """Seconds that it takes."""

    @override
    async def async_process_audio_stream(self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]) -> stt.SpeechResult:
        self.given = b"".join([piece async for piece in stream])
        await asyncio.sleep(self.patience)
        state = stt.SpeechResultState.SUCCESS if self.hears is not None else stt.SpeechResultState.ERROR
        return stt.SpeechResult(self.hears, state)


class Mouth(tts.TextToSpeechEntity):
    """A voice."""

    _attr_name = "Mouth"
    _attr_default_language = "en"
    _attr_supported_languages = ["en"]  # noqa: RUF012  # as its base has it
    said: str | None = None
    silent = False

    @override
    async def async_get_tts_audio(self, message: str, language: str, options: dict[str, Any]) -> tts.TtsAudioType:
        self.said = message
        return (None, None) if self.silent else ("mp3", MP3)


@pytest.fixture
def _without_native_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline's module wants two native sound filters, which only microphones need."""
    for name, member in (("pymicro_vad", "MicroVad"), ("pyspeex_noise", "AudioProcessor")):
        module = ModuleType(name)
        setattr(module, member, object)
        monkeypatch.setitem(sys.modules, name, module)


type Begin = Callable[..., Awaitable[tuple[Ear, Mouth]]]


@pytest.fixture
async def begin(hass: HomeAssistant, _without_native_filters, config_entry, setup_integration, tmp_path: Path) -> Begin:
    """Makes a voice assistant with ear and mouth the preferred one, and turns Assist on in the conversation with SECOND."""

    async def make(*, ear: bool = True, engine: str = "conversation.home_assistant", **settings: Any) -> tuple[Ear, Mouth]:
        hass.config.config_dir = str(tmp_path)
        for component in ("homeassistant", "intent", "stt", "tts", "assist_pipeline"):
            assert await async_setup_component(hass, component, {})
        light = {"name": "Lamp", "unique_id": "lamp", "turn_on": [], "turn_off": []}
        assert await async_setup_component(hass, "template", {"template": [{"light": [light]}]})
        await hass.async_block_till_done()
        async_expose_entity(hass, "conversation", "light.lamp", should_expose=True)
        hearing, speaking = Ear(), Mouth()
        await hass.data[STT].async_add_entities([hearing])
        await hass.data[TTS].async_add_entities([speaking])
        from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline, async_update_pipeline

        await async_update_pipeline(
            hass,
            async_get_pipeline(hass),
            conversation_engine=engine,
            prefer_local_intents=True,
            stt_engine="stt.ear" if ear else None,
            stt_language="en" if ear else None,
            tts_engine="tts.mouth",
            tts_language="en",
        )
        subentry = conversation_subentry(uuid_of(SECOND), "Second", "person")
        data = MappingProxyType({**subentry["data"], CONF_ASSIST: {CONF_ASSIST_ENABLED: True, **settings}})
        hass.config_entries.async_add_subentry(config_entry, ConfigSubentry(**{**subentry, "data": data}))
        await setup_integration()
        return hearing, speaking

    return make


@pytest.fixture
def say(hass: HomeAssistant, courier, client) -> Callable[[bytes, str, str], Awaitable[MessageContent]]:
    """Lets SECOND send a voice note; gives the answer."""

    async def speak(data: bytes, name: str, kind: str) -> MessageContent:
        other = SignalCourierClient(async_get_clientsession(hass), courier.url, token=TOKEN, account=SECOND)
        kept = await other.attachments.upload(data, name, type=kind)
        await other.messages.send([uuid_of(HOME)], attachments=[kept.id], voice_note=True)

        async def answer() -> MessageContent | None:
            page = await client.messages.history(conversation=uuid_of(SECOND), direction="sent")
            return page.messages[0].message if page.messages else None

        found = await wait_until(answer)
        assert found is not None
        return found

    return speak


def wav(samples: bytes = SAMPLES, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate)
        sound.writeframes(samples)
    return file.getvalue()


@pytest.fixture
def ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only programs are those of this folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder / "ffmpeg"


def copying(program: Path) -> None:
    """Put a program there that gives back the file it is to convert."""
    program.write_text("#!/bin/sh\nwhile [ $# -gt 1 ]; do [ $1 = -i ] && file=$2; shift; done\nexec /bin/cat $file\n")
    program.chmod(0o755)


async def test_a_voice_note_is_heard_and_answered_in_writing(hass: HomeAssistant, begin: Begin, say):
    ear, _ = await begin()
    answer = await say(wav(), "note.wav", "audio/wav")
    assert ear.given == SAMPLES
    assert answer.text.startswith("Turned on")
    assert not answer.attachments
    assert hass.states.get("light.lamp").state == "on"


async def test_it_is_answered_with_a_voice_note_where_that_is_wanted(begin: Begin, say, ffmpeg):
    _, mouth = await begin(**{CONF_ASSIST_VOICE: True})
    answer = await say(wav(), "note.wav", "audio/wav")
    assert mouth.said is not None
    assert mouth.said.startswith("Turned on")
    assert [one.voice_note for one in answer.attachments] == [True]


async def test_what_phones_record_is_converted(begin: Begin, say, ffmpeg: Path):
    copying(ffmpeg)
    ear, _ = await begin()
    answer = await say(b"as an iPhone records", "note.m4a", "audio/mp4")
    assert ear.given == b"as an iPhone records"
    assert answer.text.startswith("Turned on")


@pytest.mark.parametrize(
    ("hears", "ear", "data", "expected"),
    [
        (None, True, wav(), "I did not understand that."),
        ("", True, wav(), "I did not understand that."),
        ("hello", False, wav(), "I cannot listen: the voice assistant has no speech recognition."),
        ("hello", True, wav(rate=8000), "I cannot listen to this: Home Assistant has no ffmpeg."),
        ("hello", True, b"RIFF, but no sound", "I cannot listen to this: Home Assistant has no ffmpeg."),
    ],
    ids=["error", "silence", "no recognition", "another rate", "broken"],
)
async def test_what_cannot_be_heard_is_said(begin: Begin, say, ffmpeg, hears, ear, data, expected):
    hearing, _ = await begin(ear=ear)
    hearing.hears = hears
    assert (await say(data, "note.wav", "audio/wav")).text == expected


async def test_a_recognition_that_is_gone_is_said(hass: HomeAssistant, begin: Begin, say):
    from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline, async_update_pipeline

    await begin()
    await async_update_pipeline(hass, async_get_pipeline(hass), stt_engine="stt.gone")
    assert (await say(wav(), "note.wav", "audio/wav")).text == "I cannot listen: the voice assistant has no speech recognition."


async def test_a_recognition_of_the_old_kind_is_understood_too(hass: HomeAssistant, begin: Begin, say):
    from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline, async_update_pipeline

    class Old(stt.Provider):
        """From before recognitions were entities."""

        supported_languages = Ear.supported_languages
        supported_formats = Ear.supported_formats
        supported_codecs = Ear.supported_codecs
        supported_bit_rates = Ear.supported_bit_rates
        supported_sample_rates = Ear.supported_sample_rates
        supported_channels = Ear.supported_channels

        @override
        async def async_process_audio_stream(self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]) -> stt.SpeechResult:
            return stt.SpeechResult("turn on the lamp", stt.SpeechResultState.SUCCESS)

    await begin()
    hass.data[OLD_KIND]["old"] = Old()
    await async_update_pipeline(hass, async_get_pipeline(hass), stt_engine="old")
    assert (await say(wav(), "note.wav", "audio/wav")).text.startswith("Turned on")


async def test_a_recognition_that_takes_too_long_is_given_up(begin: Begin, say, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("custom_components.signal_courier.assist.voice._DEADLINE", 0.05)
    ear, _ = await begin()
    ear.patience = 60
    assert (await say(wav(), "note.wav", "audio/wav")).text == "I did not understand that."


async def test_a_note_that_is_too_long_is_not_listened_to(begin: Begin, say, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("custom_components.signal_courier.assist.chats.LARGEST", 10)
    ear, _ = await begin()
    assert (await say(wav(), "note.wav", "audio/wav")).text == "I did not understand that."
    assert not ear.given


async def test_a_voice_that_fails_is_answered_in_writing(hass: HomeAssistant, begin: Begin, say, ffmpeg):
    _, mouth = await begin(**{CONF_ASSIST_VOICE: True, CONF_ASSIST_PIPELINE: "gone"})
    mouth.silent = True
    answer = await say(wav(), "note.wav", "audio/wav")
    assert answer.text.startswith("Turned on")


@pytest.mark.parametrize(("hears", "expected"), [("turn on the lamp", "Turned on"), ("tell me a story", "There is nobody")])
async def test_what_home_assistant_understands_by_itself_is_done_first(begin: Begin, say, hears, expected):
    ear, _ = await begin(engine="conversation.gone")
    ear.hears = hears
    assert (await say(wav(), "note.wav", "audio/wav")).text.startswith(expected)
