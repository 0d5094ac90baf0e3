"""Rekor v2: a tile log (C2SP tlog-tiles) with one entry kind, `hashedrekord` 0.0.2.

A verifier is a certificate or a public key of ECDSA P-256, P-384 or P-521, each with the hash of
its curve, or RSA of 2048, 3072 or 4096 bits with SHA-256. Ed25519 is refused: Rekor takes
Ed25519ph there, and `cryptography` has none. `canonical_body` checks a proposal;
`hashedrekord_body` writes a body unchecked, for who forges.
"""

from __future__ import annotations

import hashlib
import re
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from attest.sandbox.merkle import MerkleTree, hash_leaf
from attest.sandbox.messages import (
    Checkpoint,
    HashOutput,
    InclusionProof,
    KindVersion,
    LogId,
    TransparencyLogEntry,
    X509Certificate,
)
from attest.sandbox.messages import rekor_v2 as v2
from attest.sandbox.names import REKOR2_HOST
from attest.sandbox.note import signed_checkpoint
from attest.sandbox.refusal import Refusal, bad_request, not_found
from attest.sandbox.signatures import (
    PROTO_DIGESTS,
    SigningKey,
    key_details,
    load_der_certificate_key,
    load_der_key,
    verify_digest,
)
from attest.sandbox.store import Journal, MemoryJournal, journal_body
from attest.sandbox.wire import (
    JsonObject,
    canonical_json,
    encode_base64,
    get_bytes,
    get_object,
    get_text,
)

BURNT_BODY: Final = b'{"apiVersion":"0.0.2","kind":"sandbox","spec":{}}'
TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
MAX_LEVEL: Final = 5
MAX_BODY_BYTES: Final = 0xFFFF
"""An entry bundle gives each body a u16 length (C2SP tlog-tiles)."""

_ED25519_NOTE: Final = b"\x01"
_NUMBER: Final = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}")


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryV2:
    """An entry with the proof made when it was asked for."""

    body: bytes
    log_id: bytes
    log_index: int
    tree_size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str

    def to_message(self) -> TransparencyLogEntry:
        """As a bundle carries it; there is neither promise nor time in a v2 entry."""
        return TransparencyLogEntry(
            log_index=self.log_index,
            log_id=LogId(key_id=self.log_id),
            kind_version=KindVersion(kind="hashedrekord", version="0.0.2"),
            inclusion_proof=InclusionProof(
                log_index=self.log_index,
                root_hash=self.root,
                tree_size=self.tree_size,
                hashes=list(self.hashes),
                checkpoint=Checkpoint(envelope=self.checkpoint),
            ),
            canonicalized_body=self.body,
        )

    def to_response(self) -> JsonObject:
        """As Rekor's API answers: protobuf JSON."""
        return cast("JsonObject", self.to_message().to_dict())


class TransparencyLogV2:
    """A Rekor v2 log.

    Args:
        key: Ed25519 key of the log.
        journal: where entries are kept.
        host: origin and signer name of checkpoints.
    """

    def __init__(
        self,
        *,
        key: ed25519.Ed25519PrivateKey,
        journal: Journal | None = None,
        host: str = REKOR2_HOST,
    ) -> None:
        self.key = key
        self.host = host
        self._journal = journal or MemoryJournal()
        self._lock = threading.RLock()
        self._tree = MerkleTree()
        self._bodies: list[bytes] = []
        self._by_leaf: dict[bytes, int] = {}
        for record in self._journal.read():
            self._restore(record)
        if not self._bodies:
            self.add(BURNT_BODY)

    @property
    def public_key(self) -> ed25519.Ed25519PublicKey:
        """The log's public key."""
        return self.key.public_key()

    @property
    def origin(self) -> str:
        """First line of checkpoints: the host."""
        return self.host

    @property
    def log_id(self) -> bytes:
        """C2SP signed-note key id, not truncated: SHA-256 of origin, newline, 01, raw key."""
        raw = self.public_key.public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
        return hashlib.sha256(self.origin.encode() + b"\n" + _ED25519_NOTE + raw).digest()

    @property
    def size(self) -> int:
        """Number of entries, the burnt one included."""
        return self._tree.size

    def submit(self, request: JsonObject) -> EntryV2:
        """Answer `POST /api/v2/log/entries`: check the signature and log it; 409 if known."""
        body = canonical_body(request)
        with self._lock:
            known = self._by_leaf.get(hash_leaf(body))
            if known is not None:
                raise Refusal(
                    HTTPStatus.CONFLICT,
                    "an equivalent entry already exists in the transparency log with index "
                    f"{known}",
                )
            return self.add(body)

    def add(self, body: bytes) -> EntryV2:
        """Log any bytes without looking at them; `submit` is the door that checks."""
        if len(body) > MAX_BODY_BYTES:
            raise Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"entry: over {MAX_BODY_BYTES} bytes"
            )
        with self._lock:
            self._journal.append({"body": encode_base64(body)})
            return self.entry(self._append(body))

    def entry(self, index: int, *, tree_size: int | None = None) -> EntryV2:
        """The entry at this index, proven in the tree of `tree_size` (now) leaves."""
        with self._lock:
            size = self.size if tree_size is None else tree_size
            return EntryV2(
                body=self._bodies[index],
                log_id=self.log_id,
                log_index=index,
                tree_size=size,
                root=self._tree.root(size),
                hashes=tuple(self._tree.proof(index, size)),
                checkpoint=self.checkpoint(size),
            )

    def checkpoint(self, size: int | None = None, *, root: bytes | None = None) -> str:
        """A signed checkpoint over the first `size` entries (all), or over a root that lies."""
        with self._lock:
            count = self.size if size is None else size
            return signed_checkpoint(
                origin=self.origin,
                size=count,
                root=self._tree.root(count) if root is None else root,
                name=self.host,
                key_id=self.log_id,
                sign=self.key.sign,
            )

    def tile(self, level: int, path: str) -> bytes:
        """Answer `GET /api/v2/tile/<L>/<N>[.p/W]`: concatenated hashes.

        Args:
            level: of the tile, each eight levels of the tree.
            path: the tile's number in groups of three digits, and the width of a partial tile.
        """
        if not 0 <= level <= MAX_LEVEL:
            raise not_found("no such tile")
        number, width = _tile_number(path)
        with self._lock:
            row = self._tree.row(level * TILE_HEIGHT, number * TILE_WIDTH, width)
        if len(row) != width:
            raise not_found("no such tile")
        return b"".join(row)

    def entry_bundle(self, path: str) -> bytes:
        """Answer `GET /api/v2/tile/entries/<N>[.p/W]`: bodies, each after its u16 length."""
        number, width = _tile_number(path)
        with self._lock:
            bodies = self._bodies[number * TILE_WIDTH : number * TILE_WIDTH + width]
        if len(bodies) != width:
            raise not_found("no such entry bundle")
        return b"".join(struct.pack("!H", len(body)) + body for body in bodies)

    def _append(self, body: bytes) -> int:
        leaf = hash_leaf(body)
        self._bodies.append(body)
        index = self._tree.append(leaf)
        self._by_leaf.setdefault(leaf, index)
        return index

    def _restore(self, record: Mapping[str, object]) -> None:
        self._append(journal_body(record))


