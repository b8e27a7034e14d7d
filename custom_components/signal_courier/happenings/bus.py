"""Events on Home Assistant's bus, for those who prefer them to triggers and event entities.

They are called `signal_courier_` and the kind: `signal_courier_message`, `signal_courier_reaction` and so on. The data is what a trigger
has (see `happenings`); only what the account itself does, and senders who may trigger something, are told.
"""

from collections.abc import Mapping
from typing import Final

from homeassistant.core import HomeAssistant, callback

from ..const import DOMAIN
from ..coordinator import SignalCourierConfigEntry
from .feed import Happening, async_subscribe_happenings
from .happening import HappeningType

_NAMES: Final[Mapping[HappeningType, str]] = {kind: f"{DOMAIN}_{kind.value}" for kind in HappeningType if kind is not HappeningType.TYPING}


@callback
def async_setup_bus(hass: HomeAssistant, entry: SignalCourierConfigEntry) -> None:
    """Tell the bus what happens to an account, until the entry is unloaded."""

    @callback
    def tell(happening: Happening) -> None:
        if happening.allowed:
            hass.bus.async_fire(_NAMES[happening.kind], dict(happening.payload), context=happening.context)

    entry.async_on_unload(async_subscribe_happenings(hass, tell, _NAMES, entry=entry))
