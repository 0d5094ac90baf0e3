"""Archives that are nearly right: every part of sound and hostile ones changed, by seed."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace

from tests.pack.test_hostile_archives import ARCHIVES as HOSTILE
from tests.pack.test_hostile_archives import CONTENTS
from tests.pack.test_readable_archives import ARCHIVES as READABLE
from tests.pack.zipbytes import Item, Zip, deflate, extra

Change = Callable[[random.Random, Item], Item]

_READABLE = tuple(READABLE.values())
_HOSTILE = tuple(
    archive
    for archive, _ in (*HOSTILE.values(), *CONTENTS.values())
    if isinstance(archive, Zip) and len(archive.build()) < 200_000
)

_SHORT = ("flags", "method", "needed", "disk", "local_flags", "local_method")
_LONG = ("attributes", "crc", "size", "compressed", "offset", "local_crc", "local_size",
         "local_compressed")  # fmt: skip
_NAMES = (
    b"artifacts/report.json", b"artifacts/Report.json", b"artifacts/report.json/",
    b"artifacts/report.json/x", b"artifacts/", b"artifacts/new", b"artifacts/x/../y",
    b"artifacts//x", b"/artifacts/x", b"..", b"", b"manifest.json", b"attestations/",
    b"attestations/b.sigstore.json", b"artifacts/caf\xc3\xa9", b"artifacts/cafe\xcc\x81",
    b"artifacts/\xff", b"artifacts/a\0b", b"artifacts/con", b"artifacts/" + b"n" * 81,
)  # fmt: skip
_FLAGS = (0, 1, 8, 0x0800, 0x0808, 0x0802, 0x0006, 0x2000, 0x0840, 0xFFFF)
_MODES = (0, 0o100644, 0o040755, 0o120777, 0o010644, 0o100000, 0o104755)


def mutant(seed: int) -> bytes:
    """The archive of a seed, always the same one."""
    source = random.Random(seed)
    archive = source.choice(_READABLE if source.random() < 0.7 else _HOSTILE)
    for _ in range(source.choice((0, 1, 1, 1, 2, 3))):
        archive = source.choice((_in_item, _in_item, _in_item, _around))(source, archive)
    try:
        data = archive.build()
    except struct.error:  # a lie that its field cannot hold
        return mutant(seed + 2**40)
    for _ in range(source.choice((0, 0, 0, 1, 1, 2))):
        data = _in_bytes(source, data)
    return data


def _number(source: random.Random, bits: int) -> int:
    top = 2**bits - 1
    near: int = source.choice(
        (0, 1, 2, 8, 20, 45, 255, 2**15, top - 1, top, source.getrandbits(bits))
    )
    return int(min(near, top))


def _in_item(source: random.Random, archive: Zip) -> Zip:
    items = list(archive.items)
    if not items:
        return archive
    at = source.randrange(len(items))
    items[at] = source.choice(_CHANGES)(source, items[at])
    return replace(archive, items=tuple(items))


def _short(source: random.Random, item: Item) -> Item:
    return _set(item, source.choice(_SHORT), _number(source, 16))


def _long(source: random.Random, item: Item) -> Item:
    field = source.choice(_LONG)
    known: object = getattr(item, field)
    value = _number(source, 32)
    if isinstance(known, int) and source.random() < 0.5:
        value = (known + source.choice((-1, 1))) % 2**32
    return _set(item, field, value)


def _set(item: Item, field: str, value: object) -> Item:
    return replace(item, **{field: value})  # type: ignore[arg-type]  # the field's own type


def _flags(source: random.Random, item: Item) -> Item:
    return replace(item, flags=source.choice(_FLAGS))


def _mode(source: random.Random, item: Item) -> Item:
    low = source.choice((0, 0, 0x08, 0x10, 0x20, 0x400))
    return replace(item, attributes=source.choice(_MODES) << 16 | low)


def _name(source: random.Random, item: Item) -> Item:
    name = source.choice(_NAMES)
    where = source.choice(("both", "local", "central"))
    if where == "both":
        return replace(item, name=name)
    return replace(item, local_name=name if where == "local" else item.name, name=item.name if
                   where == "local" else name)  # fmt: skip


def _extra(source: random.Random, item: Item) -> Item:
    crc, packed, size = item.truth()
    field = source.choice(
        (
            extra(0x5455, b"\x01" + bytes(4)),
            extra(0x7075, b"\x01" + bytes(4) + source.choice((item.name, b"artifacts/other"))),
            extra(1, struct.pack("<2Q", size, packed)),
            extra(1, struct.pack("<3Q", size, packed, source.choice((0, 2**63, 40)))),
            extra(1, struct.pack("<Q", source.choice((size, packed, 0, 2**64 - 1)))),
            extra(1, source.randbytes(source.randrange(30))),
            extra(0xCAFE, source.randbytes(source.randrange(300))),
            source.randbytes(source.randrange(8)),
            struct.pack("<2H", 0x9999, 5),
        )
    )
    full: dict[str, int] = (
        {"size": 0xFFFFFFFF, "compressed": 0xFFFFFFFF} if source.random() < 0.4 else {}
    )
    if source.random() < 0.5:
        changed = replace(item, extra=field)
        for key, value in full.items():
            changed = _set(changed, key, value)
        return _set(changed, "crc", crc)
    changed = replace(item, local_extra=field)
    for key, value in full.items():
        changed = _set(changed, f"local_{key}", value)
    return changed


def _descriptor(source: random.Random, item: Item) -> Item:
    crc, packed, size = item.truth()
    packed += source.choice((0, 0, 0, 1))
    wide = source.random() < 0.4
    values = struct.pack("<L2Q" if wide else "<3L", crc, packed % 2**32, size)
    signature = source.choice((b"PK\x07\x08", b"PK\x07\x08", b"", b"PK\x07\x09"))
    zero = source.choice((None, 0, 0, 0xFFFFFFFF))
    announced = extra(1, bytes(16)) if wide and source.random() < 0.7 else item.local_extra
    return replace(
        item,
        flags=item.flags | 8,
        after=signature + values + source.choice((b"", b"", b"x")),
        local_crc=0 if zero is not None else None,
        local_size=zero,
        local_compressed=zero,
        local_extra=announced,
    )


def _content(source: random.Random, item: Item) -> Item:
    content = bytearray(item.content or b"content")
    content[source.randrange(len(content))] ^= 1 << source.randrange(8)
    packed = bytearray(deflate(item.content))
    packed[source.randrange(len(packed))] ^= 1 << source.randrange(8)
    return source.choice(
        (
            replace(item, content=bytes(content)),
            replace(item, method=8, raw=bytes(packed)),
            replace(item, method=8, raw=deflate(item.content) + b"\0"),
            replace(item, method=8, raw=deflate(item.content + bytes(200_000))),
            replace(item, method=8 - item.method if item.method in (0, 8) else 8),
            replace(item, raw=source.randbytes(20)),
        )
    )


def _frame(source: random.Random, item: Item) -> Item:
    more = source.choice((b"x", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06" + bytes(18), bytes(30)))
    return source.choice(
        (
            replace(item, before=more),
            replace(item, after=more),
            replace(item, comment=more),
            replace(item, listed=False),
            replace(item, local_signature=more[:4].ljust(4, b"x")),
            replace(item, central_signature=more[:4].ljust(4, b"x")),
        )
    )


_CHANGES: tuple[Change, ...] = (
    _short, _long, _flags, _mode, _name, _extra, _descriptor, _content, _frame
)  # fmt: skip


def _around(source: random.Random, archive: Zip) -> Zip:
    """Change what stands around the entries: end records, order, prefix and the like."""
    items = list(archive.items)
    source.shuffle(items)
    key = source.choice(("record_size", "needed", "disk", "here", "count", "size", "offset", "at",
                         "disks"))  # fmt: skip
    bits = 16 if key == "needed" else 32
    more = source.choice((b"x", b"PK\x05\x06", b"PK\x05\x06" + bytes(18), archive.build()[-60:]))
    extra_item = Item(name=source.choice(_NAMES), content=b"new" * source.randrange(3))
    return source.choice(
        (
            replace(archive, items=tuple(items), directory_order=None),
            replace(archive, items=(*archive.items, extra_item), directory_order=None),
            replace(archive, items=archive.items[1:], directory_order=None),
            replace(archive, items=archive.items * 2, directory_order=None),
            replace(archive, prefix=more),
            replace(archive, between=more),
            replace(archive, after_directory=more),
            replace(archive, trailing=more),
            replace(archive, comment=more),
            replace(archive, comment=b"only words"),
            replace(archive, comment_size=_number(source, 16)),
            replace(archive, count=_number(source, 16)),
            replace(archive, count_here=_number(source, 16)),
            replace(archive, size=_number(source, 32)),
            replace(archive, offset=_number(source, 32)),
            replace(archive, disk=_number(source, 16)),
            replace(archive, zip64=True),
            replace(archive, zip64=True, zip64_fields={key: _number(source, bits)}),
            replace(archive, zip64=True, count=0xFFFF, zip64_fields={
                "count": len(items), "here": len(items)}),
        )
    )  # fmt: skip


def _in_bytes(source: random.Random, data: bytes) -> bytes:
    """Change a few bytes, mostly of headers, which stand where the signatures are."""
    marks = [at for at in range(len(data) - 3) if data[at : at + 2] == b"PK"] or [0]
    at = min(source.choice(marks) + source.randrange(60), len(data))
    if source.random() < 0.3:
        at = source.randrange(len(data) + 1)
    some = source.randbytes(source.randrange(1, 5))
    return source.choice(
        (
            data[:at] + some + data[at + len(some) :],
            data[:at] + bytes([(data[at] if at < len(data) else 0) ^ 1 << source.randrange(8)])
            + data[at + 1 :],
            data[:at] + data[at + source.randrange(1, 30) :],
            data[:at] + some + data[at:],
        )
    )  # fmt: skip
