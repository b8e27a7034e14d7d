"""Home Assistant's Integration Quality Scale: what a program can see of its rules.

`quality_scale.yaml` says which rules are done; a test is skipped where one of its rules is exempt.
"""

import ast
import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from homeassistant.config_entries import HANDLERS, SOURCE_REAUTH, SOURCE_USER
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition, icon, service, translation, trigger
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers import entity_registry as er
from homeassistant.loader import async_get_integration
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.signal_courier.const import DOMAIN
from tests.integration.courier import ROOT

INTEGRATION: Final = ROOT / "custom_components" / DOMAIN
DOCS: Final = ROOT / "docs" / "home-assistant"
MODULES: Final = {path.relative_to(INTEGRATION): path.read_text(encoding="utf-8") for path in sorted(INTEGRATION.rglob("*.py"))}

BRONZE: Final = {
    "action-setup", "appropriate-polling", "brands", "common-modules", "config-flow", "config-flow-test-coverage",
    "dependency-transparency", "docs-actions", "docs-conditions", "docs-high-level-description", "docs-installation-instructions",
    "docs-removal-instructions", "docs-triggers", "entity-event-setup", "entity-unique-id", "has-entity-name", "runtime-data",
    "test-before-configure", "test-before-setup", "unique-config-entry",
}  # fmt: skip
SILVER: Final = {
    "action-exceptions", "config-entry-unloading", "docs-configuration-parameters", "docs-installation-parameters", "entity-unavailable",
    "integration-owner", "log-when-unavailable", "parallel-updates", "reauthentication-flow", "test-coverage",
}  # fmt: skip
GOLD: Final = {
    "devices", "diagnostics", "discovery", "discovery-update-info", "docs-data-update", "docs-examples", "docs-known-limitations",
    "docs-supported-devices", "docs-supported-functions", "docs-troubleshooting", "docs-use-cases", "dynamic-devices", "entity-category",
    "entity-device-class", "entity-disabled-by-default", "entity-translations", "exception-translations", "icon-translations",
    "reconfiguration-flow", "repair-issues", "stale-devices",
}  # fmt: skip
SEEN_BY_USERS: Final = {
    "HomeAssistantError", "ServiceValidationError", "ConfigEntryAuthFailed", "ConfigEntryError", "ConfigEntryNotReady", "UpdateFailed",
}  # fmt: skip
PLATINUM: Final = {"async-dependency", "inject-websession", "strict-typing"}


def scale() -> dict[str, Any]:
    """Each rule with its status, as it is written."""
    rules: dict[str, Any] = yaml.safe_load((INTEGRATION / "quality_scale.yaml").read_text(encoding="utf-8"))["rules"]
    return rules


def rule(*names: str) -> Callable[[Any], Any]:
    """A test that these rules are kept."""
    open_ones = [name for name in names if scale()[name] != "done" and scale()[name]["status"] != "done"]
    return pytest.mark.skipif(bool(open_ones), reason=f"not done: {', '.join(open_ones)}")


def test_every_rule_is_judged():
    assert scale().keys() == BRONZE | SILVER | GOLD | PLATINUM
    assert len(scale()) == 54
    for name, judged in scale().items():
        match judged:
            case "done":
                pass
            case {"status": "done" | "exempt", "comment": str(reason)}:
                assert reason.endswith("."), name
            case _:
                pytest.fail(f"{name}: {judged}")


# --- the manifest, and what stands beside it --------------------------------------------------------------------------------


@rule("integration-owner")
def test_the_manifest_is_one_that_hassfest_takes():
    manifest = json.loads((INTEGRATION / "manifest.json").read_text(encoding="utf-8"))
    rest = list(manifest)[2:]
    assert list(manifest)[:2] == ["domain", "name"]
    assert rest == sorted(rest)
    assert manifest["domain"] == DOMAIN == INTEGRATION.name
    assert all(owner.startswith("@") for owner in manifest["codeowners"])
    assert manifest["codeowners"]
    assert manifest["config_flow"] is True
    assert manifest["integration_type"] in {"device", "hub", "service"}
    assert manifest["iot_class"] == "local_push"
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    for key in ("documentation", "issue_tracker"):
        assert manifest[key].startswith("https://")
        assert "home-assistant.io/integrations" not in manifest[key]
    for requirement in manifest["requirements"]:
        assert "==" in requirement, "requirements are pinned"
    known = {
        "after_dependencies", "codeowners", "config_flow", "dependencies", "dhcp", "documentation", "domain", "integration_type",
        "iot_class", "issue_tracker", "loggers", "name", "quality_scale", "requirements", "single_config_entry", "ssdp", "version",
        "zeroconf",
    }  # fmt: skip
    assert manifest.keys() <= known


