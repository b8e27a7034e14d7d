"""Every text that a person reads, from one YAML file a language, into the formats that its readers want.

`translations/<language>.yaml` has the sections

* `app`: options and ports of the app, written to `addon/translations/<language>.yaml` (read by the Supervisor);
* `integration`: in Home Assistant's own structure, written to `custom_components/signal_courier/translations/<language>.json`; the English
  ones also make the tables of the documentation (`reference`, `service_pages`).

English is the source. A text that another language lacks is left out of what is written, and its reader falls back to English.
What is written is generated: change the source and run `scripts/translate`; after a conflict in a generated file, just run it again.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import yaml

from scripts.lib import reference, service_pages

ROOT: Final = Path(__file__).resolve().parents[2]
SOURCE: Final = "en"
"""The language that texts are written in first, and that the others fall back to."""

SECTIONS: Final = ("app", "integration")

type Texts = dict[str, str | Texts]
"""Texts by key, nested."""

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


class TranslationError(Exception):
    """A source file is not what it should be; the text names the file and the place."""


class _Loader(yaml.CSafeLoader):
    """YAML where every scalar is text (`on`, `no` and `1.0` too), and no key comes twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[str, object]:
    answer: dict[str, object] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in answer:
            raise TranslationError(f"{key_node.start_mark.name}, line {key_node.start_mark.line + 1}: {key!r} comes twice")
        answer[key] = loader.construct_object(value_node, deep=True)
    return answer


_Loader.yaml_implicit_resolvers = {}
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def languages(root: Path = ROOT) -> list[str]:
    """The languages there are, English first."""
    found = sorted(path.stem for path in (root / "translations").glob("*.yaml"))
    return sorted(found, key=lambda language: language != SOURCE)


def load(language: str, root: Path = ROOT) -> Texts:
    """All texts of one language.

    Raises:
        TranslationError: a key comes twice, a section is unknown, or something is neither text nor a group of texts.
    """
    path = root / "translations" / f"{language}.yaml"
    name = path.relative_to(root)
    with path.open(encoding="utf-8") as file:
        try:
            content = yaml.load(file, _Loader)  # noqa: S506 # a SafeLoader by birth
        except yaml.YAMLError as error:
            raise TranslationError(f"{name}: {error}") from error
    texts = _texts(content, str(name))
    if unknown := texts.keys() - set(SECTIONS):
        raise TranslationError(f"{name}: unknown sections {sorted(unknown)}")
    return texts


def _texts(content: object, place: str) -> Texts:
    if not isinstance(content, dict):
        raise TranslationError(f"{place}: expected texts by key, not {content!r}")
    return {key: value.strip() if isinstance(value, str) else _texts(value, f"{place}: {key}") for key, value in content.items()}


def section(texts: Texts, name: str) -> Texts:
    """One section of a language; empty when there is none."""
    found = texts.get(name, {})
    return found if isinstance(found, dict) else {}


def flat(texts: Mapping[str, str | Texts], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every text with its path, keys joined by dots."""
    for key, value in texts.items():
        if isinstance(value, str):
            yield prefix + key, value
        else:
            yield from flat(value, f"{prefix}{key}.")


def as_json(texts: Texts) -> str:
    """For Home Assistant."""
    return json.dumps(texts, ensure_ascii=False, indent=2) + "\n"


def as_yaml(texts: Texts) -> str:
    """For the Supervisor."""
    written: str = yaml.safe_dump(texts, allow_unicode=True, sort_keys=False, width=120)
    return "---\n# Written by scripts/translate.\n" + written


OUTPUTS: Final[dict[str, tuple[str, Callable[[Texts], str]]]] = {
    "app": ("addon/translations/{language}.yaml", as_yaml),
    "integration": ("custom_components/signal_courier/translations/{language}.json", as_json),
}
"""For each section: where it goes, and in what form."""


def outputs(root: Path = ROOT) -> dict[Path, str]:
    """Every generated file, with what belongs in it."""
    answer: dict[Path, str] = {}
    for language in languages(root):
        texts = load(language, root)
        for name, (path, form) in OUTPUTS.items():
            if content := section(texts, name):
                answer[root / path.format(language=language)] = form(content)
    english = load(SOURCE, root)
    return answer | reference.pages(root, section(english, "integration")) | service_pages.pages(root, section(english, "app"))


def stale(root: Path = ROOT) -> list[Path]:
    """Generated files that are missing, differ from their source, or have none any more; relative to the root."""
    wanted = outputs(root)
    there = {file for path, _ in OUTPUTS.values() for file in root.glob(path.format(language="*"))}
    wrong = [path for path, content in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != content]
    return sorted(path.relative_to(root) for path in [*wrong, *(there - wanted.keys())])


def write(root: Path = ROOT) -> list[Path]:
    """Bring every generated file up to date; the ones that changed, relative to the root."""
    changed = stale(root)
    wanted = outputs(root)
    for name in changed:
        path = root / name
        if path in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return changed


def missing(language: str, root: Path = ROOT) -> list[str]:
    """The paths that English has and this language lacks."""
    there = {path for path, _ in flat(load(language, root))}
    return [path for path, _ in flat(load(SOURCE, root)) if path not in there]


def main(arguments: list[str] | None = None) -> int:
    """The command `scripts/translate`."""
    parser = argparse.ArgumentParser(prog="scripts/translate", description="Write what the texts in translations/ are made into.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only tell (by the exit code) whether all is up to date")
    what.add_argument("--missing", action="store_true", help="list the texts that other languages lack")
    options = parser.parse_args(arguments)
    try:
        if options.missing:
            lacking = {language: missing(language) for language in languages()}
            for language, paths in lacking.items():
                print(*(f"{language}: {path}" for path in paths), sep="\n", end="\n" if paths else "")
            return 1 if any(lacking.values()) else 0
        if options.check:
            if out_of_date := stale():
                print("run scripts/translate, these are out of date:", *out_of_date, sep="\n")
            return 1 if out_of_date else 0
        print(*write(), sep="\n")
    except TranslationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
