"""No key without a text, no text without a use."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from scripts.lib.translations import ROOT, SOURCE, Texts, load, section
from tests.translations.used_keys import Scanner

INTEGRATION = ROOT / "custom_components" / "signal_courier"

pytestmark = pytest.mark.skipif(not (INTEGRATION / "manifest.json").is_file(), reason="the integration is not there")


def within(texts: Texts, *path: str) -> Texts:
    """The texts under a path; empty when there is none. `*` stands for any key: what is found under all of them is put together."""
    for index, key in enumerate(path):
        if key == "*":
            found: Texts = {}
            for branch in texts.values():
                if isinstance(branch, dict):
                    found |= within(branch, *path[index + 1 :])
            return found
        branch = texts.get(key, {})
        texts = branch if isinstance(branch, dict) else {}
    return texts


@pytest.fixture(scope="module")
def texts() -> Texts:
    return section(load(SOURCE), "integration")


@pytest.fixture(scope="module")
def code() -> Scanner:
    return Scanner(INTEGRATION)


def in_flows(texts: Texts, *path: str) -> Texts:
    """What is under a path in any of the flows: set-up, options, subentries, repairs."""
    return (
        within(texts, "config", *path)
        | within(texts, "options", *path)
        | within(texts, "config_subentries", "*", *path)
        | within(texts, "issues", "*", "fix_flow", *path)
    )


def test_every_key_in_the_code_has_its_text(texts, code):
    there = {
        "exception": within(texts, "exceptions"),
        "issue": within(texts, "issues"),
        "entity": within(texts, "entity", "*"),
        "selector": within(texts, "selector"),
        "step": in_flows(texts, "step"),
        "menu": in_flows(texts, "step", "*", "menu_options"),
        "progress": in_flows(texts, "progress"),
        "abort": in_flows(texts, "abort"),
        "error": in_flows(texts, "error"),
    }
    assert [str(use) for use in code.uses() if use.key not in there[use.kind]] == []


def test_every_exception_and_issue_has_a_use(texts, code):
    for kind in ("exceptions", "issues"):
        assert sorted(key for key in within(texts, kind) if key not in code.words) == [], f"{kind} that nothing raises"


def described(name: str) -> dict[str, dict]:
    path = INTEGRATION / f"{name}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return content or {}


def fields_of(definition: dict | None) -> Iterator[tuple[str, str | None]]:
    """Each field with the section it is in."""
    for name, field in ((definition or {}).get("fields") or {}).items():
        if field and "fields" in field:
            yield from ((inner, name) for inner in field["fields"])
        else:
            yield name, None


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_every_action_trigger_and_condition_is_named_with_all_its_fields(kind, texts):
    there = within(texts, kind)
    defined = {name: definition for name, definition in described(kind).items() if not name.startswith(".")}
    assert sorted(there) == sorted(defined)
    for name, definition in defined.items():
        said = within(there, name)
        assert {"name", "description"} <= said.keys(), name
        fields = list(fields_of(definition))
        assert sorted(within(said, "fields")) == sorted(field for field, _ in fields), name
        for field, group in fields:
            assert {"name", "description"} <= within(said, "fields", field).keys(), f"{name}: {field}"
            assert group is None or "name" in within(said, "sections", group), f"{name}: section {group}"


def selectors(node: object) -> Iterator[dict]:
    """Every selector's settings, wherever it stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "selector" and isinstance(value, dict):
                yield from (settings for settings in value.values() if isinstance(settings, dict))
            yield from selectors(value)
    elif isinstance(node, list):
        for item in node:
            yield from selectors(item)


def test_every_choice_of_a_selector_is_named(texts):
    found = itertools.chain.from_iterable(selectors(described(name)) for name in ("services", "triggers", "conditions"))
    for settings in found:
        if key := settings.get("translation_key"):
            options = {option if isinstance(option, str) else option["value"] for option in settings.get("options", ())}
            assert options <= within(texts, "selector", key, "options").keys(), key


def test_every_field_of_a_step_is_explained(texts):
    """Quality scale: each field has a text below it."""
    for step in in_flows(texts, "step").values():
        assert isinstance(step, dict)
        assert within(step, "data").keys() == within(step, "data_description").keys(), step.get("title", step)


def test_what_explains_a_choice_belongs_to_one(texts):
    for step in in_flows(texts, "step").values():
        assert isinstance(step, dict)
        assert within(step, "menu_option_descriptions").keys() <= within(step, "menu_options").keys(), step.get("title", step)


def test_every_repair_has_steps_as_hassfest_wants_it(texts):
    for name, issue in within(texts, "issues").items():
        assert isinstance(issue, dict)
        assert "step" in issue.get("fix_flow", {"step": {}}), name


def test_icons_belong_to_something_named(texts):
    path = Path(INTEGRATION / "icons.json")
    if not path.is_file():
        pytest.skip("no icons yet")
    icons = yaml.safe_load(path.read_text(encoding="utf-8"))
    for platform, entities in icons.get("entity", {}).items():
        assert sorted(set(entities) - within(texts, "entity", platform).keys()) == [], platform
    for kind in ("services", "triggers", "conditions"):
        assert sorted(icons.get(kind, {})) == sorted(within(texts, kind)), kind
