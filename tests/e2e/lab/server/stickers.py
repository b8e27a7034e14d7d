"""Sticker packs: leave to upload them; the files are in the content network."""

import secrets

from tests.e2e.lab.server.attachments import upload_form
from tests.e2e.lab.server.requests import Answer, Request, Routes


class StickerServer:
    """Gives ids to new packs."""

    def install(self, routes: Routes) -> None:
        """Adds the route."""
        routes.add("GET", "/v1/sticker/pack/form/{count}", self._allow)

    async def _allow(self, request: Request) -> Answer:
        pack = secrets.token_hex(16)
        stickers = [upload_form(f"stickers/{pack}/full/{index}", id=index) for index in range(int(request.parameters["count"]))]
        return Answer(200, {"packId": pack, "manifest": upload_form(f"stickers/{pack}/manifest.proto", id=-1), "stickers": stickers})
