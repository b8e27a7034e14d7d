"""Actions that look something up: messages, conversations, files."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO, Final

import aiohttp
import probatio
from homeassistant.core import ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv

from ..client.history import HistoryMessage
from ..const import DOMAIN
from .action import Aim, Call, action
from .answers import conversation_answer, history_answer

_MOST_PAGES: Final = 10
"""Pages of a search that are read for one answer."""


@action(
    "get_messages",
    {
        probatio.Optional("direction"): probatio.In(["received", "sent"]),
        probatio.Optional("search"): cv.string,
        probatio.Optional("before"): cv.string,
        probatio.Optional("limit", default=50): probatio.All(probatio.Coerce(int), probatio.Range(min=1, max=500)),
    },
    aim=Aim.ANY,
    response=SupportsResponse.ONLY,
)
async def get_messages(call: Call) -> ServiceResponse:
    """Get what was said, in one conversation or in all, the newest first."""
    data = call.data
    if len(call.conversations) > 1:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="target_not_single")
    where = call.conversation.id if call.conversations else None
    before: str | None = data.get("before")
    wanted: int = data["limit"]
    found: list[HistoryMessage] = []
    for _ in range(_MOST_PAGES):
        page = await call.client.messages.history(
            conversation=where, direction=data.get("direction", ""), search=data.get("search", ""), before=before, limit=wanted - len(found)
        )
        found += page.messages
        before = page.next
        if before is None or len(found) >= wanted:
            break
    return {"messages": [history_answer(call, one) for one in found], "next": before}


@action(
    "get_conversations",
    {
        probatio.Optional("search"): cv.string,
        probatio.Optional("kind"): probatio.In(["person", "group", "self"]),
        probatio.Optional("everybody", default=False): cv.boolean,
    },
    aim=Aim.ACCOUNT,
    response=SupportsResponse.ONLY,
)
async def get_conversations(call: Call) -> ServiceResponse:
    """Get people and groups, by name."""
    data = call.data
    found = await call.client.conversations.all(search=data.get("search", ""), kind=data.get("kind", ""), everybody=data["everybody"])
    return {"conversations": [conversation_answer(one) for one in found]}


@action(
    "download_attachment",
    {
        probatio.Required("attachment"): cv.string,
        probatio.Required("path"): cv.string,
        probatio.Optional("overwrite", default=False): cv.boolean,
    },
    aim=Aim.ACCOUNT,
)
async def download_attachment(call: Call) -> ServiceResponse:
    """Save a received file where Home Assistant may write. A path that is a folder gets a file of the attachment's name."""
    attachment: str = call.data["attachment"].rpartition("/")[2]
    path = await call.hass.async_add_executor_job(_target, call.data["path"], attachment)
    if not await call.hass.async_add_executor_job(call.hass.config.is_allowed_path, str(path)):
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="path_not_allowed", translation_placeholders={"path": str(path)}
        )
    if not call.data["overwrite"] and await call.hass.async_add_executor_job(path.exists):
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="file_exists", translation_placeholders={"path": str(path)})
    partial = path.with_name(f".{path.name}.part")
    async with call.client.attachments.open(attachment) as response:
        try:
            size = await _save(call, partial, path, response.content.iter_chunked(256 * 1024))
        except aiohttp.ClientError:
            raise  # the service's, not the disk's
        except OSError as error:
            raise HomeAssistantError(
                translation_domain=DOMAIN, translation_key="not_saved", translation_placeholders={"path": str(path), "error": str(error)}
            ) from error
        return {"path": str(path), "size": size, "type": response.content_type}


async def _save(call: Call, partial: Path, path: Path, pieces: AsyncIterator[bytes]) -> int:
    """Write the pieces; the file has its name only once it is whole."""
    hass, size = call.hass, 0
    file: BinaryIO = await hass.async_add_executor_job(_create, partial)
    try:
        async for piece in pieces:
            size += await hass.async_add_executor_job(file.write, piece)
    except BaseException:
        await hass.async_add_executor_job(_discard, file, partial)
        raise
    await hass.async_add_executor_job(_finish, file, partial, path)
    return size


def _target(path: str, attachment: str) -> Path:
    given = Path(path)
    return given / attachment if path.endswith(os.sep) or given.is_dir() else given


def _create(partial: Path) -> BinaryIO:
    partial.parent.mkdir(parents=True, exist_ok=True)
    return partial.open("wb")


def _discard(file: BinaryIO, partial: Path) -> None:
    file.close()
    partial.unlink(missing_ok=True)


def _finish(file: BinaryIO, partial: Path, path: Path) -> None:
    file.close()
    partial.replace(path)
