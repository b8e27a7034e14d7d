"""What the documentation names is there, and what there is can be found in it."""

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import yaml

from scripts.lib import service_pages, translations
from signal_courier import settings
from signal_courier.__main__ import parser_of_all
from signal_courier.access.scopes import Scope
from signal_courier.app.options import OPTIONS
from signal_courier.http import tables
from signal_courier.http.native.problems import KINDS
from signal_courier.model.events import EventType
from tests.docs.pages import PAGES, ROOT, blocks, commands, name_of, prose

_DOCS: Final = ROOT / "docs"
_IDS: Final = [name_of(page) for page in PAGES]
_ELSEWHERE: Final = {
    "COURIER_BACKUP_PASSPHRASE",  # of the commands
    "SIGNAL_CLI_UID", "SIGNAL_CLI_GID", "SIGNAL_CLI_CHOWN_ON_STARTUP",  # of the container
    "PYTHON_SIGNAL_CLI_REST_API_JSONRPC_HOST",
    "ENABLE_PLUGINS",  # what is not there
    "SIGNAL_CLI_OPTS",
}  # fmt: skip
_TEMPLATES: Final = [
    (route.method, re.sub(r":path}", "}", route.path)) for table in tables.TABLES for route in table
] + [("GET", path) for path in ("/openapi.json", "/docs", "/docs/openapi.json", "/swagger/index.html", "/swagger/doc.json")]  # fmt: skip
_PATH: Final = re.compile(
    r"(?:\b(GET|POST|PUT|PATCH|DELETE) (?:https?://[\w.:]+)?)?((?<![\w.])/(?:api/v[12]|v[12]|swagger|metrics|openapi)\b[\w/.+%{}:=…-]*)"
)


@pytest.mark.parametrize("page", PAGES, ids=_IDS)
def test_every_variable_that_is_named_is_a_setting(page: Path):
    known = {*settings.usage_names(), *_ELSEWHERE}
    named = set(
        re.findall(r"\b(?:COURIER|SIGNAL_CLI|JSON_RPC|AUTO_RECEIVE|SWAGGER|DEFAULT_SIGNAL|PYTHON_SIGNAL)_\w+(?!…)\b", page.read_text())
    )
    assert {name for name in named if not name.endswith("_")} - known == set()


def test_every_setting_is_on_its_page_with_its_option():
    text = (_DOCS / "settings.md").read_text()
    for item, declared in settings.declarations():
        for name in (declared.variable, *declared.aliases):
            assert f"`{name}`" in text
        if not declared.secret and declared.variable not in service_pages.INSIDE:
            assert f"`{settings.option_of(item.name)}`" in text
    names = dict(translations.flat(translations.section(translations.load("en"), "app")))
    for option in OPTIONS:
        assert f"*{names[f'configuration.{option.name}.name']}*" in text


def test_the_options_that_the_apps_documentation_names_are_called_so():
    names = re.findall(r"^\s+name: (.+)$", (ROOT / "addon" / "translations" / "en.yaml").read_text(), re.MULTILINE)
    text = re.sub(r"\s+", " ", (ROOT / "addon" / "DOCS.md").read_text())
    named = re.findall(r"(?:option|switch on|set|Set) \*([^*:]+)", text) + re.findall(r"\*([^*:]+): open\*", text)
    assert len(named) >= 5
    assert set(named) - set(names) == set()


def _examples(page: Path) -> Iterator[list[str]]:
    """Every `signal-courier …` that a page shows."""
    for block in blocks(page, "sh"):
        for command in commands(block):
            words = shlex.split(command, comments=True)
            while "signal-courier" in words:
                words = words[words.index("signal-courier") + 1 :]
                if words and words[0] in ("serve", "engine", "token", "backup", "restore", "import"):
                    yield words[: words.index("&&")] if "&&" in words else words
    for inline in re.findall(r"`signal-courier ([^`]+)`", prose(page)):
        if not re.search(r"[…|]", inline):
            yield shlex.split(inline)


@pytest.mark.parametrize("page", PAGES, ids=_IDS)
def test_every_command_that_is_shown_is_understood(page: Path):
    for words in _examples(page):
        named_only = len(words) < (3 if words[0] == "token" else 2)  # the command's name, as in a sentence
        complaint = _complaint([*words, "--help"] if named_only else words)
        assert complaint == "", f"signal-courier {' '.join(words)}: {complaint}"