def test_every_other_component_that_is_used_is_named_in_the_manifest():
    manifest = json.loads((INTEGRATION / "manifest.json").read_text(encoding="utf-8"))
    named = {*manifest.get("dependencies", []), *manifest["after_dependencies"], *(str(platform) for platform in Platform)}
    always_there = {"homeassistant", "conversation", "media_source"}
    own = {path.stem for path in MODULES if len(path.parts) == 1}  # what there is a platform of may be imported for it
    for path, text in MODULES.items():
        used = set(re.findall(r"\bhomeassistant\.components\.(\w+)", text)) | {
            name.split(" as ")[0].strip()
            for names in re.findall(r"from homeassistant\.components import ([\w, ]+)", text)
            for name in names.split(",")
        }
        assert used <= named | always_there | own, path


def test_marketplace_and_hacs_take_the_repository():
    hacs = json.loads((ROOT / "hacs.json").read_text(encoding="utf-8"))
    allowed = {
        "name", "content_in_root", "country", "filename", "hacs", "hide_default_branch", "homeassistant", "persistent_directory",
        "render_readme", "zip_release",
    }  # fmt: skip
    assert hacs.keys() <= allowed
    assert hacs["name"]
    assert [path.name for path in (ROOT / "custom_components").iterdir() if (path / "manifest.json").is_file()] == [DOMAIN]
    assert (ROOT / "LICENSE").is_file()
    assert (ROOT / "README.md").is_file()


@rule("brands")
@pytest.mark.parametrize(("name", "shortest"), [("icon", 256), ("icon@2x", 512), ("logo", 128), ("logo@2x", 256)])
@pytest.mark.parametrize("theme", ["", "dark_"])
def test_it_has_a_face(theme, name, shortest):
    data = (INTEGRATION / "brand" / f"{theme}{name}.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert min(width, height) == shortest
    if "icon" in name:
        assert width == height


# --- the code ---------------------------------------------------------------------------------------------------------------


@rule("common-modules", "diagnostics", "strict-typing")
def test_modules_are_where_they_are_looked_for():
    for name in ("coordinator.py", "entity.py", "diagnostics.py", "config_flow.py", "py.typed"):
        assert (INTEGRATION / name).is_file()


@rule("parallel-updates")
def test_every_platform_says_how_many_updates_run_at_once():
    platforms = [path for path in MODULES if path.stem in {str(platform) for platform in Platform} and len(path.parts) == 1]
    assert platforms
    for path in platforms:
        tree = ast.parse(MODULES[path])
        names = {
            target.id
            for node in tree.body
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else [])
            if isinstance(target, ast.Name)
        }
        assert "PARALLEL_UPDATES" in names, path


@rule("inject-websession", "async-dependency", "runtime-data", "strict-typing")
def test_sessions_are_injected_nothing_blocks_and_nothing_is_kept_in_hass_data_by_entry():
    for path, text in MODULES.items():
        assert not re.search(r"\bClientSession\(", text), f"{path} makes a session of its own"
        assert not re.search(r"^\s*(import|from) (requests|urllib\.request|httpx2?)\b", text, re.MULTILINE), path
        assert "hass.data[DOMAIN]" not in text, path
        assert not re.search(r"# type: ignore(?!\[[\w,-]+\] +#)", text), f"{path}: a type: ignore without a code and a reason"
    assert any("runtime_data = " in text for text in MODULES.values())
    assert any(re.search(r"^type SignalCourierConfigEntry = ConfigEntry\[", text, re.MULTILINE) for text in MODULES.values())


def test_the_client_knows_nothing_of_home_assistant():
    for path, text in MODULES.items():
        if path.parts[0] == "client":
            assert not re.search(r"^\s*(import|from) (homeassistant|probatio|voluptuous)\b", text, re.MULTILINE), path


@rule("exception-translations", "action-exceptions")
def test_every_exception_is_said_in_the_users_language():
    for path, text in MODULES.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SEEN_BY_USERS:
                given = {keyword.arg for keyword in node.keywords}
                assert given & {"translation_key", None}, f"{path}:{node.lineno} raises without a translation"


