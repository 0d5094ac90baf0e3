"""What is said of an artefact that was signed: by a key, and maybe by an identity too."""

from __future__ import annotations

import os

from attest.api.signed import Signed
from attest.cli.context import Context
from attest.strictjson import JSON
from attest.terminal import escape


def tell_signed(signed: Signed, bundle: Signed | None, keyid: str, context: Context) -> None:
    """Write the result.

    Args:
        signed: the artefact and its signature.
        bundle: its Sigstore bundle, if there was to be one.
        keyid: of the key that signed, as the signature names it.
        context: where to write it, and in which form.
    """
    if context.wants_json:
        context.result_json(_as_json(signed, bundle, keyid))
        return
    lines = [
        f"{'kept' if signed.kept else 'signed':<9} {escape(signed.target)}",
        f"digest    {signed.digest}",
        f"signature {escape(os.fspath(signed.path))}",
        f"keyid     {keyid}",
    ]
    if bundle is not None:
        lines += [
            f"bundle    {escape(os.fspath(bundle.path))}{' (kept)' if bundle.kept else ''}",
            f"identity  {escape(bundle.identity or '')}",
            f"issuer    {escape(bundle.issuer or '')}",
        ]
    context.result("\n".join(lines))


def _as_json(signed: Signed, bundle: Signed | None, keyid: str) -> JSON:
    return {
        "result": "kept" if signed.kept else "signed",
        "artefact": signed.target,
        "digest": signed.digest,
        "signature": os.fspath(signed.path),
        "keyid": keyid,
        "bundle": None
        if bundle is None
        else {
            "result": "kept" if bundle.kept else "signed",
            "file": os.fspath(bundle.path),
            "identity": bundle.identity,
            "issuer": bundle.issuer,
        },
        "error": None,
    }
