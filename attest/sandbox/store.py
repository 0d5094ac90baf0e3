"""The sandbox's directory: private keys (mode 0600), certificates, append-only journals."""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from attest.sandbox.refusal import SandboxError

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Journal(Protocol):
    """Where a log keeps its entries."""

    def read(self) -> Iterator[Mapping[str, object]]:
        """Every record, oldest first."""

    def append(self, record: Mapping[str, object]) -> None:
        """Keep one more record."""


class MemoryJournal:
    """Keeps nothing beyond the process: what tests use that need a log and no directory."""

    def read(self) -> Iterator[Mapping[str, object]]:
        """No records: it was never written."""
        return iter(())

    def append(self, record: Mapping[str, object]) -> None:
        """Accept the record and forget it."""


class FileJournal:
    """JSON Lines in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Iterator[Mapping[str, object]]:
        """Every record; a line cut short by a crash is an error, never skipped."""
        if not self._path.exists():
            return
        with self._path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    record = cast("object", json.loads(line))
                except ValueError as error:
                    raise SandboxError(f"{self._path}:{number}: damaged record") from error
                if not isinstance(record, dict):
                    raise SandboxError(f"{self._path}:{number}: not an object")
                yield cast("Mapping[str, object]", record)

    def append(self, record: Mapping[str, object]) -> None:
        """Write one line and hand it to the operating system before anyone gets an answer."""
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(record, separators=(",", ":")) + "\n")


class KeyStore:
    """PEM files in one directory: what is missing is made, what is there is used again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def ecdsa(self, name: str, curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
        """The ECDSA key `name`, generated on this curve if it does not exist."""
        key = self._key(name, lambda: ec.generate_private_key(curve))
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != curve.name:
            raise SandboxError(f"{self._path(name)}: not an ECDSA key on {curve.name}")
        return key

    def ed25519(self, name: str) -> ed25519.Ed25519PrivateKey:
        """The Ed25519 key `name`, generated if it does not exist."""
        key = self._key(name, ed25519.Ed25519PrivateKey.generate)
        if not isinstance(key, ed25519.Ed25519PrivateKey):
            raise SandboxError(f"{self._path(name)}: not an Ed25519 key")
        return key

    def chain(
        self, name: str, make: Callable[[], Sequence[x509.Certificate]]
    ) -> tuple[x509.Certificate, ...]:
        """The certificate chain `name`, made if it does not exist."""
        path = self._directory / f"{name}.crt.pem"
        if not path.exists():
            pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in make())
            write_atomically(path, pem, mode=0o644)
        return tuple(x509.load_pem_x509_certificates(path.read_bytes()))

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.key.pem"

    def _key(self, name: str, generate: Callable[[], PrivateKey]) -> object:
        path = self._path(name)
        if not path.exists():
            pem = generate().private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            write_atomically(path, pem, mode=0o600)
        try:
            return serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError) as error:
            raise SandboxError(f"{path}: not an unencrypted private key") from error


def journal_body(record: Mapping[str, object]) -> bytes:
    """The `body` of a log's record."""
    body = record.get("body")
    try:
        return base64.b64decode(body if isinstance(body, str) else "?", validate=True)
    except binascii.Error as error:
        raise SandboxError("a log's journal has a record without a body") from error


def write_atomically(path: Path, content: bytes, *, mode: int) -> None:
    """Replace `path` in one step; the file has `mode` before it has content."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
