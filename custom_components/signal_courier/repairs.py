"""Repairs: what is wrong, and dialogs that mend it."""

from homeassistant.components.repairs import ConfirmRepairFlow, RepairsFlow
from homeassistant.core import HomeAssistant

from .flow_take_over import TakeOverFlow
from .yaml_notify import ISSUE_TAKE_OVER


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None) -> RepairsFlow:
    """The dialog for an issue."""
    if issue_id == ISSUE_TAKE_OVER:
        return TakeOverFlow()
    return ConfirmRepairFlow()
