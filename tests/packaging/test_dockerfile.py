import os
import re
import subprocess
from fnmatch import fnmatch

from signal_courier.app import layout
from tests.packaging.description import APP, ROOT

TEXT = (APP / "Dockerfile").read_text(encoding="utf-8")
LINES = [line for line in re.sub(r"\\\n\s*", " ", TEXT).splitlines() if line and not line.startswith("#")]
FINAL = LINES[max(index for index, line in enumerate(LINES) if line.startswith("FROM")) :]


def test_the_base_is_home_assistants_debian():
    bases = [line.split()[1] for line in LINES if line.startswith("FROM")]
    assert bases[0] == "ghcr.io/home-assistant/base-debian:trixie"
    assert set(bases[1:]) == {"base"}


def test_old_builders_can_read_it():
    assert "<<" not in re.sub(r"'[^']*'", "", TEXT), "no heredocs"
    assert "--link" not in " ".join(line for line in LINES if line.startswith("COPY"))
    assert not any(line.startswith("ADD") for line in LINES)
    assert "--start-interval" not in TEXT
    assert not TEXT.startswith("# syntax")


def test_the_architecture_is_the_builders_or_else_the_bases():
    """A default after ARG would win over what BuildKit sets, and put libraries for amd64 into the image for arm64."""
    assert LINES.count("ARG TARGETARCH") == 2
    assert "ARG TARGETARCH=" not in TEXT
    assert TEXT.count("$TARGETARCH") == 0, "always with what holds when it is not set"
    assert TEXT.count("${TARGETARCH:-$(dpkg --print-architecture)}") == 2


def test_every_download_has_its_digest():
    fetches = re.findall(r'fetch "([^"]+)" "\$(\w+)"', TEXT)
    assert [digest for _, digest in fetches] == ["SIGNAL_CLI_SHA256", "LIBSIGNAL_AARCH64_SHA256"]
    assert "sha256sum --check --strict" in TEXT
    assert TEXT.count("curl ") == 1


def test_things_are_where_the_program_looks_for_them():
    copied = {line.split()[-1] for line in FINAL if line.startswith("COPY")}
    assert {str(layout.ENGINE), str(layout.JAVA.parent.parent), str(layout.PYTHON.parent.parent)} <= copied
    assert f'CMD ["{layout.HEALTH}"]' in TEXT
    assert f"EXPOSE {layout.PORT}" in LINES
    assert f"--uid {layout.USER} " in TEXT
    assert os.access(APP / "rootfs" / layout.HEALTH.relative_to("/"), os.X_OK)


def test_the_last_stage_installs_python_and_nothing_to_build_with():
    installed = re.findall(r"apt-get install --yes --no-install-recommends ([^&;]+)", " ".join(FINAL))
    assert [names.split() for names in installed] == [["python3"]]
    assert "VOLUME" not in TEXT, "an unnamed volume would look like one that keeps things"
    assert not any(line.startswith("USER") for line in LINES), "s6 sets the user; docker run --user may too"


def test_everything_copied_is_in_this_folder_and_sent_to_the_builder():
    sent = [line[1:] for line in (APP / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    sources = [name for line in LINES if line.startswith("COPY") and "--from" not in line for name in line.split()[1:-1]]
    assert sources
    for name in sources:
        assert (APP / name).exists(), name
        assert any(fnmatch(name, pattern) for pattern in sent), name


def test_packages_are_those_of_the_lock():
    checked = subprocess.run([ROOT / "scripts" / "requirements", "--check"], capture_output=True, text=True, check=False, timeout=50)
    assert checked.returncode == 0, checked.stderr


def test_every_package_has_a_wheel_for_both_architectures_or_is_pure():
    names = [name for name in re.findall(r"(?m)^([a-z0-9-]+)==", (APP / "requirements.txt").read_text()) if name != "colorama"]
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    for name in names:
        entry = re.search(rf'(?ms)^\[\[package\]\]\nname = "{name}"\n.*?(?=^\[\[package|\Z)', lock)
        assert entry, name
        wheels = re.findall(r'/([^/"]+\.whl)"', entry[0])
        pure = any(wheel.endswith("-none-any.whl") for wheel in wheels)
        for machine in ("x86_64", "aarch64"):
            fitting = [
                wheel for wheel in wheels if re.search(rf"-(cp313-cp313|cp3\d+-abi3)-manylinux[^-]*_{machine}(\.[^-]*)?\.whl$", wheel)
            ]
            assert pure or fitting, f"{name}: no wheel for Python 3.13 on {machine}"
