"""What the scripts of the container start: `python -m signal_courier.app prepare | signal-cli | courier | discovery | command …`."""

import os
import sys
from collections.abc import Sequence

from signal_courier.app import person, plan
from signal_courier.app.options import OptionError
from signal_courier.logs import set_up_logging
from signal_courier.settings import SettingError

_NOT_OURS = "sleep"


def main(step: str, *arguments: str) -> int:
    """Do one of the five; gives the exit code of those that return."""
    set_up_logging("info")
    try:
        today = plan.make()
    except (OptionError, SettingError) as error:
        _say(error)
        return 1
    if step == "command":
        return _command(today, arguments)
    set_up_logging(today.settings.log_level)
    return {"prepare": _prepare, "signal-cli": _signal_cli, "courier": _courier, "discovery": _discovery}[step](today)


def _say(what: object) -> None:
    print(f"signal-courier: {what}", file=sys.stderr, flush=True)


def _prepare(today: plan.Plan) -> int:
    from signal_courier.app.prepare import Unprepared, prepare  # noqa: PLC0415  # the others have no use for it
    from signal_courier.messaging.backups.backup import BackupError  # noqa: PLC0415  # as above
    from signal_courier.store.errors import StoreError  # noqa: PLC0415  # as above

    try:
        prepare(today)
    except (Unprepared, BackupError, StoreError, SettingError, OSError) as error:
        _say(error)
        return 1
    return 0


def _signal_cli(today: plan.Plan) -> int:
    from signal_courier.app.engine import start  # noqa: PLC0415  # the others have no use for it

    person.become(today.user)
    if not today.runs_engine:
        os.execvpe(_NOT_OURS, [_NOT_OURS, "infinity"], today.environment)  # noqa: S606  # the service does that itself, or somebody else
    try:
        start(today)
    except OSError as error:
        _say(f"signal-cli cannot be started: {error}")
    return 126


def _courier(today: plan.Plan) -> int:
    person.become(today.user)
    os.execve(sys.executable, [sys.executable, "-m", "signal_courier", "serve"], today.environment)  # noqa: S606  # this is its wrapper


def _command(today: plan.Plan, arguments: Sequence[str]) -> int:
    """What `docker exec … signal-courier …` asks for: with the folders and as the user of the service that runs here, or is to run."""
    from signal_courier.app.prepare import Unprepared, settle  # noqa: PLC0415  # the others have no use for it

    environment = {name: value for name, value in today.environment.items() if name != "COURIER_READY_FD"}
    try:
        settle(today, thoroughly=False)
        os.execve(sys.executable, [sys.executable, "-m", "signal_courier", *arguments], environment)  # noqa: S606  # this is its wrapper
    except (Unprepared, OSError) as error:
        _say(error)
    return 1


def _discovery(today: plan.Plan) -> int:
    from signal_courier.app.discovery import announce  # noqa: PLC0415  # the others have no use for it

    person.become(today.user)
    announce(today)
    return 0  # whatever came of it, the service serves


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
