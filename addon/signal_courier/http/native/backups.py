"""`/api/v2/backup`: everything in one file."""

import asyncio
import secrets
from typing import Annotated

import msgspec
from aiohttp import web

from signal_courier.access.scopes import Scope
from signal_courier.http.call import Call
from signal_courier.http.faces import Face
from signal_courier.http.native.common import trouble
from signal_courier.http.native.problems import ProblemFound, problem
from signal_courier.http.routing import Answer, RouteTable
from signal_courier.messaging.backups.backup import BackupError, Places, back_up
from signal_courier.model.errors import InvalidValue

routes = RouteTable("Status", face=Face.NATIVE)

PASSPHRASE = "Backup-Passphrase"  # noqa: S105  # a header
_PIECE = 256 * 1024
_making = asyncio.Lock()


class BackupQuery(msgspec.Struct):
    """What goes in."""

    attachments: Annotated[bool, msgspec.Meta(description="Received files too.")] = False
    encrypted: Annotated[bool, msgspec.Meta(description="Refuse to answer without the header `Backup-Passphrase`.")] = False


@routes.add(
    "GET", "/api/v2/backup", scope=Scope.ADMIN, query=BackupQuery, head=False,
    answers=[
        Answer(200, "The backup: a tar archive (gzip), sealed where a passphrase was given.", media="application/octet-stream"),
        trouble("invalid-value", "Backup-Passphrase: the header is missing", field="Backup-Passphrase"),
        trouble("conflict", "Another backup is being made", retry_after=30),
        trouble("no-space"),
    ],
)  # fmt: skip
async def download_backup(call: Call[None, BackupQuery]) -> web.StreamResponse:
    """Get a backup of everything: our data and signal-cli's, keys included.

    With the header `Backup-Passphrase` it is encrypted (AES-256-GCM, scrypt). Whoever has an open one can act as the accounts in it.
    `signal-courier restore` brings it back.
    """
    passphrase = call.request.headers.get(PASSPHRASE)
    if passphrase == "" or (call.query.encrypted and passphrase is None):
        raise InvalidValue(PASSPHRASE, f"{PASSPHRASE}: the header is {'missing' if passphrase is None else 'empty'}")
    if _making.locked():
        raise ProblemFound(problem("conflict", "Another backup is being made", retry_after=30))
    settings = call.services.settings
    places = Places(data_dir=settings.data_dir, config_dir=settings.signal_cli_config_dir, database=settings.database)
    file = settings.spool_dir / f"backup-{secrets.token_hex(8)}"
    async with _making:
        try:
            size = await asyncio.to_thread(back_up, places, file, passphrase=passphrase or None, attachments=call.query.attachments)
            answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-store"})
            answer.headers["Content-Disposition"] = f'attachment; filename="signal-courier.{"backup" if passphrase else "tar.gz"}"'
            answer.content_length = size
            await answer.prepare(call.request)
            with file.open("rb") as opened:
                file.unlink()
                while piece := await asyncio.to_thread(opened.read, _PIECE):
                    await answer.write(piece)
            await answer.write_eof()
        except BackupError as error:
            raise ProblemFound(problem("no-space", str(error))) from error
        finally:
            file.unlink(missing_ok=True)
    return answer