@rule("config-flow", "reauthentication-flow", "reconfiguration-flow", "discovery", "test-before-configure", "unique-config-entry")
async def test_the_flow_has_every_way_in(hass: HomeAssistant):
    await async_get_integration(hass, DOMAIN)
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert result["type"] in {"form", "menu"}
    flow = HANDLERS[DOMAIN]
    for step in ("user", SOURCE_REAUTH, "reconfigure", "hassio", "zeroconf"):
        assert hasattr(flow, f"async_step_{step}"), step
    hass.config_entries.flow.async_abort(result["flow_id"])


# --- what runs --------------------------------------------------------------------------------------------------------------


@rule("entity-unique-id", "has-entity-name", "entity-translations", "devices")
async def test_every_entity_has_an_id_a_name_and_a_device(hass: HomeAssistant, setup_integration):
    entry = await setup_integration()
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    assert entities
    assert len({entity.unique_id for entity in entities}) == len(entities)
    names = await translation.async_get_translations(hass, "en", "entity", {DOMAIN})
    for entity in entities:
        assert entity.device_id is not None, entity.entity_id
        assert entity.has_entity_name, entity.entity_id
        if entity.translation_key is not None:
            key = f"component.{DOMAIN}.entity.{entity.domain}.{entity.translation_key}.name"
            assert key in names or entity.original_name is None, f"{entity.entity_id}: no {key}"
        else:
            assert entity.original_device_class is not None or entity.original_name is None, f"{entity.entity_id} has an untranslated name"


@rule("icon-translations")
async def test_everything_without_a_class_has_an_icon(hass: HomeAssistant, setup_integration):
    entry = await setup_integration()
    icons = (await icon.async_get_icons(hass, "entity", {DOMAIN}))[DOMAIN]
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        if entity.translation_key is not None and entity.original_device_class is None:  # what has no name of its own has its kind's icon
            assert entity.translation_key in icons.get(entity.domain, {}), entity.entity_id
    services = (await icon.async_get_icons(hass, "services", {DOMAIN}))[DOMAIN]
    assert services.keys() == hass.services.async_services_for_domain(DOMAIN).keys()


@rule("action-setup")
async def test_actions_are_there_without_an_account(hass: HomeAssistant):
    assert await async_setup_component(hass, DOMAIN, {})
    described = read_yaml(INTEGRATION / "services.yaml")
    assert hass.services.async_services_for_domain(DOMAIN).keys() == described.keys()
    assert described.keys() == (await service.async_get_all_descriptions(hass))[DOMAIN].keys()


@rule("docs-triggers", "docs-conditions")
async def test_home_assistant_reads_the_triggers_and_conditions(hass: HomeAssistant):
    assert await async_setup_component(hass, "automation", {})
    assert await async_setup_component(hass, DOMAIN, {})
    for name, found in (
        ("triggers", await trigger.async_get_all_descriptions(hass)),
        ("conditions", await condition.async_get_all_descriptions(hass)),
    ):
        ours = {
            key.removeprefix(f"{DOMAIN}.") for key, description in found.items() if key.startswith(f"{DOMAIN}.") and description is not None
        }
        assert ours == read_yaml(INTEGRATION / f"{name}.yaml").keys()


# --- the documentation ------------------------------------------------------------------------------------------------------


def read_yaml(path: Path) -> dict[str, Any]:
    """What a description file defines; anchors that begin with a dot are left out."""
    return {key: value for key, value in yaml.safe_load(path.read_text(encoding="utf-8")).items() if not key.startswith(".")}


