"""QR codes, with a quiet zone of four modules: as the drop-in API draws them, and in a size that fits."""

import io

from signal_courier.model.errors import InvalidValue

_SIZE = 256
"""Pixels on each side."""
_QUIET = 4
"""Modules of border, as ISO/IEC 18004 wants it."""
VERSIONS = range(1, 41)


def draw(text: str, version: int) -> bytes:
    """A PNG as the drop-in API has it: 256 × 256 pixels, error correction H, a forced version.

    It takes some 50 ms of CPU: call it in a thread.

    Raises:
        InvalidValue: The text does not fit into this version (version 10 holds 119 bytes).
    """
    import png  # noqa: PLC0415  # only who links a device pays for these
    from qrcode import QRCode, constants, exceptions  # noqa: PLC0415

    code = QRCode(version=version, error_correction=constants.ERROR_CORRECT_H, border=_QUIET)
    code.add_data(text.encode(), optimize=0)
    try:
        code.make(fit=False)
    except exceptions.DataOverflowError:
        raise InvalidValue(
            "qrcode_version", f"Couldn't create QR code: {len(text.encode())} bytes do not fit into version {version}, ask for a higher one"
        ) from None
    modules = code.get_matrix()
    scale = _SIZE // len(modules)
    left = (_SIZE - scale * len(modules)) // 2
    right = _SIZE - scale * len(modules) - left
    blank = [1] * _SIZE
    rows = [blank] * left
    for line in modules:
        row = [1] * left + [0 if dark else 1 for dark in line for _ in range(scale)] + [1] * right
        rows += [row] * scale
    rows += [blank] * right
    picture = io.BytesIO()
    png.Writer(_SIZE, _SIZE, greyscale=True, bitdepth=1).write(picture, rows)
    return picture.getvalue()


_PIXELS = 8
"""Of a module in `draw_png`."""


def draw_svg(text: str) -> bytes:
    """An SVG of the code in the smallest version that holds the text, error correction M; it scales to any size."""
    modules = _modules(text)
    size = len(modules)
    path = "".join(
        f"M{column},{row}h1v1h-1z" for row, line in enumerate(modules) for column, dark in enumerate(line) if dark
    )  # fmt: skip
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>'
    ).encode()


def draw_png(text: str) -> bytes:
    """A PNG of the same, 8 pixels a module."""
    import png  # noqa: PLC0415

    modules = _modules(text)
    rows = [[0 if dark else 1 for dark in line for _ in range(_PIXELS)] for line in modules for _ in range(_PIXELS)]
    picture = io.BytesIO()
    png.Writer(len(rows), len(rows), greyscale=True, bitdepth=1).write(picture, rows)
    return picture.getvalue()


def _modules(text: str) -> list[list[bool]]:
    from qrcode import QRCode, constants  # noqa: PLC0415  # only who links a device pays for it

    code = QRCode(error_correction=constants.ERROR_CORRECT_M, border=_QUIET)
    code.add_data(text.encode(), optimize=0)
    code.make(fit=True)
    modules: list[list[bool]] = code.get_matrix()
    return modules
