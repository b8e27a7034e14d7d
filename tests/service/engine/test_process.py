"""What the child is told, and what becomes of what it says."""

import logging
from pathlib import Path

import pytest

from signal_courier.engine.program.options import ProcessOptions
from signal_courier.engine.program.process import DaemonProcess, command_line, environment
from signal_courier.engine.program.workplace import Workplace


@pytest.fixture
def process(tmp_path: Path) -> DaemonProcess:
    return DaemonProcess(tmp_path / "signal-cli", ProcessOptions(config_dir=tmp_path), Workplace(tmp_path / "run"))


@pytest.mark.parametrize(
    "line,level,text",
    [
        ("INFO  DaemonCommand - Starting daemon", logging.INFO, "DaemonCommand - Starting daemon"),
        ("WARN  ReceiveHelper - Connection closed", logging.WARNING, "ReceiveHelper - Connection closed"),
        ("2026-11-21T02:03:04.567Z [main] ERROR App - Failed", logging.ERROR, "App - Failed"),
        ("DEBUG Manager - x", logging.DEBUG, "Manager - x"),
        ("Failed to load account file", logging.INFO, "Failed to load account file"),
        ("\tat org.asamk.signal.Main.main(Main.java:1)", logging.DEBUG, "\tat org.asamk.signal.Main.main(Main.java:1)"),
        ("WARNING: A restricted method in java.lang.System has been called", logging.DEBUG, "WARNING: A restricted method"),
    ],
)
def test_the_level_is_signal_clis(process: DaemonProcess, caplog: pytest.LogCaptureFixture, line: str, level: int, text: str) -> None:
    caplog.set_level(logging.DEBUG, "signal_courier.signal_cli")
    process._pass_on(line.encode())
    (record,) = caplog.records
    assert record.levelno == level
    assert record.getMessage().startswith(text)


def test_phone_numbers_are_logged_at_debug_only(process: DaemonProcess, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "signal_courier.signal_cli")
    process._pass_on(b"WARN  Manager - Ignoring +4915100000001: not registered")
    assert caplog.messages == ["Manager - Ignoring +…01: not registered"]
    caplog.set_level(logging.DEBUG, "signal_courier.signal_cli")
    process._pass_on(b"WARN  Manager - Ignoring +4915100000001: not registered")
    assert caplog.messages[-1] == "Manager - Ignoring +4915100000001: not registered"


async def test_the_account_that_keeps_it_from_starting_is_named(process: DaemonProcess) -> None:
    process._pass_on(b"ERROR MultiAccountManager - Failed to load +4915100000001: Unexpected end-of-input (JsonEOFException)")
    process._pass_on(b"Failed to load local accounts file")
    assert await process.why(3) == (
        "signal-cli ended with code 3: ERROR MultiAccountManager - Failed to load +\u202601: Unexpected end-of-input (JsonEOFException)"
    )


@pytest.mark.parametrize(
    "theirs,absent",
    [
        ("-XX:+UseG1GC", "UseSerialGC"),
        ("-Xmx2g", "-Xmx256m"),
        ("-XX:MaxRAMPercentage=50", "-Xmx256m"),
        ("-XX:-TieredCompilation", "TieredStopAtLevel"),
        ("-XX:+CrashOnOutOfMemoryError", "ExitOnOutOfMemoryError"),
    ],
)
def test_our_java_options_step_back(theirs: str, absent: str) -> None:
    options = environment({}, theirs, Path("/data/run/tmp"), brief=True)["JAVA_OPTS"]
    assert options.endswith(theirs)
    assert absent not in options


def test_only_a_daemon_that_soon_ends_gives_up_speed_for_a_quick_start() -> None:
    folder = Path("/data/run/tmp")
    assert "TieredStopAtLevel" in environment({}, "", folder, brief=True)["JAVA_OPTS"]
    assert "TieredStopAtLevel" not in environment({}, "", folder)["JAVA_OPTS"]


def test_a_folder_with_a_blank_stays_one_argument() -> None:
    assert "'-Djava.io.tmpdir=/my data/tmp'" in environment({"HOME": "/x"}, "", Path("/my data/tmp"))["JAVA_OPTS"]


def test_every_flag_has_its_place() -> None:
    options = ProcessOptions(
        config_dir=Path("/c"),
        trust="never",
        ignore_attachments=True,
        ignore_stories=True,
        ignore_avatars=True,
        ignore_stickers=True,
        send_read_receipts=True,
    )
    assert " ".join(command_line(options, Path("/s"))) == (
        "--output=json --config /c --trust-new-identities never daemon --socket /s --receive-mode manual --no-receive-stdout "
        "--ignore-attachments --ignore-stories --ignore-avatars --ignore-stickers --send-read-receipts"
    )
    assert "--ignore-avatars" not in command_line(options, Path("/s"), frozenset({"--ignore-avatars"}))
