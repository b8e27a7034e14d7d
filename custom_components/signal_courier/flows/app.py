"""The app from the dialog: found, installed, started; its repository is added only with the user's consent."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_HOST, CONF_PORT, CONF_SSL, CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant

from ..const import LOGGER
from .base import FlowBase
from .connection import Connection, ConnectionFailed, async_connect

_START_SECONDS: Final = 180.0
"""Until the service answers; signal-cli on a small machine takes its time."""
_START_PAUSE: Final = 2.0


class AppSteps(FlowBase):
    """The steps from nothing to a running app that answers."""

    def __init__(self) -> None:
        super().__init__()
        self._work: asyncio.Task[None] | None = None
        self._add_repository = False

    async def async_step_app(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Look what there is of the app, and go on from there."""
        from .. import app  # noqa: PLC0415  # knows the Supervisor; loaded where there is one

        try:
            state = await app.async_state(self.hass)
        except app.AppError as error:
            self._failed = {"reason": str(error)}
            return await self.async_step_app_failed()
        if state == "unknown":
            return await self.async_step_app_repository()
        return await (self.async_step_app_install() if state == "missing" else self.async_step_app_start())

    async def async_step_app_repository(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the repository may be added."""
        if user_input is not None:
            self._add_repository = True
            return await self.async_step_app_install()
        from .. import app  # noqa: PLC0415  # knows the Supervisor; loaded where there is one

        return self.async_show_form(
            step_id="app_repository", description_placeholders={"repository": app.REPOSITORY, "store_link": app.STORE_LINK}
        )

    async def async_step_app_install(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show that the app is being installed."""
        if self._work is None:
            self._work = self.hass.async_create_background_task(self._async_install(), "signal_courier app install")
        if not self._work.done():
            return self.async_show_progress(step_id="app_install", progress_action="app_install", progress_task=self._work)
        return self._after_work("app_start")

    async def async_step_app_start(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show that the app is being started, until it answers."""
        if self._work is None:
            self._work = self.hass.async_create_background_task(self._async_start(), "signal_courier app start")
        if not self._work.done():
            return self.async_show_progress(step_id="app_start", progress_action="app_start", progress_task=self._work)
        return self._after_work("add_account")

    async def async_step_app_failed(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say what went wrong, and offer to try again, or to do without the app."""
        return self.async_show_menu(step_id="app_failed", menu_options=["app", "manual"], description_placeholders=self._failed)

    def _after_work(self, following: str) -> ConfigFlowResult:
        assert self._work is not None
        work, self._work = self._work, None
        if (error := work.exception()) is None:
            return self.async_show_progress_done(next_step_id=following)
        LOGGER.warning("The app could not be set up: %s", error)
        self._failed = {"reason": str(error) or type(error).__name__}
        return self.async_show_progress_done(next_step_id="app_failed")

    async def _async_install(self) -> None:
        """Raises `AppError`."""
        from .. import app  # noqa: PLC0415  # knows the Supervisor; loaded where there is one

        if self._add_repository:
            await app.async_add_repository(self.hass)
            self._add_repository = False
        await app.async_install(self.hass)

    async def _async_start(self) -> None:
        """Raises `AppError`; or `TimeoutError`, whose text is why it did not answer."""
        from .. import app  # noqa: PLC0415  # knows the Supervisor; loaded where there is one

        if await app.async_state(self.hass) != "running":
            await app.async_start(self.hass)
        reason = ""
        try:
            async with asyncio.timeout(_START_SECONDS):
                while True:
                    try:
                        told = await app.async_told(self.hass)
                        self._connection = await async_connect_app(self.hass, told, app.SLUG)
                    except (app.AppError, ConnectionFailed) as error:
                        reason = str(error)
                        await asyncio.sleep(_START_PAUSE)
                    else:
                        return
        except TimeoutError as error:
            raise TimeoutError(reason) from error


async def async_connect_app(hass: HomeAssistant, told: Mapping[str, Any], slug: str) -> Connection:
    """Reach the service that an app told of: `host`, `port`, `token`, with TLS `ssl` and `verify_ssl`. Raises `ConnectionFailed`."""
    scheme = "https" if told.get(CONF_SSL) else "http"
    given = {
        CONF_URL: f"{scheme}://{told[CONF_HOST]}:{told[CONF_PORT]}",
        CONF_TOKEN: told.get(CONF_TOKEN),
        CONF_VERIFY_SSL: bool(told.get(CONF_VERIFY_SSL, True)),
    }
    return await async_connect(hass, given, app=slug)
