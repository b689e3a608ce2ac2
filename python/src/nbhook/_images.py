"""An image in any of its usual forms as bytes and media type. Matplotlib and Pillow are only used when the notebook has them."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FORMS = "bytes, a file name, a PIL image or a matplotlib figure"


def image_bytes(data: Any) -> tuple[bytes, str]:
    """The encoded image and its media type, told by its first bytes.

    Raises:
        TypeError: ``data`` is not an image in any known form.
        ValueError: the bytes are not PNG, JPEG, GIF or WebP.
        FileNotFoundError: no file of that name.
    """
    content = _content(data)
    media_type = sniff(content)
    if media_type is None:
        raise ValueError(_unknown(content))
    return content, media_type


def sniff(content: bytes) -> str | None:
    """The media type by the signatures of PNG, JPEG, GIF and WebP (WHATWG MIME Sniffing, 6.1), None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:14] == b"WEBPVP":
        return "image/webp"
    return None


def _content(data: Any) -> bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    if isinstance(data, (str, os.PathLike)):
        return _read(os.fspath(data))
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(data, pillow.Image):
        return _encode_pillow(data)
    figure = _figure(data)
    if figure is not None:
        return _encode_figure(figure)
    read = getattr(data, "read", None)
    content = read() if callable(read) else None
    if isinstance(content, bytes):
        return content
    raise TypeError(f"respond_image takes {_FORMS}, not {type(data).__name__}")


def _read(name: Any) -> bytes:
    if isinstance(name, str) and name.startswith(("http://", "https://")):
        raise ValueError("respond_image takes no URL: download the image and pass its bytes")
    try:
        with open(name, "rb") as file:
            return file.read()
    except FileNotFoundError:
        shown = name if len(name) < 200 else f"{name[:60]!r}…"
        raise FileNotFoundError(f"no image file {shown} in {os.getcwd()}") from None


def _encode_pillow(image: Any) -> bytes:
    """PNG, lossless; an animation keeps its own format."""
    import io

    buffer = io.BytesIO()
    if getattr(image, "is_animated", False) and image.format in ("GIF", "WEBP", "PNG"):
        image.save(buffer, format=image.format, save_all=True)
    else:
        if image.mode not in ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"):
            image = image.convert("RGB")  # PNG has no CMYK, YCbCr, HSV, LAB or float
        image.save(buffer, format="PNG")
    return buffer.getvalue()


def _figure(data: Any) -> Any:
    """The matplotlib figure meant by a figure, an axes (or another artist), a seaborn grid or the pyplot module itself."""
    if "matplotlib" not in sys.modules:
        return None
    current = getattr(data, "gcf", None)
    if callable(current):
        return current()
    if callable(getattr(data, "savefig", None)):
        return data
    figure = getattr(data, "figure", None)
    return figure if callable(getattr(figure, "savefig", None)) else None


def _encode_figure(figure: Any) -> bytes:
    import io

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight")
    return buffer.getvalue()


def _unknown(content: bytes) -> str:
    if not content:
        return "the image is empty (0 bytes)"
    start = content[:512].lstrip().lower()
    if start.startswith((b"<svg", b"<?xml")):
        return "this is SVG, not a bitmap: use respond_svg"
    if start.startswith((b"<!doctype", b"<html", b"{")):
        return "these bytes are a page, not an image: the download probably failed"
    return f"the image is not PNG, JPEG, GIF or WebP (it starts with {content[:8]!r}): convert it first"
