"""Archives made byte by byte, with every field open to a lie."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field, replace

JSON = dict[str, object]


def deflate(content: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(content) + deflater.flush()


def extra(identifier: int, data: bytes) -> bytes:
    return struct.pack("<2H", identifier, len(data)) + data


@dataclass(frozen=True, kw_only=True)
class Item:
    """An entry; None means the truth, anything else is written as it is."""

    name: bytes
    content: bytes = b""
    method: int = 0
    flags: int = 0x0800
    attributes: int = 0
    needed: int = 20
    disk: int = 0
    raw: bytes | None = None
    crc: int | None = None
    size: int | None = None
    compressed: int | None = None
    offset: int | None = None
    extra: bytes = b""
    comment: bytes = b""
    local_name: bytes | None = None
    local_flags: int | None = None
    local_method: int | None = None
    local_crc: int | None = None
    local_size: int | None = None
    local_compressed: int | None = None
    local_extra: bytes = b""
    local_signature: bytes = b"PK\x03\x04"
    central_signature: bytes = b"PK\x01\x02"
    before: bytes = b""
    after: bytes = b""
    listed: bool = True

    @property
    def stored(self) -> bytes:
        if self.raw is not None:
            return self.raw
        return deflate(self.content) if self.method == 8 else self.content

    def truth(self) -> tuple[int, int, int]:
        """CRC, compressed size, size as the central directory gives them."""
        return (
            zlib.crc32(self.content) if self.crc is None else self.crc,
            len(self.stored) if self.compressed is None else self.compressed,
            len(self.content) if self.size is None else self.size,
        )

    def local(self) -> bytes:
        crc, compressed, size = self.truth()
        name = self.name if self.local_name is None else self.local_name
        header = struct.pack(
            "<4s5H3L2H",
            self.local_signature,
            self.needed,
            self.flags if self.local_flags is None else self.local_flags,
            self.method if self.local_method is None else self.local_method,
            0,
            33,
            crc if self.local_crc is None else self.local_crc,
            compressed if self.local_compressed is None else self.local_compressed,
            size if self.local_size is None else self.local_size,
            len(name),
            len(self.local_extra),
        )
        return self.before + header + name + self.local_extra + self.stored + self.after

    def central(self, offset: int) -> bytes:
        crc, compressed, size = self.truth()
        return (
            struct.pack(
                "<4s6H3L5H2L",
                self.central_signature,
                0x031E,
                self.needed,
                self.flags,
                self.method,
                0,
                33,
                crc,
                compressed,
                size,
                len(self.name),
                len(self.extra),
                len(self.comment),
                self.disk,
                0,
                self.attributes,
                (offset + len(self.before)) if self.offset is None else self.offset,
            )
            + self.name
            + self.extra
            + self.comment
        )


@dataclass(frozen=True, kw_only=True)
class Zip:
    """An archive of items; the end record can lie too."""

    items: tuple[Item, ...]
    prefix: bytes = b""
    between: bytes = b""
    after_directory: bytes = b""
    comment: bytes = b""
    comment_size: int | None = None
    count: int | None = None
    count_here: int | None = None
    size: int | None = None
    offset: int | None = None
    disk: int = 0
    trailing: bytes = b""
    zip64: bool = False
    zip64_fields: dict[str, int] = field(default_factory=dict)
    directory_order: tuple[int, ...] | None = None

    def build(self) -> bytes:
        body = self.prefix
        records: list[bytes] = []
        for item in self.items:
            records.append(item.central(len(body)) if item.listed else b"")
            body += item.local()
        body += self.between
        if self.directory_order is not None:
            records = [records[index] for index in self.directory_order]
        directory = b"".join(records) + self.after_directory
        offset = len(body) if self.offset is None else self.offset
        size = len(directory) if self.size is None else self.size
        count = len([r for r in records if r]) if self.count is None else self.count
        here = count if self.count_here is None else self.count_here
        end = b""
        if self.zip64:
            values = {
                "record_size": 44,
                "needed": 45,
                "disk": 0,
                "here": here,
                "count": count,
                "size": size,
                "offset": offset,
                "at": offset + size,
                "disks": 1,
            } | self.zip64_fields
            end = struct.pack(
                "<4sQ2H2L4Q",
                b"PK\x06\x06",
                values["record_size"],
                45,
                values["needed"],
                values["disk"],
                0,
                values["here"],
                values["count"],
                values["size"],
                values["offset"],
            ) + struct.pack("<4sLQL", b"PK\x06\x07", 0, values["at"], values["disks"])
        length = len(self.comment) if self.comment_size is None else self.comment_size
        end += struct.pack(
            "<4s4H2LH", b"PK\x05\x06", self.disk, 0, here, count, size, offset, length
        )
        return body + directory + end + self.comment + self.trailing


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def manifest(artifacts: dict[str, bytes]) -> JSON:
    """A valid manifest for these artifacts, as a JSON object to spoil."""
    lines = sorted(f"{path}\t{sha256(data)}\n".encode() for path, data in artifacts.items())
    return {
        "spec_version": "1.0",
        "stream": "acme/prod",
        "generated_at": "2026-01-20T15:30:00Z",
        "pack_digest": sha256(b"".join(lines)),
        "sources": [],
        "artifacts": [
            {"type": "embedded", "path": path, "digest": sha256(data), "size": len(data)}
            for path, data in artifacts.items()
        ],
    }


def manifest_item(value: object) -> Item:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Item(name=b"manifest.json", content=data)


#: The pack that hostile ones are made from: item 0 is the manifest, 1 the report, 2 the log.
REPORT = b'{"finding": "none"}\n'
LOG = b"2026-01-20 all well\n" * 9
GOOD = Zip(
    items=(
        manifest_item(manifest({"artifacts/report.json": REPORT, "artifacts/log.txt": LOG})),
        Item(name=b"artifacts/report.json", content=REPORT),
        Item(name=b"artifacts/log.txt", content=LOG, method=8),
    )
)


def with_item(index: int, **changes: object) -> Zip:
    """The good pack with fields of one item changed."""
    items = list(GOOD.items)
    items[index] = replace(items[index], **changes)  # type: ignore[arg-type]  # any field of Item
    return replace(GOOD, items=tuple(items))


def with_more(*items: Item) -> Zip:
    """The good pack with more items at its end."""
    return replace(GOOD, items=(*GOOD.items, *items))
