import json
import re
import tomllib

import signal_courier
from scripts.lib import bump_signal_cli
from signal_courier.engine.program import install
from tests.packaging.description import APP, ROOT, load

MANIFEST = ROOT / "custom_components" / "signal_courier" / "manifest.json"


def test_everything_has_the_same_version():
    versions = {
        "config.yaml": load()["version"],
        "manifest.json": json.loads(MANIFEST.read_text())["version"],
        "addon/pyproject.toml": tomllib.loads((APP / "pyproject.toml").read_text())["project"]["version"],
        "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
        "the service": signal_courier.__version__,
        "Dockerfile": re.findall(r"(?m)^ARG BUILD_VERSION=(\S+)$", (APP / "Dockerfile").read_text())[0],
    }
    assert len(set(versions.values())) == 1, versions


def test_changes_are_told_of_this_version():
    for path in (ROOT / "CHANGELOG.md", APP / "CHANGELOG.md"):
        assert f"## {load()['version']}" in path.read_text(encoding="utf-8"), path


def test_app_and_integration_mean_each_other():
    manifest = json.loads(MANIFEST.read_text())
    assert load()["discovery"] == [manifest["domain"]]
    assert manifest["documentation"].startswith(load()["url"])


def test_the_image_and_the_installer_take_the_same_signal_cli():
    pins = bump_signal_cli.declared()
    assert (pins.version, pins.libsignal, pins.digest) == (install.RELEASE.version, install.RELEASE.libsignal, install.RELEASE.digest)
    assert install.RELEASE.java.version.startswith(f"{bump_signal_cli.JAVA}.")
    assert pins.version not in bump_signal_cli.KNOWN_BAD
