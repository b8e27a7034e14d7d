"""The voice."""

from typing import Any, override

from homeassistant.components.tts import Provider, TtsAudioType
from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType, DiscoveryInfoType

from .tones import wav  # noqa: TID252  # as a custom integration


class Mouth(Provider):  # type: ignore[misc]  # nobody looks into Home Assistant here
    """Says things in tones."""

    default_language = "en"
    supported_languages = ["en"]  # noqa: RUF012  # as its base has it

    @override
    def get_tts_audio(self, message: str, language: str, options: dict[str, Any]) -> TtsAudioType:
        return "wav", wav(message)


async def async_get_engine(hass: HomeAssistant, config: ConfigType, discovery_info: DiscoveryInfoType | None = None) -> Mouth:
    """Give it to Home Assistant."""
    return Mouth()
