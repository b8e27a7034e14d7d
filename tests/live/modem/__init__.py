"""A voice and an ear for the real Home Assistant of these tests: what one says in tones, the other writes down.

Home Assistant loads it as a custom integration; each letter is a tone of its own, so that what came through the codecs can be checked.
"""

from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Nothing but its platforms."""
    return True
