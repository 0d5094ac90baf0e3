"""Policies that tests begin with, and how they write a changed one."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from attest.policy.load import parse_policy
from attest.policy.rules import PolicyFile

#: Private keys in a fixed order, so that two runs of a test see the same.
PRIVATE_KEYS = [ec.derive_private_key(number, ec.SECP256R1()) for number in range(11, 15)]
PEMS = [
    key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    for key in PRIVATE_KEYS
]

#: The example of the design, with its key inline.
EXAMPLE = f"""\
# yaml-language-server: $schema=attest-policy-v1.schema.json
version: 1
description: Who may sign acme/prod
expires: 2027-06-30T00:00:00Z          # after that it decides nothing
trust: sigstore
signers:
  ci:
    issuer: github-actions
    repository: acme/evidence
    workflow: .github/workflows/pack.yml
    ref: [refs/heads/main, refs/tags/v*]
    environment: production
    runner: github-hosted
    repository-id: 123456789            # survives renames
  auditor:
    issuer: google
    email: [ana@audit.example, bo@audit.example]
  release-key:
    key: |
      {PEMS[0].replace(chr(10), chr(10) + "      ").rstrip()}
    not-after: 2027-01-01T00:00:00Z
require:                                # every line must hold
  - ci
  - at-least: 2
    of: [auditor, release-key]
evidence: {{stream: acme/prod, predicate-type: [https://evidencepack.org/attestation/v1],
           max-age: 90d}}
log: required
others: report
revoked: {{keys: [], certificates: [], identities: [], log-entries: []}}
"""

#: The same with everything that the grammar has, as the values of JSON.
FULL: dict[str, Any] = {
    "version": 1,
    "description": "Who may sign acme/prod\nand how",
    "expires": "2027-06-30T00:00:00Z",
    "serial": 7,
    "trust": ["sigstore", "roots/acme.json"],
    "signers": {
        "ci": {
            "issuer": "github-actions",
            "repository": "acme/evidence",
            "workflow": ".github/workflows/pack.yml",
            "ref": ["refs/heads/main", "refs/tags/v*", {"regex": "refs/heads/r[0-9]+"}],
            "environment": "production",
            "runner": "github-hosted",
            "trigger": {"regex": "push|release"},
            "visibility": "public",
            "commit": "0123456789012345678901234567890123456789",
            "repository-id": 123456789,
            "owner-id": ["1", "2"],
            "signer-repository": "acme/*",
            "signer-workflow": ".github/workflows/sign.yml",
            "signer-ref": "refs/heads/main",
            "claims": {"token-subject": "repo:**", "build-trigger": ["push"]},
            "not-before": "2026-01-01T00:00:00.5+01:00",
        },
        "auditor": {
            "issuer": "https://accounts.google.com",
            "email": ["ana@audit.example", "bo@audit.example"],
        },
        "bot": {"issuer": "https://login.acme.example/x", "subject": "https://acme.example/bot"},
        "release-key": {"key": PEMS[0], "not-after": "2027-01-01T00:00:00Z"},
    },
    "require": ["ci", "bot", {"at-least": 2, "of": ["auditor", "release-key"]}],
    "evidence": {
        "stream": ["acme/prod", "acme/**"],
        "predicate-type": "https://evidencepack.org/attestation/v1",
        "max-age": "90d",
    },
    "log": "optional",
    "timestamp": "optional",
    "others": "forbid",
    "revoked": {
        "keys": ["0" * 64, {"value": "1" * 64, "since": "2026-01-01T00:00:00Z"}],
        "certificates": ["2" * 64, "CN=ca,O=acme#1f"],
        "identities": ["email:Eve@Audit.example", f"key:{'3' * 64}", "workflow:https://i#1#a/b/c"],
        "log-entries": ["4" * 64],
    },
}


def changed(*path: str | int, to: object) -> dict[str, Any]:
    """`FULL` with one value replaced or added; `...` removes it."""
    document = copy.deepcopy(FULL)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    if to is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return document


def load(document: object) -> PolicyFile:
    """Parse the JSON of a value."""
    return parse(json.dumps(document))


def parse(text: str) -> PolicyFile:
    """Parse a text that leads to no other file, but for the name of a root."""
    return parse_policy(text.encode(), file="p.yaml", folder=Path(__file__).parent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """A change of `FULL` that must be refused, as a line of refused.txt has it."""

    change: str
    document: dict[str, Any]
    code: str
    path: str
    by_schema: bool


def _refused() -> Iterator[Refused]:
    text = Path(__file__).with_name("refused.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    for change, expected in zip(lines[::2], lines[1::2], strict=True):
        where, _, value = change.partition(" = ")
        steps = [int(step) if step.isdecimal() else step for step in where.split(".")]
        path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        verdict, _, beyond = expected.strip().partition("; ")
        code, _, found = verdict.partition(" at ")
        yield Refused(
            change=change,
            document=changed(*steps, to=_value(value)),
            code=code,
            path="" if found == "(root)" else found or path.removeprefix("."),
            by_schema=not beyond,
        )


def _value(text: str) -> object:
    if text == "REMOVED":
        return ...
    item, times, number = text.rpartition(" * ")
    return json.loads(item) * int(number) if times else json.loads(text)


REFUSED = list(_refused())
