import re
import shutil
import subprocess
from pathlib import Path

import pytest

from signal_courier.app import layout
from tests.packaging.description import APP

PROFILE = APP / "apparmor.txt"
TEXT = PROFILE.read_text(encoding="utf-8")
RULES = Path("/etc/apparmor.d")


@pytest.mark.skipif(shutil.which("apparmor_parser") is None or not RULES.is_dir(), reason="apparmor_parser is not installed")
def test_the_profile_can_be_parsed():
    command = ["apparmor_parser", "-Q", "-K", "-T", "--base", str(RULES), "-I", str(RULES), str(PROFILE)]
    parsed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=50)
    assert parsed.returncode == 0, parsed.stderr


def test_there_is_one_profile_that_the_supervisor_can_rename():
    assert re.findall(r"(?m)^profile (\S+)", TEXT) == ["signal_courier"]


def test_java_and_python_may_load_their_libraries():
    for folder in (layout.ENGINE / "native", layout.ENGINE / "lib", layout.JAVA.parent.parent / "lib", layout.PYTHON.parent.parent / "lib"):
        assert re.search(rf"(?m)^  {folder}/\*\* mr", TEXT), folder


def test_data_can_be_written_and_the_system_cannot():
    assert f"  {layout.DATA}/** rwkl," in TEXT
    assert f"  {layout.UPSTREAM_DATA}/** rwkl," in TEXT
    written = re.findall(r"(?m)^  (/\S+) \w*w\w*,$", TEXT)
    assert all(path.startswith(("/data", "/home", "/run", "/tmp", "/dev")) for path in written), written
    assert not re.search(r"(?m)^  /\*\* \w*[wmx]", TEXT)


def test_no_capability_that_reaches_beyond_the_container():
    allowed = set(re.findall(r"(?m)^  capability (\w+),", TEXT))
    assert allowed <= {"chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid"}
