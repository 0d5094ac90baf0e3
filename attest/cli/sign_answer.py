"""What is said of a target that was signed: text, JSON, and the command that verifies it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from attest.api.identity import SigningInstance
from attest.api.log_versions import who_verifies
from attest.api.signed import Signed
from attest.cli import sign_key
from attest.errors import AttestError
from attest.report.json import error_to_json
from attest.report.model import utc
from attest.strictjson import JSON
from attest.terminal import escape, shell_command


def verify_commands(
    signed: Signed, instance: SigningInstance, args: argparse.Namespace
) -> list[str]:
    """The commands with which a consumer verifies what was signed, one for each subject.

    None after a dry run, where only a policy file can accept what was signed, and where a name
    ends in a line break, which no shell takes from another command.

    Args:
        signed: what was.
        instance: which instance it was signed with.
        args: name the key, where one signed.
    """
    attestation = signed.attestation
    if attestation is None or sign_key.unproven(signed) is not None:
        return []
    words = [*sign_key.signer_words(signed, args), *_instance(instance)]
    if signed.kind != "pack" and attestation.statement is not None:
        words = ["--predicate-type", attestation.statement.predicate_type, *words]
    bundle = _portable(os.fspath(signed.path))
    commands = [
        [
            *("attest", "verify", _portable(subject.name)),
            *([] if _is_beside(signed, subject.name) else ["--bundle", bundle]),
            *_joined(words),
        ]
        for subject in signed.subjects
    ]
    if any(word.endswith("\n") for command in commands for word in command):
        return []
    return [shell_command(command) for command in commands]


def _is_beside(signed: Signed, name: str) -> bool:
    return signed.kind == "pack" or os.fspath(signed.path) == f"{name}.sigstore.json"


def _instance(instance: SigningInstance) -> list[str]:
    if instance.is_registered:
        return ["--instance", instance.name]
    if not instance.is_public:
        option = "--trusted-root" if instance.in_parts else "--trust-config"
        return [option, _portable(instance.name)]
    return [] if instance.name == "sigstore" else ["--instance", instance.name]


def _joined(words: Sequence[str]) -> list[str]:
    """Options and their values in turn, none of which is taken for an option as well."""
    joined: list[str] = []
    for name, value in zip(words[::2], words[1::2], strict=True):
        joined += [f"{name}={value}"] if value.startswith("-") else [name, value]
    return joined


def _portable(path: str) -> str:
    """A path that every shell takes as one word, and no program for an option or a list."""
    path = path.replace("\\", "/") if os.name == "nt" else path
    return f"./{path}" if path.startswith(("-", "@")) else path


def as_text(signed: Signed, commands: Sequence[str], args: argparse.Namespace) -> str:
    """What became of it, for a person; everything untrusted is escaped."""
    title = "manifest digest" if signed.kind == "pack" else "digest"
    word = _result(signed).replace("_", " ")
    word = "would sign" if signed.attestation is None else word
    lines: list[str] = []
    for subject in signed.subjects:
        lines += [f"{word:<15}  {escape(subject.name)}", f"{title:<15}  {subject.digest}"]
    attestation = signed.attestation
    if attestation is None:
        return "\n".join(lines)
    lines += sign_key.signer_lines(signed)
    lines += [f"signed at        {utc(item.time)} ({item.source})" for item in attestation.times]
    for entry in signed.log_entries:
        index = "" if entry.index is None else f", index {entry.index}"
        lines.append(f"log              {escape(entry.origin or entry.log_id.hex())}{index}")
        clients = who_verifies(entry.log_version, is_statement=attestation.statement is not None)
        lines.append(f"log version      {entry.log_version}: {clients}")
    if signed.entry is not None:
        lines.append(f"attestation      {escape(signed.entry)}")
    else:
        lines.append(f"bundle           {escape(os.fspath(signed.path))}")
    if signed.kept:
        who = "identity" if signed.key_id is None else "key"
        lines.append(f"this {who} had signed it already; --replace signs it again")
    lines += sign_key.closing_lines(signed, args)
    if commands:
        lines.append("to verify it:")
        lines += [f"  {command}" for command in commands]
    return "\n".join(lines)


def as_json(signed: Signed, commands: Sequence[str]) -> JSON:
    """The same as one JSON object."""
    attestation = signed.attestation
    subjects: list[JSON] = [
        {
            "name": subject.name,
            "digest": _digest(subject.digest),
            "verify": commands[position] if commands else None,
        }
        for position, subject in enumerate(signed.subjects)
    ]
    return {
        "error": None,
        "target": {
            "kind": signed.kind,
            "name": signed.target,
            "digest": _digest(signed.digest),
        },
        "subjects": subjects,
        "result": _result(signed),
        "path": os.fspath(signed.path),
        "entry": signed.entry,
        "identity": signed.identity,
        "issuer": signed.issuer,
        "key_id": signed.key_id,
        "signed_at": [
            {"time": utc(item.time), "source": item.source}
            for item in (attestation.times if attestation else ())
        ],
        "log": [
            {
                "id": entry.log_id.hex(),
                "version": entry.log_version,
                "origin": entry.origin,
                "index": None if entry.index is None else str(entry.index),
            }
            for entry in signed.log_entries
        ],
        "verify": commands[0] if commands else None,
    }


def failure_as_json(target: str, error: AttestError) -> JSON:
    """What became of a target that was not signed; `path` is where its signature is kept."""
    pending = error.code == "signature_pending"
    return {
        "error": error_to_json(error),
        "target": {"name": target},
        "result": "pending" if pending else "error",
        "path": error.where if pending else None,
    }


def _result(signed: Signed) -> str:
    if signed.attestation is None:
        return "dry_run"
    if signed.kept:
        return "kept"
    return "completed" if signed.resumed else "signed"


def _digest(text: str) -> JSON:
    algorithm, _, digits = text.partition(":")
    return {algorithm: digits}
