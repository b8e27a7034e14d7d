"""Linking: the code is shown as a picture, renews itself, and the dialog goes on by itself when the phone has scanned it."""

import asyncio
import base64
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import callback

from ..client import CourierError, Problem
from ..client.models import Link
from ..const import LOGGER
from .base import FlowBase

DEVICE_NAME: Final = "Home Assistant"
"""What the phone shows in its list of linked devices."""
_SYNC_SECONDS: Final = 25.0
"""What the phone may take to send its contacts; who has none is not waited for any longer."""
_SYNC_PAUSE: Final = 0.5


class LinkSteps(FlowBase):
    """The steps from the code to the linked account."""

    def __init__(self) -> None:
        super().__init__()
        self._link: Link | None = None
        self._picture = ""
        self._phone: asyncio.Task[None] | None = None
        self._sync: asyncio.Task[None] | None = None

    async def async_step_link(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the code until the phone has scanned it.

        Each change (first code, new code, scanned) ends one task; the step is then asked again by Home Assistant, and what it shows changes
        in place.
        """
        if self._phone is not None and self._phone.done():
            done, self._phone = self._phone, None
            try:
                done.result()
            except CourierError as error:
                return self._link_failed(str(error))
            assert self._link is not None
            if self._link.state == "linked":
                self._number = self._link.account
                return self.async_show_progress_done(next_step_id="sync")
            if self._link.state != "waiting":
                problem = self._link.problem
                return self._link_failed((problem.detail or problem.title) if problem is not None else self._link.state)
        if self._phone is None:
            self._phone = self.hass.async_create_background_task(self._async_follow_link(), "signal_courier link")
        if not self._picture:
            return self.async_show_progress(step_id="link", progress_action="link_start", progress_task=self._phone)
        return self.async_show_progress(
            step_id="link",
            progress_action="link_scan",
            progress_task=self._phone,
            description_placeholders={"qr": self._picture, "device_name": DEVICE_NAME},
        )

    async def async_step_link_failed(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Say what went wrong, and offer to try again."""
        return self.async_show_menu(step_id="link_failed", menu_options=["link"], description_placeholders=self._failed)

    async def async_step_sync(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Wait until the account is there, with the contacts and groups that the phone sends."""
        if self._sync is None:
            self._sync = self.hass.async_create_background_task(self._async_first_sync(), "signal_courier first sync")
        if not self._sync.done():
            return self.async_show_progress(step_id="sync", progress_action="sync", progress_task=self._sync)
        self._sync = None
        return self.async_show_progress_done(next_step_id="finish")

    @override
    @callback
    def async_remove(self) -> None:
        """Who closes the dialog wants no code to be valid any more."""
        super().async_remove()
        self._async_end_link()

    @callback
    def _async_end_link(self) -> None:
        link, self._link, self._picture = self._link, None, ""
        if self._phone is not None:
            self._phone.cancel()
            self._phone = None
        if link is not None and link.state == "waiting":
            self.hass.async_create_task(self._async_end(link.id), "signal_courier link end")

    async def _async_end(self, link: str) -> None:
        try:
            await self.connection.client.links.end(link)
        except CourierError as error:
            LOGGER.debug("A link could not be ended: %s", error)

    def _link_failed(self, reason: str) -> ConfigFlowResult:
        self._failed = {"reason": reason}
        self._async_end_link()
        return self.async_show_progress_done(next_step_id="link_failed")

    async def _async_follow_link(self) -> None:
        """Start, or wait for the next change; with the picture of what is to be scanned then. Raises `CourierError`."""
        links = self.connection.client.links
        link = self._link
        if link is None:
            link = self._link = await links.start(DEVICE_NAME)
        else:
            before = link.version
            while link.state == "waiting" and link.version <= before:
                link = await links.wait(link.id, after=before)
        if link.state == "waiting":
            try:
                picture = base64.b64encode(await links.png(link.id)).decode()
                self._picture = f"![QR](data:image/png;base64,{picture})"
            except Problem as error:
                if error.kind != "link-expired":
                    raise
                link = await links.get(link.id)  # it is over already: scanned, or given up
        self._link = link

    async def _async_first_sync(self) -> None:
        try:
            async with asyncio.timeout(_SYNC_SECONDS):
                while not await self._async_is_synced():  # noqa: ASYNC110  # it is another process that is asked
                    await asyncio.sleep(_SYNC_PAUSE)
        except (CourierError, TimeoutError) as error:
            LOGGER.debug("The first sync of a new account was not waited for any longer: %s", error)

    async def _async_is_synced(self) -> bool:
        """Whether the account is loaded, and knows somebody beside itself."""
        assert self._number is not None
        client = self.connection.client_of(self._number)
        account = next((one for one in await client.accounts.all() if one.number == self._number), None)
        if account is None or account.state != "ready":
            return False
        return any(one.kind != "self" for one in await client.conversations.all())
