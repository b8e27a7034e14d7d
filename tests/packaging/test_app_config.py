import re
import subprocess
from fnmatch import fnmatch

import pytest
import yaml
from PIL import Image

from signal_courier.app import layout
from signal_courier.app.options import OPTIONS
from tests.packaging import description
from tests.packaging.description import APP, ROOT, faults, load, rating


def test_the_supervisor_finds_nothing_wrong():
    assert faults(load()) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"version": "one"}, "version cannot be 'one'"),
        ({"watchdog": "tcp://[HOST]:8080"}, "watchdog is unknown"),
        ({"arch": ["armv7"]}, "arch cannot be"),
        ({"map": ["addon_config:rw"]}, "map cannot be"),
        ({"boot": "auto"}, "boot says what holds anyway"),
        ({"schema": {"mode": "choice(a|b)"}}, "schema cannot be"),
        ({"ports": {"8080/tcp": 80800}}, "ports cannot be"),
        ({"image": "GHCR.io/x/y:tag"}, "image cannot be"),
    ],
)
def test_the_rules_find_what_is_wrong(change, fault):
    assert any(found.startswith(fault) for found in faults({**load(), **change}))


def test_the_rating_is_the_best_there_is():
    assert rating(load(), own_profile=(APP / "apparmor.txt").exists()) == 8


@pytest.mark.parametrize(
    ("config", "own_profile", "points"),
    [
        ({}, False, 5),
        ({"ingress": True}, False, 7),
        ({"ingress": True, "apparmor": False}, True, 6),
        ({"ingress": True, "host_network": True}, True, 7),
        ({"ingress": True, "full_access": True}, True, 1),
        ({"hassio_role": "admin", "host_pid": True}, False, 1),
    ],
)
def test_the_rating_is_counted_as_in_the_store(config, own_profile, points):
    assert rating(config, own_profile=own_profile) == points


def test_nothing_else_in_the_repository_looks_like_an_app():
    """The Supervisor takes every config.yaml at any depth for one, and complains to users about what is none."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = [
        name
        for name in listed.stdout.splitlines()
        if re.fullmatch(r"(.*/)?config\.(yaml|yml|json)", name)
        and not any(part.startswith(".") or part == "rootfs" for part in name.split("/"))
    ]
    assert found == ["addon/config.yaml"]


def test_the_repository_introduces_itself():
    repository = yaml.safe_load((ROOT / "repository.yaml").read_text())
    assert set(repository) == {"name", "url", "maintainer"}
    assert repository["url"] == load()["url"]


def test_options_are_those_that_the_program_knows_in_its_order():
    config = load()
    ours = {option.name: [option.schema[1:-1]] if option.many else option.schema for option in OPTIONS}
    assert config["schema"] == ours
    assert list(config["schema"]) == list(ours)
    assert config["options"] == {option.name: option.shown for option in OPTIONS if option.shown is not None}


def test_every_option_may_be_left_out():
    for name, kind in load()["schema"].items():
        assert (kind[0] if isinstance(kind, list) else kind).endswith("?"), name


def test_no_value_is_a_type():
    """`mode: list(a|b)` among the values is a mistake that others made."""
    for name, value in load()["options"].items():
        assert not description.ELEMENT.fullmatch(str(value)), name


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "nl", "it"])
def test_every_option_and_port_has_a_name_in_each_language(language):
    config = load()
    said = yaml.safe_load((APP / "translations" / f"{language}.yaml").read_text(encoding="utf-8"))
    assert list(said["configuration"]) == list(config["schema"])
    assert all(set(words) == {"name", "description"} and all(words.values()) for words in said["configuration"].values())
    assert set(said["network"]) == set(config["ports"])


def test_ports_are_those_that_the_program_listens_on():
    config = load()
    assert config["ports"] == {f"{layout.PORT}/tcp": None}, "offered, not published"
    assert config.get("ingress_port", description.INGRESS_DEFAULT_PORT) == layout.INGRESS_PORT
    assert set(config["ports_description"]) == set(config["ports"])


def test_what_the_program_wants_to_read_is_mapped():
    mapped = {entry.partition(":")[0]: entry.partition(":")[2] for entry in load()["map"]}
    assert mapped == {"ssl": "ro", "all_app_configs": "ro"}
    assert layout.CERTIFICATES.name == "ssl"
    assert "app_configs" in {folder.name for folder in layout.OTHER_APPS} or "addon_configs" in {
        folder.name for folder in layout.OTHER_APPS
    }


def test_backups_hold_keys_and_messages_and_leave_out_what_comes_again():
    """Patterns are matched with the whole path on the host."""
    patterns = load()["backup_exclude"]
    data = "/mnt/data/supervisor/apps/data/local_signal_courier"

    def left_out(path: str) -> bool:
        return any(fnmatch(f"{data}/{path}", pattern) for pattern in patterns)

    ours, theirs = layout.COURIER_DATA.name, layout.SIGNAL_CLI_DATA.name
    for path in ("options.json", f"{ours}/courier.db", f"{ours}/outbox/1", f"{theirs}/data/accounts.json", f"{theirs}/data/1.d/account.db"):
        assert not left_out(path), path
    for path in (f"{ours}/spool/x", f"{ours}/run/x", f"{theirs}/attachments/x.jpg", f"{theirs}/avatars/profile-x"):
        assert left_out(path), path


@pytest.mark.parametrize(("name", "size"), [("icon.png", (128, 128)), ("logo.png", (248, 100))])
def test_pictures_have_the_size_that_the_store_shows(name, size):
    with Image.open(APP / name) as image:
        assert image.size == size
        assert image.mode == "RGBA"


def test_people_find_something_to_read():
    for name in ("README.md", "DOCS.md", "CHANGELOG.md"):
        assert len((APP / name).read_text(encoding="utf-8")) > 200, name
