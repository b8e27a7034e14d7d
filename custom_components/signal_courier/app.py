"""The app (formerly add-on) that runs the service under the Supervisor: looked for, installed, started.

It is imported only where there is a Supervisor.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from aiohasupervisor import SupervisorError, SupervisorNotFoundError
from aiohasupervisor.models import StoreAddRepository
from homeassistant.components.hassio import AddonError, AddonManager, AddonState, get_supervisor_client
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.singleton import singleton

from .const import DOMAIN, LOGGER, NAME

REPOSITORY: Final = "https://github.com/signal-courier/signal-courier"
"""Where the Supervisor gets the app from."""
SLUG: Final = f"{hashlib.sha1(REPOSITORY.encode(), usedforsecurity=False).hexdigest()[:8]}_{DOMAIN}"
"""As the Supervisor makes it of the repository's address, in lower case, and the app's own slug."""
STORE_LINK: Final = (
    "https://my.home-assistant.io/redirect/supervisor_add_addon_repository/"
    "?repository_url=https%3A%2F%2Fgithub.com%2Fsignal-courier%2Fsignal-courier"
)
"""Opens the app store of the reader's Home Assistant, with the repository to be confirmed there."""

type AppState = Literal["unknown", "missing", "stopped", "running"]
"""unknown: its repository is not in the store."""


class AppError(Exception):
    """The Supervisor refuses, or cannot; the text says why."""


async def async_state(hass: HomeAssistant) -> AppState:
    """How far the app is. Raises `AppError`."""
    try:
        info = await _manager(hass).async_get_addon_info()
    except AddonError as error:
        if isinstance(error.__cause__, SupervisorNotFoundError):  # so Home Assistant 2026.10; later ones: not available
            return "unknown"
        raise AppError(str(error)) from error
    if info.state in (AddonState.NOT_INSTALLED, AddonState.INSTALLING):
        return "missing" if info.available or info.state is AddonState.INSTALLING else "unknown"
    return "running" if info.state is AddonState.RUNNING else "stopped"


async def async_add_repository(hass: HomeAssistant) -> None:
    """Add the repository to the store. Raises `AppError`."""
    store = get_supervisor_client(hass).store
    try:
        await store.add_repository(StoreAddRepository(repository=REPOSITORY))
        await store.reload()
    except SupervisorError as error:
        raise AppError(str(error)) from error


async def async_install(hass: HomeAssistant) -> None:
    """Install the app; it is not started yet. Raises `AppError`."""
    try:
        await _manager(hass).async_schedule_install_addon()
    except AddonError as error:
        raise AppError(str(error)) from error


async def async_start(hass: HomeAssistant) -> None:
    """Start the app; it does not answer yet. Raises `AppError`."""
    try:
        await _manager(hass).async_schedule_start_addon()
    except AddonError as error:
        raise AppError(str(error)) from error


async def async_told(hass: HomeAssistant) -> Mapping[str, Any]:
    """What the app tells of itself: `host`, `port`, `token`. Raises `AppError` while it has told nothing."""
    try:
        return await _manager(hass).async_get_addon_discovery_info()
    except AddonError as error:
        raise AppError(str(error)) from error


async def async_latest_version(hass: HomeAssistant, slug: str) -> str | None:
    """The version to which the Supervisor can update an app. Raises `AppError`."""
    try:
        return (await get_supervisor_client(hass).addons.addon_info(slug)).version_latest
    except SupervisorError as error:
        raise AppError(str(error)) from error


async def async_update(hass: HomeAssistant, slug: str) -> None:
    """Back the app up and update it. Raises `AppError`."""
    try:
        await AddonManager(hass, LOGGER, NAME, slug).async_update_addon()
    except AddonError as error:
        raise AppError(str(error)) from error


@singleton(f"{DOMAIN}_app")
@callback
def _manager(hass: HomeAssistant) -> AddonManager:
    """The one manager of the app: it knows which of its tasks run."""
    return AddonManager(hass, LOGGER, NAME, SLUG)
