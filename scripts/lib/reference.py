"""The tables of the documentation's reference pages, from what Home Assistant itself reads.

A page under `docs/home-assistant/` holds, for each action, trigger or condition, a heading that ends in its id, and below it a place:

    ## Send a message: `signal_courier.send_message`
    <!-- fields -->
    …
    <!-- /fields -->

Actions share a page; each trigger and each condition has one of its own, in a folder beside the page that leads to them.
What stands between the two marks is written from `services.yaml` (`triggers.yaml`, `conditions.yaml`) and the English texts; what people
wrote around it stays.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

type Texts = Mapping[str, Any]

PAGES: Final = {"actions": "services", "triggers": "triggers", "conditions": "conditions"}
"""Each page, and what it is about: the name of the file in the integration, and of the section of the texts."""

_HOW: Final = {
    "services": "in an automation or a script, *Add action* and search for *{name}*; to try it, *Settings → Developer tools → Actions*.",
    "triggers": "in an automation, *Add trigger* and search for *{name}*.",
    "conditions": "in an automation, *Add condition* and search for *{name}*.",
}
_EXAMPLES: Final = {
    "captcha_url": "https://signalcaptchas.org/challenge/generate.html",
    "example_link": "https://signal.group/#…",
}
"""What stands for the placeholders of descriptions."""
_SECTION: Final = re.compile(
    r"^(?P<head>##? [^\n]*`signal_courier\.(?P<name>\w+)`\n)"
    r"(?P<before>(?:(?!^## ).*\n)*?)<!-- fields -->\n(?:(?!^## ).*\n)*?<!-- /fields -->\n",
    re.MULTILINE,
)


def pages(root: Path, english: Texts) -> dict[Path, str]:
    """Every reference page there is, as it should be. `english` is the integration's section of the texts."""
    answer: dict[Path, str] = {}
    docs = root / "docs" / "home-assistant"
    for page, kind in PAGES.items():
        source = root / "custom_components" / "signal_courier" / f"{kind}.yaml"
        if source.is_file():
            definitions = yaml.safe_load(source.read_text(encoding="utf-8"))
            for path in sorted([*docs.glob(f"{page}.md"), *docs.glob(f"{page}/*.md")]):
                answer[path] = fill(path.read_text(encoding="utf-8"), kind, definitions, english.get(kind, {}))
    return answer


def fill(page: str, kind: str, definitions: Mapping[str, Any], texts: Texts) -> str:
    """The page with all its tables anew. A heading without a definition is left alone; the tests tell of it."""

    def section(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in texts:
            return match[0]
        table = "\n".join(_table(kind, definitions.get(name) or {}, texts[name]))
        return f"{match['head']}{match['before']}<!-- fields -->\n{table}\n<!-- /fields -->\n"

    return _SECTION.sub(section, page)


def _table(kind: str, definition: Mapping[str, Any], texts: Texts) -> Iterator[str]:
    yield _filled(texts["description"])
    yield ""
    yield f"**In the UI**: {_HOW[kind].format(name=texts['name'])}"
    rows = list(_rows(definition, texts))
    if rows:
        yield ""
        yield "| field | in the UI | what it is |"
        yield "| --- | --- | --- |"
        yield from rows


def _rows(definition: Mapping[str, Any], texts: Texts) -> Iterator[str]:
    for name, field in (definition.get("fields") or {}).items():
        if field and "fields" in field:
            yield from _rows(field, texts)
            continue
        said = texts.get("fields", {}).get(name, {})
        needed = ", required" if (field or {}).get("required") else ""
        yield f"| `{name}`{needed} | {_cell(said.get('name', ''))} | {_cell(said.get('description', ''))} |"


def _cell(text: str) -> str:
    return _filled(text).replace("|", "\\|").replace("\n", " ")


def _filled(text: str) -> str:
    for name, example in _EXAMPLES.items():
        text = text.replace(f"{{{name}}}", example)
    return text
