"""multipart/form-data (RFC 7578), written by hand because the standard library only reads it. Pure but for the boundary."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Part:
    """One field of the form. ``filename`` makes it a file."""

    __slots__ = ("content", "filename", "media_type", "name")

    def __init__(self, name: str, content: bytes, media_type: str, filename: str | None = None) -> None:
        self.name = name
        self.content = content
        self.media_type = media_type
        self.filename = filename


def encode(parts: Iterable[Part]) -> tuple[bytes, str]:
    """The request body and its ``Content-Type``."""
    import os

    boundary = f"nbhook-{os.urandom(16).hex()}"
    chunks = []
    for part in parts:
        disposition = f'form-data; name="{part.name}"'
        if part.filename is not None:
            disposition += f'; filename="{_quoted(part.filename)}"'
        head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {part.media_type}\r\n\r\n"
        chunks += [head.encode("utf-8"), part.content, b"\r\n"]
    chunks.append(f"--{boundary}--\r\n".encode("ascii"))
    return b"".join(chunks), f"multipart/form-data; boundary={boundary}"


def _quoted(filename: str) -> str:
    """The inside of a quoted-string: UTF-8 as it is (RFC 7578, 5.1), quote and backslash escaped."""
    if not filename.isprintable():
        raise ValueError(f"the file name {filename!r} holds characters that cannot be sent; rename the file")
    return filename.replace("\\", "\\\\").replace('"', '\\"')
