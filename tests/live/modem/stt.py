"""The ear."""

from collections.abc import AsyncIterable
from typing import override

from homeassistant.components import stt
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType, DiscoveryInfoType

from .tones import heard  # noqa: TID252  # as a custom integration


class Ear(stt.Provider):  # type: ignore[misc]  # nobody looks into Home Assistant here
    """Writes down what is said in tones."""

    supported_languages = ["en"]  # noqa: RUF012  # as its base has it
    supported_formats = [stt.AudioFormats.WAV]  # noqa: RUF012  # as its base has it
    supported_codecs = [stt.AudioCodecs.PCM]  # noqa: RUF012  # as its base has it
    supported_bit_rates = [stt.AudioBitRates.BITRATE_16]  # noqa: RUF012  # as its base has it
    supported_sample_rates = [stt.AudioSampleRates.SAMPLERATE_16000]  # noqa: RUF012  # as its base has it
    supported_channels = [stt.AudioChannels.CHANNEL_MONO]  # noqa: RUF012  # as its base has it

    @override
    async def async_process_audio_stream(self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]) -> stt.SpeechResult:
        text = heard(b"".join([piece async for piece in stream]))
        return stt.SpeechResult(text, stt.SpeechResultState.SUCCESS if text else stt.SpeechResultState.ERROR)


async def async_get_engine(hass: HomeAssistant, config: ConfigType, discovery_info: DiscoveryInfoType | None = None) -> Ear:
    """Give it to Home Assistant."""
    return Ear()
