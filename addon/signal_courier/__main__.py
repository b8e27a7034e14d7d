"""The command line: `signal-courier serve`, `engine install`, `token …`, `backup`, `restore`, `import`."""

import argparse
import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from signal_courier import __version__, settings
from signal_courier.access import command_line
from signal_courier.engine.errors import EngineUnavailable
from signal_courier.engine.program import install
from signal_courier.logs import set_up_logging
from signal_courier.messaging.backups import backup
from signal_courier.messaging.certificates import left_for_later
from signal_courier.model.errors import InvalidValue
from signal_courier.store.errors import StoreError

if TYPE_CHECKING:
    from signal_courier.courier import Courier

os.environ.setdefault("FROZENLIST_NO_EXTENSIONS", "1")  # aiohttp's list of signals, which nothing here uses: 1.7 MiB of C++ runtime


def parser_of_all() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog="signal-courier", description="Signal for your home: a REST service over signal-cli.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve_parser = commands.add_parser(
        "serve",
        help="run the service",
        description="Run the service. Every option can also be given as the environment variable whose name stands behind it.",
    )
    settings.add_options(serve_parser)
    engine_commands = commands.add_parser("engine", help="get signal-cli").add_subparsers(dest="engine_command", required=True)
    engine_commands.add_parser(
        "install",
        help="install signal-cli and the Java it needs",
        description=(
            f"Install signal-cli {install.RELEASE.version} and the Java it needs into COURIER_DATA_DIR, where `serve` finds them. "
            f"Where GitHub cannot be reached, an old one comes from npm ({install.OLD.version})."
        ),
    )
    command_line.add_commands(commands.add_parser("token", help="let somebody in: create, list, revoke, rotate tokens"))
    _add_data_commands(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code."""
    parsed = parser_of_all().parse_args(arguments)
    if parsed.command in ("backup", "restore", "import"):
        return _data(parsed)
    if parsed.command == "token":
        return _token(parsed)
    return _install_engine() if parsed.command == "engine" else _serve(parsed)


def _add_data_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    sealed = "The passphrase stands in the file that --passphrase-file names, or in COURIER_BACKUP_PASSPHRASE."
    backup_parser = commands.add_parser(
        "backup",
        help="write everything into one file",
        description=f"Write our data and signal-cli's, keys included, into one file; the service may run. {sealed} Without one it is open.",
    )
    backup_parser.add_argument("file", type=Path, help="what is to be written; one that is there is replaced")
    backup_parser.add_argument("--attachments", action="store_true", help="received files too")
    restore_parser = commands.add_parser(
        "restore", help="bring a backup back", description=f"Bring a backup back; stop the service first. {sealed}"
    )
    restore_parser.add_argument("file", type=Path, help="the backup")
    import_parser = commands.add_parser(
        "import",
        help="take over the data folder of bbernhard/signal-cli-rest-api",
        description="Copy signal-cli's data folder (in that container /home/.local/share/signal-cli). Stop what uses it, for good.",
    )
    import_parser.add_argument("folder", type=Path, help="there is a data/accounts.json in it; it is only read")
    for parser in (backup_parser, restore_parser):
        parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line is the passphrase")
    for parser in (restore_parser, import_parser):
        parser.add_argument("--replace", action="store_true", help="put what is there aside")


def _data(parsed: argparse.Namespace) -> int:
    try:
        chosen, _ = settings.load({})
        places = backup.Places(data_dir=chosen.data_dir, config_dir=chosen.signal_cli_config_dir, database=chosen.database)
        if parsed.command == "import":
            count = backup.take_over(places, parsed.folder, replace=parsed.replace)
            accounts = "1 account is" if count == 1 else f"{count} accounts are"
            print(f"{accounts} in {places.config_dir} now. Do not start what has used {parsed.folder} again.")
            return 0
        passphrase = _passphrase(parsed.passphrase_file)
        if parsed.command == "backup":
            size = backup.back_up(places, parsed.file.absolute(), passphrase=passphrase, attachments=parsed.attachments)
            print(f"{parsed.file}: {size} bytes, {'encrypted' if passphrase else 'open: whoever has it can act as the accounts in it'}")
            return 0
        for folder in backup.restore(places, parsed.file, passphrase=passphrase, replace=parsed.replace):
            print(f"What was there before is in {folder}")
    except (settings.SettingError, backup.BackupError, OSError) as error:
        print(f"signal-courier: {error}", file=sys.stderr)
        return 1
    return 0


def _passphrase(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("COURIER_BACKUP_PASSPHRASE") or None
    try:
        passphrase = file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise settings.SettingError(f"--passphrase-file: {file} cannot be read ({_reason(error)})") from None
    if not passphrase:  # whoever names one wants no open backup
        raise settings.SettingError(f"--passphrase-file: the first line of {file} is empty")
    return passphrase


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _token(parsed: argparse.Namespace) -> int:
    try:
        chosen, _ = settings.load({})
        print("\n".join(command_line.run(parsed, chosen.database)))
    except (settings.SettingError, InvalidValue, StoreError) as error:
        print(f"signal-courier: {error}", file=sys.stderr)
        return 1
    return 0


def _install_engine() -> int:
    try:
        chosen, _ = settings.load({})
        launcher = install.install(install.folder_in(chosen.data_dir), lambda line: print(line, flush=True))
    except (settings.SettingError, install.InstallError, OSError) as error:
        print(f"signal-courier: {error}", file=sys.stderr)
        return 1
    print(launcher)
    return 0


def _serve(parsed: argparse.Namespace) -> int:
    try:
        chosen, warnings = settings.load(settings.options_from(parsed))
    except settings.SettingError as error:
        print(f"signal-courier: {error}", file=sys.stderr)
        return 2
    set_up_logging(chosen.log_level)
    for warning in warnings:
        logging.getLogger("signal_courier").warning(warning)
    gc.disable()  # nothing of what is imported is garbage: looking for it would take a tenth of the time
    with left_for_later():
        from signal_courier.courier import serve  # noqa: PLC0415  # who only wants a help text has it four times as fast without

    gc.enable()

    try:
        asyncio.run(serve(chosen, _greet))
    except settings.SettingError as error:
        print(f"signal-courier: {error}", file=sys.stderr)
        return 2
    except (StoreError, EngineUnavailable) as error:
        print(f"signal-courier: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"signal-courier: {_what_failed(error, chosen)}", file=sys.stderr)
        return 1
    return 0


def _what_failed(error: OSError, chosen: settings.Settings) -> str:
    """A file or folder that cannot be used, with the setting that names it; or the address, which has no file name."""
    if not isinstance(error.filename, str):
        return f"cannot listen on {chosen.host}:{chosen.port}: {_why_deaf(error)}"
    path = Path(error.filename)
    named = {"COURIER_DATA_DIR": chosen.data_dir, "SIGNAL_CLI_CONFIG_DIR": chosen.signal_cli_config_dir}
    variable = next((f"{variable}: " for variable, folder in named.items() if path == folder or folder in path.parents), "")
    return f"{variable}{path} cannot be used ({_reason(error)}); give it to this user, or name another folder"


def _why_deaf(error: OSError) -> str:
    """Why nobody can be listened to, and what to do about it."""
    match error.errno:
        case errno.EADDRINUSE:
            return "another program does, perhaps another Signal Courier. Stop it, or choose another port (PORT, --port)"
        case errno.EACCES:
            return "this user may not. Choose a port above 1023 (PORT, --port)"
        case None | errno.EADDRNOTAVAIL | socket.EAI_NONAME:
            return "this machine has no such address (COURIER_HOST, --host)"
        case _:
            return _reason(error)


def _greet(courier: "Courier") -> None:
    chosen = courier.settings
    if chosen.ready_fd is not None:
        with contextlib.suppress(OSError), os.fdopen(chosen.ready_fd, "wb", buffering=0) as listening:
            listening.write(b"\n")
    base = f"http{'s' if chosen.tls_certificate else ''}://{_reachable(chosen.host)}:{courier.server.port}"
    print(f"Signal Courier {__version__} listens on {base}\nAPI documentation: {base}/swagger/index.html", flush=True)
    if courier.first_token is not None:
        kept = (
            f"It is kept in {chosen.admin_token_file}."
            if chosen.admin_token_file
            else "It is not shown again; `signal-courier token` makes others."
        )
        print(f"\nThe first token, which may do everything: {courier.first_token}\n{kept}", flush=True)
    if chosen.engine == "simulator":
        json_type = "-H 'Content-Type: application/json'"
        print(
            "\nThis is the simulator: nothing leaves this machine. Try:\n"
            f"  curl {base}/v1/accounts\n"
            f"  curl {json_type} {base}/v2/send \\\n"
            """    -d '{"number": "+4915100000001", "recipients": ["+4915100000011"], "message": "Hello"}'\n"""
            f"  curl {base}/v1/receive/+4915100000001\n",
            flush=True,
        )


def _reachable(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{host}]" if address.version == 6 else host


if __name__ == "__main__":
    sys.exit(main())
