"""The admin token that the first start makes, so that there is a way in."""

import asyncio
import os
from pathlib import Path

from signal_courier.access.scopes import Scope
from signal_courier.access.tokens import Tokens, new_token
from signal_courier.settings import SettingError, Settings

NAME = "first admin"


async def make_first_token(settings: Settings, tokens: Tokens) -> str | None:
    """The token that was made just now; `None` where there is no need.

    One is made where other machines can connect and no token would let them in; or where the settings name a file to keep it in, and what
    that holds lets nobody in. Raises `SettingError` where the file cannot be written.
    """
    file = settings.admin_token_file
    if file is not None:
        kept = await asyncio.to_thread(_read, file)
        if kept and tokens.find(kept) is not None:
            return None
    elif not settings.beyond_loopback or tokens.any:
        return None
    _, secret = await tokens.create(new_token(NAME, [Scope.ADMIN]))
    if file is not None:
        await asyncio.to_thread(_keep, file, secret)
    return secret


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"COURIER_ADMIN_TOKEN_FILE: {file} cannot be read: {error}") from None


def _keep(file: Path, secret: str) -> None:
    """Write the file whole or not at all, for this user alone."""
    draft = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "w") as writing:
            writing.write(secret + "\n")
        draft.replace(file)
    except OSError as error:
        raise SettingError(f"COURIER_ADMIN_TOKEN_FILE: {file} cannot be written: {error.strerror or error}") from None
