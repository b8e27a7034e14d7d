"""The tables of the documentation of the service: its settings and its routes, from where they are declared.

`docs/settings.md` and `docs/routes.md` hold places between the marks `<!-- NAME -->` and `<!-- /NAME -->`; what people wrote around them
stays.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from signal_courier import settings
from signal_courier.app.options import OPTIONS
from signal_courier.http import tables
from signal_courier.http.description import openapi
from signal_courier.http.routing import Route

type Texts = Mapping[str, Any]

INSIDE: Final = frozenset({"COURIER_READY_FD", "COURIER_INGRESS_PORT", "COURIER_INGRESS_PEER", "SIGNAL_CLI_RESPAWNS"})
"""What only the container's own scripts set."""


def pages(root: Path, app: Texts) -> dict[Path, str]:
    """Both pages, where they are there, as they should be. `app` is the app's section of the English texts."""
    docs = root / "docs"
    written = {"settings.md": {"settings": _settings(app), "app": _app_options(app)}, "routes.md": {"routes": _routes()}}
    there = {docs / name: parts for name, parts in written.items() if (docs / name).is_file()}
    return {path: fill(path.read_text(encoding="utf-8"), parts) for path, parts in there.items()}


def fill(page: str, parts: Mapping[str, Iterable[str]]) -> str:
    """The page with what stands between its marks anew."""
    for name, lines in parts.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        page = before + mark + "".join(f"{line}\n" for line in lines) + end + after
    return page


def _settings(app: Texts) -> Iterator[str]:
    in_app = {option.variable: option.name for option in OPTIONS if option.variable is not None}
    for group, declared in groupby(_by_group(), key=lambda each: each[0]):
        yield from ("", f"### {group}", "", "| variable | option | default | what it is | in the app |", "| --- | --- | --- | --- | --- |")
        for _, item, setting in declared:
            names = ", ".join(f"`{name}`" for name in (setting.variable, *setting.aliases))
            default = settings.default_of(item)
            default = {"none": "–"}.get(default, f"`{default}`" if " " not in default else default)
            option = "–" if setting.secret else f"`{settings.option_of(item.name)}`"
            shown = _name(app, in_app[setting.variable]) if setting.variable in in_app else "–"
            yield f"| {names} | {option} | {default} | {_cell(setting.help)} | {shown} |"
    yield ""


def _by_group() -> list[tuple[str, Any, settings.Declared]]:
    order: list[str] = []
    found = []
    for item, setting in settings.declarations():
        if setting.variable in INSIDE:
            continue
        if setting.group not in order:
            order.append(setting.group)
        found.append((setting.group, item, setting))
    return sorted(found, key=lambda each: order.index(each[0]))


def _app_options(app: Texts) -> Iterator[str]:
    yield from ("| in the app | as YAML | what it is |", "| --- | --- | --- |")
    for option in OPTIONS:
        if option.variable is None or option.shown is not None:
            yield f"| {_name(app, option.name)} | `{option.name}` | {_cell(app['configuration'][option.name]['description'])} |"


def _name(app: Texts, option: str) -> str:
    return f"*{app['configuration'][option]['name']}*"


def _routes() -> Iterator[str]:
    routes = [route for table in tables.TABLES for route in table if route.documented]
    described = {tag["name"]: tag["description"] for tag in openapi.document(routes)["tags"]}
    for tag, told in described.items():
        yield from ("", f"## {tag}", "", told, "", "| route | what it does | scope |", "| --- | --- | --- |")
        yield from (_route(route) for route in routes if route.tag == tag)
    yield ""


def _route(route: Route) -> str:
    path = re.sub(r":path}", "}", route.path)
    return f"| `{route.method} {path}` | {_cell(route.summary)} | {f'`{route.scope}`' if route.scope is not None else '–'} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
