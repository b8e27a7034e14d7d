"""The keys of texts that the integration's code asks for, read from its syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

STEPS: Final = frozenset({"async_show_form", "async_show_menu", "async_show_progress", "async_external_step"})


class Use(NamedTuple):
    """One key in the code."""

    kind: str
    """exception, issue, entity, step, menu, progress, abort, error or selector"""
    key: str
    module: str
    line: int

    def __str__(self) -> str:
        """For a test's message."""
        return f"{self.kind} {self.key!r} ({self.module}:{self.line})"


class Scanner:
    """Reads all modules of an integration; names of constants are resolved over all of them."""

    def __init__(self, folder: Path) -> None:
        self._trees = {path.relative_to(folder): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))}
        self._constants = {name: value for tree in self._trees.values() for name, value in _constants(tree)}
        self.words = {
            node.value
            for tree in self._trees.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        """Every text in the code: a key that is composed or passed on is at least among them."""

    def uses(self) -> Iterator[Use]:
        """Every key that stands in the code as itself."""
        for path, tree in self._trees.items():
            for node in ast.walk(tree):
                for kind, value in self._asked(node, path):
                    for key in self._texts(value):
                        yield Use(kind, key, str(path), value.lineno)

    def _asked(self, node: ast.AST, path: Path) -> Iterator[tuple[str, ast.expr]]:
        if isinstance(node, ast.Call):
            yield from _asked_in_call(node, path)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == "_attr_translation_key":
                    yield "entity", node.value
                elif isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name) and target.value.id == "errors":
                    yield "error", node.value

    def _texts(self, node: ast.expr) -> Iterator[str]:
        match node:
            case ast.Constant(value=str(text)):
                yield text
            case ast.Name(id=name) if name in self._constants:
                yield self._constants[name]
            case ast.IfExp(body=body, orelse=orelse):
                yield from self._texts(body)
                yield from self._texts(orelse)


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                yield name, text


def _asked_in_call(call: ast.Call, path: Path) -> Iterator[tuple[str, ast.expr]]:
    named = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id if isinstance(call.func, ast.Name) else ""
    if key := named.get("translation_key"):
        if "issue" in name:
            yield "issue", key
        elif "translation_domain" in named:
            yield "exception", key
        elif name.endswith(("EntityDescription", "Description")):
            yield "entity", key
        elif "Selector" in name:
            yield "selector", key
    if name in STEPS:
        if step := named.get("step_id"):
            yield "step", step
        if action := named.get("progress_action"):
            yield "progress", action
        match named.get("menu_options"):
            case ast.List(elts=options) | ast.Tuple(elts=options):
                for option in options:
                    yield "menu", option
        match named.get("errors"):
            case ast.Dict(values=values):
                for value in values:
                    yield "error", value
    if name == "async_abort" and "translation_domain" not in named and (reason := named.get("reason")):
        yield "abort", reason
