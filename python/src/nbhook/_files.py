"""Writing files: whole or not at all, and never over somebody's work."""

from __future__ import annotations

import os


def write_atomic(path: str, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step, readable by the owner only; what was there is replaced."""
    temporary = _write_temporary(os.path.dirname(path), content)
    try:
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def write_new(folder: str, name: str, content: bytes) -> str:
    """Put ``content`` into a file of ``folder`` that was not there before, and return its absolute path.

    The name gets ``-1``, ``-2`` … before its ending while it is taken by other content; a file with the very same content is
    left as it is and its path returned.
    """
    stem, ending = os.path.splitext(name)
    temporary = _write_temporary(folder, content, mode=0o666)
    try:
        number = 0
        while True:
            target = os.path.join(folder, name if number == 0 else f"{stem}-{number}{ending}")
            if _claim(temporary, target) or _same(target, content):
                return os.path.abspath(target)
            number += 1
    finally:
        _remove(temporary)


def _claim(temporary: str, target: str) -> bool:
    """Give ``temporary`` the name ``target`` as well, unless the name is taken."""
    try:
        os.link(temporary, target)
        return True
    except FileExistsError:
        return False
    except OSError:
        # No hard links here (some network and FAT file systems): the check and the rename are then two steps.
        if os.path.lexists(target):
            return False
        os.rename(temporary, target)
        return True


def _write_temporary(folder: str, content: bytes, mode: int = 0o600) -> str:
    path = os.path.join(folder, f".nbhook-{os.urandom(8).hex()}.tmp")
    # Not tempfile.mkstemp: it would take away the permissions that the umask gives to ordinary files.
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        _remove(path)
        raise
    return path


def _same(path: str, content: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read(len(content) + 1) == content
    except OSError:
        return False


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
