"""A start or a command that cannot be says which setting is wrong, and what helps."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def said(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """The program in a process of its own: exit code and complaints."""
    given = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT / "addon"), "COURIER_ENGINE": "simulator"}
    done = subprocess.run(
        [sys.executable, "-m", "signal_courier", *arguments],
        env=given | {"COURIER_DATA_DIR": str(folder / "data")} | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()[-1]


def test_a_port_that_is_taken_is_told_with_the_setting_that_helps(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, text = said(tmp_path, "serve", PORT=str(taken.getsockname()[1]))
    assert code == 1
    assert "another program does" in text
    assert "PORT" in text


def test_an_address_of_another_machine_is_told_with_the_setting_that_helps(tmp_path: Path):
    code, text = said(tmp_path, "serve", PORT="0", COURIER_HOST="192.0.2.1")
    assert (code, "no such address" in text, "COURIER_HOST" in text) == (1, True, True)


def test_a_data_folder_that_cannot_be_made_is_named_with_its_setting(tmp_path: Path):
    (tmp_path / "file").touch()
    code, text = said(tmp_path, "serve", PORT="0", COURIER_DATA_DIR=str(tmp_path / "file" / "data"))
    assert (code, text.startswith("signal-courier: COURIER_DATA_DIR: "), "name another folder" in text) == (2, True, True)


def test_a_folder_for_signal_cli_that_cannot_be_made_is_named_with_its_setting(tmp_path: Path):
    (tmp_path / "file").touch()
    code, text = said(tmp_path, "serve", PORT="0", SIGNAL_CLI_CONFIG_DIR=str(tmp_path / "file" / "cli"))
    assert (code, text.startswith("signal-courier: SIGNAL_CLI_CONFIG_DIR: "), "name another folder" in text) == (1, True, True), text


def test_a_certificate_that_is_none_is_told_in_words(tmp_path: Path):
    (tmp_path / "certificate.pem").write_text("none")
    code, text = said(tmp_path, "serve", PORT="0", COURIER_TLS_CERTIFICATE=str(tmp_path / "certificate.pem"))
    assert (code, "COURIER_TLS_CERTIFICATE" in text, "must be PEM files" in text) == (2, True, True), text


@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (("import", "old"), "data/accounts.json cannot be read (No such file or directory)"),
        (("backup", "b", "--passphrase-file", "secret"), "--passphrase-file: secret cannot be read (No such file or directory)"),
        (("restore", "b"), "the backup cannot be restored"),
    ],
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, arguments: tuple[str, ...], complaint: str):
    code, text = said(tmp_path, *arguments)
    assert (code, complaint in text) == (1, True), text