def _tile_number(path: str) -> tuple[int, int]:
    """Number and width from `x001/x234/067[.p/W]` (C2SP tlog-tiles)."""
    name, _, partial = path.partition(".p/")
    if not _NUMBER.fullmatch(name):
        raise not_found("no such tile")
    number = int(name.replace("x", "").replace("/", ""))
    if not partial and ".p" not in path:
        return number, TILE_WIDTH
    if not re.fullmatch(r"[1-9][0-9]{0,2}", partial) or int(partial) >= TILE_WIDTH:
        raise not_found("no such tile")
    return number, int(partial)


def canonical_body(request: JsonObject) -> bytes:
    """The body that is logged for a proposed entry, once its signature is verified."""
    if "hashedRekordRequestV002" not in request:
        raise bad_request("only hashedRekordRequestV002 is accepted")
    proposed = get_object(request, "hashedRekordRequestV002")
    where = "hashedRekordRequestV002."
    digest = get_bytes(proposed, "digest", where)
    signature = get_object(proposed, "signature", where)
    content = get_bytes(signature, "content", f"{where}signature.")
    verifier = get_object(signature, "verifier", f"{where}signature.")
    key, message = _verifier(verifier, f"{where}signature.verifier.")
    details, algorithm = key_details(key)
    if get_text(verifier, "keyDetails", f"{where}signature.verifier.") != details.name:
        raise bad_request(f"{where}signature.verifier.keyDetails: not those of the key")
    verify_digest(key, content, digest, algorithm)
    message.key_details = details
    return hashedrekord_body(
        digest=digest, signature=content, verifier=message, algorithm=algorithm
    )


def hashedrekord_body(
    *, digest: bytes, signature: bytes, verifier: v2.Verifier, algorithm: str = "sha256"
) -> bytes:
    """The canonical body of a `hashedrekord` 0.0.2, unchecked.

    Args:
        digest: of the artifact, or of the PAE of an envelope.
        signature: over that digest.
        verifier: certificate or public key, with its details.
        algorithm: name of the digest's algorithm.
    """
    entry = v2.Entry(
        kind="hashedrekord",
        api_version="0.0.2",
        spec=v2.Spec(
            hashed_rekord_v002=v2.HashedRekordLogEntryV002(
                data=HashOutput(algorithm=PROTO_DIGESTS[algorithm], digest=digest),
                signature=v2.Signature(content=signature, verifier=verifier),
            )
        ),
    )
    return canonical_json(entry.to_dict())


def _verifier(verifier: JsonObject, where: str) -> tuple[SigningKey, v2.Verifier]:
    if ("x509Certificate" in verifier) == ("publicKey" in verifier):
        raise bad_request(f"{where}: exactly one of x509Certificate and publicKey")
    if "x509Certificate" in verifier:
        certificate = get_object(verifier, "x509Certificate", where)
        der = get_bytes(certificate, "rawBytes", f"{where}x509Certificate.")
        message = v2.Verifier(x509_certificate=X509Certificate(raw_bytes=der))
        return load_der_certificate_key(der, f"{where}x509Certificate.rawBytes"), message
    der = get_bytes(get_object(verifier, "publicKey", where), "rawBytes", f"{where}publicKey.")
    message = v2.Verifier(public_key=v2.PublicKey(raw_bytes=der))
    return load_der_key(der, f"{where}publicKey.rawBytes"), message
