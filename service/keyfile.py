"""The key that encrypts webhook secrets at rest: from the settings, or from a file beside the database."""

import os
import re
import secrets
import stat
from pathlib import Path

import msgspec

from service.settings import Settings, SettingsError


def secret_key(settings: Settings, *, has_ciphertext: bool) -> bytes:
    """The 32 bytes. A first start makes the file; a key that encrypted something is never made anew."""
    if settings.secret_key:
        return bytes.fromhex(settings.secret_key)
    file = settings.key_file
    if file is None:
        raise SettingsError("DDAY_SECRET_KEY must be set with PostgreSQL: every process needs the same key.")
    if _next(file).exists():
        raise SettingsError(
            "Changing the secret key was interrupted. Run `dday secrets rotate` to finish it."
        )
    if file.exists():
        return _read(file)
    if has_ciphertext:
        raise SettingsError(
            f"The key file {file} is missing, and the database holds secrets encrypted with it. Put it back, "
            "or set DDAY_SECRET_KEY. A new key could not read them, so none is made."
        )
    return _create(file)


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """The key everything is sealed with and the one it shall be sealed with, on disk until it is so."""

    file: Path
    old: bytes
    new: bytes

    def finish(self) -> None:
        """From here on the new key is the key."""
        os.replace(_next(self.file), self.file)
        _sync_folder(self.file.parent)


def begin_change(file: Path, *, wanted: bytes | None = None) -> KeyChange:
    """Put a new key beside the old one: `wanted`, or a random one.

    Again, after an interruption, it is the same new key: some secrets may be sealed with it already.
    """
    old = _read(file)
    following = _next(file)
    new = _read(following) if following.exists() else _create(following, wanted)
    if wanted not in (None, new):
        raise SettingsError(
            "A change to another key than that of --new-key was interrupted. Run `dday secrets rotate` "
            "without --new-key to finish it first."
        )
    return KeyChange(file=file, old=old, new=new)


def _next(file: Path) -> Path:
    return file.with_name(file.name + ".next")


def _read(file: Path) -> bytes:
    if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"The key file {file} can be read by others. Run: chmod 600 {file}")
    text = file.read_text("ascii", errors="replace").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise SettingsError(f"The key file {file} does not hold a key (64 hexadecimal digits).")
    return bytes.fromhex(text)


def _create(file: Path, wanted: bytes | None = None) -> bytes:
    key = wanted or secrets.token_bytes(32)
    partial = file.with_name(file.name + ".new")
    partial.unlink(missing_ok=True)
    # Complete on disk under another name first: a crash must not leave half a key under the real one.
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(key.hex() + "\n")
        out.flush()
        os.fsync(out.fileno())
    try:
        os.link(partial, file)
    except FileExistsError:
        return _read(file)
    finally:
        partial.unlink()
    _sync_folder(file.parent)
    return key


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
