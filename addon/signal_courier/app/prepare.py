"""What is done once before anything else runs: folders, rights, import of an older installation, a token for Home Assistant."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from signal_courier.access import tokens
from signal_courier.access.scopes import Scope
from signal_courier.app import layout, person
from signal_courier.app.plan import Plan
from signal_courier.engine.accounts import accounts_on_disk
from signal_courier.messaging.backups import backup
from signal_courier.settings import SettingError
from signal_courier.store import tokens as table
from signal_courier.store.beside import beside

_LOGGER = logging.getLogger(__name__)

_TOKEN_NAME: Final = "Home Assistant"  # noqa: S105  # its name
_OLD_APP: Final = "*signal_messenger*"
"""Folders of haberda's app, whichever repository it came from."""


class Unprepared(Exception):
    """It cannot be started; the text says why."""


def prepare(plan: Plan) -> None:
    """Do it. Raises `Unprepared`, `BackupError`, `StoreError`, `OSError`. Has given up root afterwards, where it had it."""
    chosen = plan.settings
    _fresh_run_folder()
    if plan.user is not None:
        _give(layout.RUN, *plan.user)
    settle(plan)
    if not plan.lasting:
        _LOGGER.warning("Nothing outlives this container: mount a volume at %s", layout.UPSTREAM_DATA)
    if plan.options.get("import_old_app"):
        _take_over(plan)
    if plan.announces:
        home_assistant_token(plan)
    chosen.outside_token()  # what is wrong with the settings is to be said now
    scheme = "https" if chosen.tls_certificate is not None else "http"
    if chosen.tls_certificate is not None and not os.access(chosen.tls_certificate, os.R_OK):
        raise SettingError(f"the certificate {chosen.tls_certificate} cannot be read")
    layout.HEALTH_ADDRESS.write_text(f"{scheme}://127.0.0.1:{chosen.port}/v1/health\n", encoding="utf-8")


def settle(plan: Plan, *, thoroughly: bool = True) -> None:
    """Make the folders that are kept, give them to the user, and be that user from now on.

    What lies in a folder that is theirs already is only looked at `thoroughly`. Raises `Unprepared`, `OSError`.
    """
    kept = (plan.settings.data_dir, plan.settings.signal_cli_config_dir)
    for folder in kept:
        _make(folder)
        if plan.user is not None and plan.own and (thoroughly or folder.stat().st_uid != plan.user[0]):
            _give(folder, *plan.user)
    person.become(plan.user)
    for folder in kept:
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise Unprepared(
                f"{folder} cannot be written by user {os.getuid()}, group {os.getgid()}: give it to them, or start with another"
            )


def home_assistant_token(plan: Plan) -> str:
    """Home Assistant's token: the one that is kept, or a new one where that lets nobody in (any more). Raises `StoreError`, `OSError`."""
    file = plan.settings.data_dir / layout.TOKEN
    kept = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""
    with beside(plan.settings.database) as connection:
        state = table.load(connection, tokens.fresh_key())
        hash_ = tokens.digest(state.key, kept)
        if kept and any(row.hash == hash_ and row.revoked_at is None for row in state.rows):
            return kept
        secret = tokens.mint()
        new = tokens.new_token(_TOKEN_NAME, [Scope.ADMIN])
        for row in state.rows:
            if row.name == _TOKEN_NAME and row.revoked_at is None:
                table.revoke(connection, row.id, tokens.now_ms())
        table.insert(connection, tokens.row_of(new, tokens.digest(state.key, secret)))
        draft = file.with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as writing:
            writing.write(secret + "\n")
        draft.replace(file)
    return secret


def _fresh_run_folder() -> None:
    layout.RUN.mkdir(mode=0o700, exist_ok=True)
    for left in layout.RUN.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    layout.TEMPORARY.mkdir(mode=0o700)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unprepared(f"{folder} cannot be made ({error.strerror or error}): mount a volume there, or at {layout.DATA}") from error


def _give(folder: Path, uid: int, gid: int) -> None:
    """Let everything in a folder belong to the user; what belongs to them already is left alone, links are not followed."""
    for path in (folder, *_everything(folder)):
        facts = path.lstat()
        if (facts.st_uid, facts.st_gid) == (uid, gid):
            continue
        try:
            os.lchown(path, uid, gid)
        except OSError as error:  # a share of another machine, which has its own ideas: what matters is whether it can be written
            _LOGGER.warning("%s cannot be given to user %d: %s", path, uid, error.strerror or error)
            return


def _everything(folder: Path) -> Iterator[Path]:
    for base, folders, files in os.walk(folder):
        yield from (Path(base, name) for name in (*folders, *files))


def _take_over(plan: Plan) -> None:
    """Copy the accounts of the old app, once: where there are accounts already, nothing is done."""
    chosen = plan.settings
    if accounts_on_disk(chosen.signal_cli_config_dir):
        _LOGGER.info("There are accounts already; nothing is imported (the option import_old_app can be switched off)")
        return
    source = next(_old_folders(), None)
    if source is None:
        _LOGGER.warning("No data of an older Signal app was found to import")
        return
    places = backup.Places(data_dir=chosen.data_dir, config_dir=chosen.signal_cli_config_dir, database=chosen.database)
    count = backup.take_over(places, source, replace=True)  # what is there without an account is of no use, and only put aside
    _LOGGER.info("%d accounts were imported from %s. Do not start the older app again", count, source)


def _old_folders() -> Iterator[Path]:
    """Data folders of signal-cli among the configuration of the old app."""
    for apps in layout.OTHER_APPS:
        for app in sorted(apps.glob(_OLD_APP)):
            for index in sorted(app.glob("**/data/accounts.json")):
                yield index.parent.parent
