"""Rekor v1: a log that checks what it is told, and answers at once with proof and promise."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox.clock import Clock, require_utc, utc_now
from attest.sandbox.merkle import MerkleTree, hash_leaf
from attest.sandbox.messages import (
    Checkpoint,
    InclusionPromise,
    InclusionProof,
    KindVersion,
    LogId,
    TransparencyLogEntry,
)
from attest.sandbox.names import GLOBAL_INDEX_OFFSET, REKOR1_HOST
from attest.sandbox.note import signed_checkpoint
from attest.sandbox.refusal import Refusal, SandboxError, bad_request, not_found
from attest.sandbox.rekor1_entries import canonical_body
from attest.sandbox.signatures import log_id
from attest.sandbox.store import Journal, MemoryJournal, journal_body
from attest.sandbox.wire import JsonObject, canonical_json, encode_base64

BURNT_BODY: Final = b'{"apiVersion":"0.0.1","kind":"sandbox","spec":{}}'
"""Entry 0: protobuf JSON omits a zero index, and strict readers then miss it."""

_LEAF_HEX: Final = 64
_UUID_HEX: Final = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class EntryV1:
    """An entry with the proof made when it was asked for; `integrated_time` in Unix seconds."""

    uuid: str
    body: bytes
    integrated_time: int
    log_id: bytes
    log_index: int
    shard_index: int
    tree_size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str
    signed_entry_timestamp: bytes

    def to_response(self) -> JsonObject:
        """As Rekor's REST API answers."""
        proof = {
            "checkpoint": self.checkpoint,
            "hashes": [item.hex() for item in self.hashes],
            "logIndex": self.shard_index,
            "rootHash": self.root.hex(),
            "treeSize": self.tree_size,
        }
        promise = encode_base64(self.signed_entry_timestamp)
        entry = {
            "body": encode_base64(self.body),
            "integratedTime": self.integrated_time,
            "logID": self.log_id.hex(),
            "logIndex": self.log_index,
            "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise},
        }
        return {self.uuid: entry}

    def to_message(self) -> TransparencyLogEntry:
        """As a bundle carries it."""
        header = json.loads(self.body)
        return TransparencyLogEntry(
            log_index=self.log_index,
            log_id=LogId(key_id=self.log_id),
            kind_version=KindVersion(kind=header["kind"], version=header["apiVersion"]),
            integrated_time=self.integrated_time,
            inclusion_promise=InclusionPromise(signed_entry_timestamp=self.signed_entry_timestamp),
            inclusion_proof=InclusionProof(
                log_index=self.shard_index,
                root_hash=self.root,
                tree_size=self.tree_size,
                hashes=list(self.hashes),
                checkpoint=Checkpoint(envelope=self.checkpoint),
            ),
            canonicalized_body=self.body,
        )


