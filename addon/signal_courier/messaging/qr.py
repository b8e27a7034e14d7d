"""QR codes as the drop-in API draws them: 256 × 256 pixels, error correction H, a forced version, a quiet zone of four modules."""

import io

from signal_courier.model.errors import InvalidValue

_SIZE = 256
"""Pixels on each side."""
_QUIET = 4
"""Modules of border, as ISO/IEC 18004 wants it."""
VERSIONS = range(1, 41)


def draw(text: str, version: int) -> bytes:
    """A PNG of the code. Takes some 50 ms of CPU: call it in a thread.

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