def _complaint(words: list[str]) -> str:
    """What the command line has to say against some words."""
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        parser_of_all().parse_args(words)
    return told.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=_IDS)
def test_every_route_that_is_named_is_there(page: Path):
    for method, path in _PATH.findall(page.read_text()):
        assert any(method in ("", theirs) and _fits(path, template) for theirs, template in _TEMPLATES), f"{method} {path}"


def _fits(path: str, template: str) -> bool:
    """Whether what a page writes may mean this route: `…` is anything, `/v1` alone all behind it; the account may be left out."""
    path = path.rstrip(".:")
    shown, real = path.strip("/").split("/"), template.strip("/").split("/")
    if shown[-1] == "…" or path.endswith("/") or path in ("/v1", "/v2", "/api/v1", "/api/v2", "/swagger"):
        shown = [part for part in shown if part != "…"]
        real = real[: len(shown)]
    if len(real) == len(shown) + 1 and real[-1] in ("{number}", "{account}"):
        real.pop()
    return len(shown) == len(real) and all(theirs == ours or ours.startswith("{") for theirs, ours in zip(shown, real, strict=True))


def test_every_route_is_listed_with_its_scope():
    text = (_DOCS / "routes.md").read_text()
    for table in tables.TABLES:
        for route in table:
            if route.documented:
                path = re.sub(r":path}", "}", route.path)
                scope = f"`{route.scope}`" if route.scope is not None else "–"
                assert re.search(rf"^\| `{route.method} {re.escape(path)}` \| .+ \| {re.escape(scope)} \|$", text, re.MULTILINE), route


@pytest.mark.parametrize("page", PAGES, ids=_IDS)
def test_every_link_leads_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor:
            assert anchor in _anchors(there), f"{target}: there is {sorted(_anchors(there))}"


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def test_every_page_is_one_click_away():
    front = (ROOT / "README.md").read_text()
    for page in _DOCS.glob("*.md"):
        assert f"](docs/{page.name}" in front, page.name
    for page in (_DOCS / "home-assistant").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in (_DOCS / "home-assistant" / "README.md").read_text(), page.name


@pytest.mark.parametrize("page", PAGES, ids=_IDS)
def test_every_example_of_data_can_be_read(page: Path):
    for block in blocks(page):
        if block.language == "json":
            json.loads(block.text.replace('"…": "…"', '"x": 1'))
        if block.language == "yaml":
            yaml.safe_load(block.text)
        assert block.language or "$ " not in block.text, f"line {block.line}: a command that nobody checks"


def test_scopes_types_and_problems_are_told_as_they_are():
    security = (_DOCS / "security.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| .+ \|$", security.partition("| scope | allows |")[2].partition("\n\n")[0], re.MULTILINE)
    assert told == [str(scope) for scope in Scope]

    for page, row in (("events.md", r"^\| (`\w+`(?:, `\w+`)*) \| .+ \| .+ \|$"), ("webhooks.md", r"Types: (`message`.+?)\.")):
        text = (_DOCS / page).read_text().replace("\n", "\n" if page == "events.md" else " ")
        types = {name for found in re.findall(row, text, re.MULTILINE) for name in re.findall(r"`(\w+)`", found)}
        assert types == {str(kind) for kind in EventType}, page

    table = (_DOCS / "native-api.md").read_text().partition("| `urn:signal-courier:problem:` |")[2].partition("\n\n")[0]
    named = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`([\w-]+)`", row)}
    assert len(named) > 10
    assert named <= KINDS.keys()


def test_every_script_that_is_named_is_there():
    for page in PAGES:
        for name in re.findall(r"\bscripts/([\w-]+)", page.read_text()):
            assert (ROOT / "scripts" / name).exists(), f"{name_of(page)}: scripts/{name}"


def test_the_dialogs_of_home_assistant_are_told_in_their_own_words():
    english = dict(translations.flat(translations.section(translations.load("en"), "integration")))
    guide = "".join((_DOCS / "home-assistant" / name).read_text() for name in ("set-up.md", "assist.md"))
    fields = {
        text
        for key, text in english.items()
        if re.match(r"options\..*\.data\.|config_subentries\..*\.assist\.data\.|config\.step\.user\.data\.", key)
    }
    assert len(fields) > 12
    assert {field for field in fields if field not in guide} == set()

    said = re.findall(r'^\| "([^"]+)" \|', (_DOCS / "home-assistant" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(said) >= 5
    assert {text for text in said if not any(text in theirs for theirs in english.values())} == set()