class TransparencyLogV1:
    """One shard of a Rekor v1 log; its global index runs ahead of the shard's.

    Args:
        key: ECDSA P-256 key of the log.
        journal: where entries are kept.
        clock: tells the integrated time when a caller gives none.
        host: name in checkpoints.
        offset: global index of the shard's entry 0.
    """

    def __init__(
        self,
        *,
        key: ec.EllipticCurvePrivateKey,
        journal: Journal | None = None,
        clock: Clock = utc_now,
        host: str = REKOR1_HOST,
        offset: int = GLOBAL_INDEX_OFFSET,
    ) -> None:
        self.key = key
        self.host = host
        self.offset = offset
        self._clock = clock
        self._journal = journal or MemoryJournal()
        self._lock = threading.RLock()
        self._tree = MerkleTree()
        self._entries: list[tuple[bytes, int]] = []
        self._by_leaf: dict[bytes, int] = {}
        for record in self._journal.read():
            self._restore(record)
        if not self._entries:
            self.add(BURNT_BODY)

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The log's public key."""
        return self.key.public_key()

    @property
    def log_id(self) -> bytes:
        """SHA-256 of the log's SPKI; the same for every shard."""
        return log_id(self.public_key)

    @property
    def tree_id(self) -> int:
        """The shard's tree id, 63 bits, derived from the key so that it survives a restart."""
        return int.from_bytes(hashlib.sha256(b"tree" + self.log_id).digest()[:8], "big") >> 1

    @property
    def origin(self) -> str:
        """First line of checkpoints: `host - treeID`."""
        return f"{self.host} - {self.tree_id}"

    @property
    def size(self) -> int:
        """Number of entries in the shard, the burnt one included."""
        return self._tree.size

    def submit(self, request: JsonObject) -> EntryV1:
        """Answer `POST /api/v1/log/entries`: check the proposed entry and log it; 409 if known."""
        body = canonical_body(request)
        with self._lock:
            known = self._by_leaf.get(hash_leaf(body))
            if known is not None:
                uuid = self._uuid(known)
                raise Refusal(
                    HTTPStatus.CONFLICT,
                    "an equivalent entry already exists in the transparency log with UUID " + uuid,
                    location=f"/api/v1/log/entries/{uuid}",
                )
            return self.add(body)

    def add(self, body: bytes, *, at: datetime | None = None) -> EntryV1:
        """Log any bytes without looking at them.

        Args:
            body: canonical body; `submit` is the door that checks.
            at: integrated time, cut to the second; now by default.
        """
        moment = int(require_utc(at or self._clock()).timestamp())
        with self._lock:
            self._journal.append({"body": encode_base64(body), "integratedTime": moment})
            return self.entry(self._append(body, moment))

    def entry(self, shard_index: int, *, tree_size: int | None = None) -> EntryV1:
        """The entry at this index of the shard, proven in the tree of `tree_size` (now) leaves."""
        with self._lock:
            size = self.size if tree_size is None else tree_size
            body, moment = self._entries[shard_index]
            index = self.offset + shard_index
            return EntryV1(
                uuid=self._uuid(shard_index),
                body=body,
                integrated_time=moment,
                log_id=self.log_id,
                log_index=index,
                shard_index=shard_index,
                tree_size=size,
                root=self._tree.root(size),
                hashes=tuple(self._tree.proof(shard_index, size)),
                checkpoint=self.checkpoint(size),
                signed_entry_timestamp=self.promise(body, moment, index),
            )

    def by_uuid(self, uuid: str) -> EntryV1:
        """Answer `GET /api/v1/log/entries/{uuid}`; the bare leaf hash is a valid name too."""
        prefix, leaf = uuid[:-_LEAF_HEX], uuid[-_LEAF_HEX:]
        if len(uuid) not in {_LEAF_HEX, _UUID_HEX} or prefix not in {"", f"{self.tree_id:016x}"}:
            raise not_found("no such entry")
        try:
            index = self._by_leaf[bytes.fromhex(leaf)]
        except ValueError as error:
            raise bad_request("uuid: not hexadecimal") from error
        except KeyError as error:
            raise not_found("no such entry") from error
        return self.entry(index)

    def by_global_index(self, index: int) -> EntryV1:
        """Answer `GET /api/v1/log/entries?logIndex=`."""
        shard_index = index - self.offset
        if not 0 <= shard_index < self.size:
            raise not_found("no such entry")
        return self.entry(shard_index)

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
                sign=self._sign,
            )

    def promise(self, body: bytes, integrated_time: int, log_index: int) -> bytes:
        """The SET: a signature over the JCS of exactly these four members."""
        signed = {
            "body": encode_base64(body),
            "integratedTime": integrated_time,
            "logID": self.log_id.hex(),
            "logIndex": log_index,
        }
        return self._sign(canonical_json(signed))

    def info(self) -> JsonObject:
        """Answer `GET /api/v1/log`."""
        with self._lock:
            return {
                "rootHash": self._tree.root().hex(),
                "treeSize": self.size,
                "signedTreeHead": self.checkpoint(),
                "treeID": str(self.tree_id),
                "inactiveShards": [],
            }

    def public_key_pem(self) -> bytes:
        """Answer `GET /api/v1/log/publicKey`."""
        return self.public_key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _sign(self, message: bytes) -> bytes:
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))

    def _uuid(self, shard_index: int) -> str:
        leaf = hash_leaf(self._entries[shard_index][0])
        return f"{self.tree_id:016x}{leaf.hex()}"

    def _append(self, body: bytes, moment: int) -> int:
        leaf = hash_leaf(body)
        self._entries.append((body, moment))
        index = self._tree.append(leaf)
        self._by_leaf.setdefault(leaf, index)
        return index

    def _restore(self, record: Mapping[str, object]) -> None:
        moment = record.get("integratedTime")
        if not isinstance(moment, int):
            raise SandboxError("the Rekor v1 journal has a record without a time")
        self._append(journal_body(record), moment)
