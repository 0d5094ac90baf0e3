"""Checkpoints: C2SP signed notes over a log's size and root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attest.sandbox.wire import encode_base64

if TYPE_CHECKING:
    from collections.abc import Callable


def signed_checkpoint(
    *,
    origin: str,
    size: int,
    root: bytes,
    name: str,
    key_id: bytes,
    sign: Callable[[bytes], bytes],
) -> str:
    """A signed checkpoint.

    Args:
        origin: first line of the note.
        size: number of leaves.
        root: root hash over them.
        name: the signer, as written in the signature line.
        key_id: the log's key id; its first four bytes are the hint.
        sign: signs the note text, whose last line's newline is part of what is signed
            (C2SP signed-note; the blank line after it is not).
    """
    text = f"{origin}\n{size}\n{encode_base64(root)}\n"
    signature = encode_base64(key_id[:4] + sign(text.encode()))
    return f"{text}\n\N{EM DASH} {name} {signature}\n"
