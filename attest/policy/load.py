"""Read a policy file strictly: bytes to nodes, nodes against the grammar, then values."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, cast

from attest.claims import is_issued_name
from attest.files import read_file
from attest.policy.grammar import MATCHED, POLICY
from attest.policy.issuers import ISSUERS
from attest.policy.nodes import MAX_BYTES, Mapping, Member, Node, Scalar, parse_nodes, shown
from attest.policy.possible import first_impossible
from attest.policy.rules import (
    CertificateSigner,
    EvidenceRules,
    FieldName,
    FieldRule,
    KeySigner,
    PolicyFile,
    Requirement,
    Revocations,
    Revoked,
    SignerRule,
    is_path,
)
from attest.policy.structure import Structure
from attest.policy.values import Values, items, optional, text_of

#: Everybody whom all lines together need; as many are matched in a few milliseconds.
MAX_SLOTS = 256
_MATCHED = tuple(cast("FieldName", field.name) for field in MATCHED)
_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


def load_policy(path: Path | str) -> PolicyFile:
    """Load a policy file; paths in it are relative to its folder, and stay in it.

    Args:
        path: the file, YAML or JSON.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        PolicyFileError: as `parse_policy`.
    """
    path = Path(path)
    return parse_policy(read_file(path, limit=MAX_BYTES), file=str(path), folder=path.parent)


def parse_policy(data: bytes, *, file: str, folder: Path | None) -> PolicyFile:
    """Parse the bytes of a policy file.

    Args:
        data: the raw bytes, YAML or JSON in UTF-8.
        file: name of the file for errors.
        folder: where paths in it lead from; None allows none, as signed policies need.

    Raises:
        PolicyFileError: `policy_syntax`, `policy_too_large`, `policy_duplicate_key`,
            `policy_unsupported_version`, `policy_unknown_key`, `policy_missing_key`,
            `policy_wrong_type`, `policy_invalid_value`, `policy_empty`, `policy_unknown_signer`,
            `policy_impossible`, `policy_path_not_allowed`, `invalid_revocation`, a code of
            `check_pattern` for regular expressions, of `load_public_key` for keys.

    Source: design, section 7.
    """
    root = parse_nodes(data, file=file)
    return _Loader(file, folder).policy(root, hashlib.sha256(data).digest())


class _Loader:
    """Makes values of nodes whose structure holds; judges what takes more than one node."""

    __slots__ = ("_file", "_structure", "_values")

    def __init__(self, file: str, folder: Path | None) -> None:
        self._file = file
        self._structure = Structure(file)
        self._values = Values(self._structure, folder)

    def policy(self, root: Node, sha256: bytes) -> PolicyFile:
        """The whole file as a value."""
        version = root.members.get("version") if isinstance(root, Mapping) else None
        if version and isinstance(version.value, Scalar) and _is_later(version.value):
            self._structure.refuse(
                "policy_unsupported_version",
                f"is version {version.value.value[:20]}, of which this attest knows nothing",
                version.value.position,
                "version",
                "use a newer attest; this one reads version 1",
            )
        self._structure.check(root, POLICY)
        assert isinstance(root, Mapping)
        signers = {
            name: self._signer(name, member, f"signers.{name}")
            for name, member in _mapping(root, "signers").members.items()
        }
        serial = optional(root, "serial")
        return PolicyFile(
            file=self._file,
            sha256=sha256,
            signers=tuple(signers.values()),
            require=self._require(root, signers),
            trust=self._trust(root),
            description=optional(root, "description"),
            expires=self._values.time(root, "expires", ""),
            serial=None if serial is None else int(serial),
            evidence=self._evidence(root),
            log=_demand(root, "log"),
            timestamp=_demand(root, "timestamp"),
            others="forbid" if optional(root, "others") == "forbid" else "report",
            revoked=self._revoked(root),
            files=tuple(self._values.files),
        )

    def _trust(self, root: Mapping) -> tuple[str, ...]:
        if "trust" not in root.members:
            return ("sigstore",)
        names = []
        for node, path in items(root.members["trust"].value, "trust"):
            names.append(text_of(node))
            if is_path(text_of(node)):
                self._values.below(node, path)
        return tuple(names)

    def _signer(self, name: str, member: Member, path: str) -> SignerRule:
        node = member.value
        assert isinstance(node, Mapping)
        window = self._values.window(node, path)
        if "key" in node.members:
            key = self._values.key(node.members["key"].value, f"{path}.key")
            return KeySigner(name=name, key=key, window=window, position=member.key.position)
        issuer = text_of(node.members["issuer"].value)
        return CertificateSigner(
            name=name,
            issuer=ISSUERS.get(issuer, issuer),
            fields=(*self._fields(node, path), *self._claims(node, path)),
            window=window,
            position=member.key.position,
        )

    def _fields(self, node: Mapping, path: str) -> Iterator[FieldRule]:
        for name in _MATCHED:
            if name in node.members:
                member = node.members[name]
                yield FieldRule(
                    name=name,
                    any_of=self._values.patterns(member.value, f"{path}.{name}"),
                    position=member.key.position,
                )

    def _claims(self, node: Mapping, path: str) -> Iterator[FieldRule]:
        if "claims" in node.members:
            for name, member in _mapping(node, "claims").members.items():
                yield FieldRule(
                    name="claims",
                    claim=name,
                    any_of=self._values.patterns(member.value, f"{path}.claims.{name}"),
                    position=member.key.position,
                )

    def _require(self, root: Mapping, signers: dict[str, SignerRule]) -> tuple[Requirement, ...]:
        listed = list(items(root.members["require"].value, "require"))
        require = tuple(self._requirement(node, path, signers) for node, path in listed)
        if sum(line.at_least for line in require) > MAX_SLOTS:
            self._structure.refuse(
                "policy_too_large",
                f"needs more than {MAX_SLOTS} different signers",
                root.members["require"].value.position,
                "require",
            )
        if found := first_impossible(require, signers):
            index, there_are = found
            line = require[index]
            node, path = listed[index]
            message = f"needs {line.at_least} different signers, and its rules name {there_are}"
            if there_are >= line.at_least:
                message = f"{message}, of whom the other lines need too many"
            self._structure.refuse(
                "policy_impossible",
                message,
                node.position,
                path,
                "each person, workflow or key counts once, for one line, under whatever name",
            )
        return require

    def _requirement(self, node: Node, path: str, signers: dict[str, SignerRule]) -> Requirement:
        if isinstance(node, Scalar):
            self._known(node, path, signers)
            return Requirement(at_least=1, of=(node.value,), position=node.position)
        assert isinstance(node, Mapping)
        of = list(items(node.members["of"].value, f"{path}.of"))
        for name, below in of:
            self._known(name, below, signers)
        return Requirement(
            at_least=int(text_of(node.members["at-least"].value)),
            of=tuple(text_of(name) for name, _ in of),
            position=node.position,
        )

    def _known(self, node: Node, path: str, signers: dict[str, SignerRule]) -> None:
        name = text_of(node)
        if name not in signers:
            close = get_close_matches(name, list(signers)[:1_000], n=1)
            some = ", ".join(list(signers)[:10])
            self._structure.refuse(
                "policy_unknown_signer",
                f"there is no signer {name!r}",
                node.position,
                path,
                f"did you mean {close[0]!r}?" if close else f"signers: {some}",
            )

    def _evidence(self, root: Mapping) -> EvidenceRules:
        if "evidence" not in root.members:
            return EvidenceRules()
        node = _mapping(root, "evidence")
        stream = node.members.get("stream")
        types = node.members.get("predicate-type")
        age = optional(node, "max-age")
        return EvidenceRules(
            stream=self._values.patterns(stream.value, "evidence.stream") if stream else None,
            predicate_types=tuple(text_of(item) for item, _ in items(types.value, ""))
            if types
            else None,
            max_age=timedelta(seconds=int(age[:-1]) * _SECONDS[age[-1]]) if age else None,
        )

    def _revoked(self, root: Mapping) -> Revocations:
        if "revoked" not in root.members:
            return Revocations()
        lists = {
            name: tuple(self._revocation(*item) for item in items(member.value, f"revoked.{name}"))
            for name, member in _mapping(root, "revoked").members.items()
        }
        return Revocations(
            keys=lists.get("keys", ()),
            certificates=lists.get("certificates", ()),
            identities=lists.get("identities", ()),
            log_entries=lists.get("log-entries", ()),
        )

    def _revocation(self, node: Node, path: str) -> Revoked:
        since = None
        if isinstance(node, Mapping):
            since = self._values.time(node, "since", path)
            node = node.members["value"].value
        value = text_of(node)
        if "=" in value and path.startswith("revoked.certificates") and not is_issued_name(value):
            self._structure.refuse(
                "invalid_revocation",
                f"{shown(value)} names no certificate",
                node.position,
                path,
                "write ISSUER#SERIAL: a name as in RFC 4514, without blanks after its commas, and "
                "the serial number in hex",
            )
        # Principals of people are folded, so another spelling would revoke nobody.
        return Revoked(value=value.casefold() if value.startswith("email:") else value, since=since)


def _is_later(version: Scalar) -> bool:
    return bool(re.fullmatch("[1-9][0-9]*", version.value)) and version.value != "1"


def _mapping(parent: Mapping, name: str) -> Mapping:
    value = parent.members[name].value
    assert isinstance(value, Mapping)
    return value


def _demand(root: Mapping, name: str) -> Literal["required", "optional"]:
    return "optional" if optional(root, name) == "optional" else "required"