def page(name: str) -> str:
    """A page of the documentation, with those in the folder of its name."""
    paths = [DOCS / f"{name}.md", *sorted((DOCS / name).glob("*.md"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def examples() -> Iterator[tuple[str, Any]]:
    """Every YAML example, with the page it is on."""
    for path in sorted(DOCS.rglob("*.md")):
        for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            yield path.name, yaml.safe_load(block)


def within(node: Any, key: str) -> Iterator[dict[str, Any]]:
    """Every mapping that has a key, anywhere."""
    if isinstance(node, dict):
        if key in node:
            yield node
        for value in node.values():
            yield from within(value, key)
    elif isinstance(node, list):
        for item in node:
            yield from within(item, key)


def fields_of(definition: dict[str, Any] | None) -> Iterator[str]:
    """The fields of an action, a trigger or a condition, those in sections too."""
    for name, field in ((definition or {}).get("fields") or {}).items():
        if field and "fields" in field:
            yield from field["fields"]
        else:
            yield name


@rule("docs-actions", "docs-triggers", "docs-conditions")
@pytest.mark.parametrize(("kind", "shown_as"), [("services", "actions"), ("triggers", "triggers"), ("conditions", "conditions")])
def test_everything_is_documented_with_all_its_fields_and_an_example(kind, shown_as):
    text = page(shown_as)
    sections = dict(re.findall(rf"^##? [^\n]*`{DOMAIN}\.(\w+)`\n(.*?)(?=^##? [^\n]*`{DOMAIN}|\Z)", text, re.MULTILINE | re.DOTALL))
    defined = read_yaml(INTEGRATION / f"{kind}.yaml")
    assert sections.keys() == defined.keys()
    common = text.split("\n## ", 1)[0]
    for name, definition in defined.items():
        for field in fields_of(definition):
            assert f"`{field}`" in sections[name] + common, f"{name}: {field} is not explained"
        assert f"{DOMAIN}.{name}" in "".join(re.findall(r"^```yaml\n(.*?)^```", sections[name], re.MULTILINE | re.DOTALL)), (
            f"{name}: no example"
        )
        assert "**In the UI**" in sections[name], f"{name}: not told how to do it in the UI"


@rule("docs-triggers", "docs-conditions")
@pytest.mark.parametrize("kind", ["triggers", "conditions"])
def test_every_trigger_and_condition_has_a_page_that_is_led_to(kind):
    defined = read_yaml(INTEGRATION / f"{kind}.yaml").keys()
    index = (DOCS / f"{kind}.md").read_text(encoding="utf-8")
    assert {path.stem for path in (DOCS / kind).glob("*.md")} == defined
    for name in defined:
        assert f"]({kind}/{name}.md)" in index


@rule("docs-actions", "docs-examples")
async def test_the_examples_are_taken_by_home_assistant(hass: HomeAssistant):
    assert await async_setup_component(hass, DOMAIN, {})
    assert await async_setup_component(hass, "automation", {})
    actions = hass.services.async_services_for_domain(DOMAIN)
    seen = 0
    for name, example in examples():
        for step in within(example, "action"):
            if isinstance(step["action"], str) and step["action"].startswith(f"{DOMAIN}."):
                schema = actions[step["action"].split(".")[1]].schema
                data = {**step.get("data", {}), **step.get("target", {})}
                templates = any("{{" in str(value) for value in data.values())
                if schema is not None and not templates:
                    schema(data)
                assert schema is not None, f"{name}: {step}"
                seen += 1
        for kind in within(example, "trigger"):
            if isinstance(kind["trigger"], str) and kind["trigger"].startswith(f"{DOMAIN}."):
                await trigger.async_validate_trigger_config(hass, cv.TRIGGER_SCHEMA([dict(kind)]))
                seen += 1
        for kind in within(example, "condition"):
            if isinstance(kind["condition"], str) and kind["condition"].startswith(f"{DOMAIN}."):
                await condition.async_validate_condition_config(hass, cv.CONDITION_SCHEMA(dict(kind)))
                seen += 1
    assert seen > 30


@rule("docs-supported-functions")
async def test_every_entity_is_documented(hass: HomeAssistant, setup_integration):
    entry: MockConfigEntry = await setup_integration()
    names = await translation.async_get_translations(hass, "en", "entity", {DOMAIN})
    text = page("entities")
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        name = names.get(f"component.{DOMAIN}.entity.{entity.domain}.{entity.translation_key}.name")
        assert name is None or f"**{name}**" in text, f"{entity.entity_id} ({name})"


@rule(
    "docs-high-level-description", "docs-installation-instructions", "docs-removal-instructions", "docs-installation-parameters",
    "docs-configuration-parameters", "docs-data-update", "docs-known-limitations", "docs-troubleshooting", "docs-use-cases",
)  # fmt: skip
def test_every_chapter_is_there():
    chapters = {
        "README": ["What you can do with it", "Install", "Remove it"],
        "set-up": ["What is asked", "Options", "Conversations"],
        "entities": ["How data comes"],
        "troubleshooting": ["Known limits"],
    }
    for name, headings in chapters.items():
        for heading in headings:
            assert re.search(rf"^##+ {heading}", page(name), re.MULTILINE), f"{name}: {heading}"


def test_links_between_pages_lead_somewhere():
    for path in sorted(DOCS.rglob("*.md")):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.name}: {target}"
