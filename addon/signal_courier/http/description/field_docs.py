"""The text below a field of a struct, read from its source: `name: str` and then `\"\"\"What it is.\"\"\"`."""

import ast
import inspect
import textwrap

import msgspec


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Texts by the field's encoded name, inherited ones included."""
    encoded = {field.name: field.encode_name for field in msgspec.structs.fields(struct)}
    found: dict[str, str] = {}
    for base in reversed(struct.__mro__):
        if issubclass(base, msgspec.Struct) and base is not msgspec.Struct:
            found |= {encoded[name]: text for name, text in _own(base).items() if name in encoded}
    return found


def _own(struct: type[msgspec.Struct]) -> dict[str, str]:
    try:
        source = inspect.getsource(struct)
    except (OSError, TypeError):  # shipped without sources
        return {}
    [definition] = ast.parse(textwrap.dedent(source)).body
    assert isinstance(definition, ast.ClassDef)
    texts = {}
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                texts[name] = inspect.cleandoc(text)
    return texts
