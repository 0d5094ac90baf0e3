"""Test cases of policies: read from their file, and decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Never

from attest.claims import CertificateIdentity
from attest.errors import PolicyFileError
from attest.files import read_file
from attest.policy.case_grammar import CASES
from attest.policy.decide import decide
from attest.policy.described import DescribedSignature, describe_identity
from attest.policy.grammar import MATCHED
from attest.policy.issuers import ISSUERS
from attest.policy.load import load_policy
from attest.policy.nodes import MAX_BYTES, Mapping, Member, Node, parse_nodes
from attest.policy.qualify import Evidence
from attest.policy.rules import PolicyFile, Position
from attest.policy.structure import Structure
from attest.policy.values import Values, items, optional, text_of
from attest.statement import PACK_PREDICATE_TYPE

#: What the name of a file of test cases ends in, before `.yaml`, `.yml` or `.json`.
CASES_SUFFIX = ".policy-test"
#: The leaf hash of a log entry that a case does not name.
_SOME_LEAF = bytes(32)


@dataclass(frozen=True, kw_only=True, slots=True)
class PackToVerify:
    """A pack that a case has verified, under a trusted root or the public instance's."""

    path: Path
    trusted_root: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyCase:
    """One case: what the evidence is, and the verdict that it must get: `pass` or a code."""

    name: str
    now: datetime
    expect: str
    pack: PackToVerify | None
    signed: tuple[DescribedSignature, ...]
    stream: str | None
    generated_at: datetime | None
    skipped: int
    position: Position


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyCases:
    """A file of test cases, and the policy that it is about."""

    file: str
    policy: PolicyFile
    cases: tuple[PolicyCase, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseResult:
    """What a case came to: the verdict found, and why the policy said no, in lines to copy."""

    case: PolicyCase
    found: str
    why: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.found == self.case.expect


def is_cases_file(path: Path) -> bool:
    """Whether a path is named as files of test cases are."""
    return path.stem.endswith(CASES_SUFFIX) and path.suffix in (".yaml", ".yml", ".json")


def load_cases(path: Path | str) -> PolicyCases:
    """Load a file of test cases and its policy; paths in it are relative to its folder.

    Args:
        path: the file, YAML or JSON.

    Raises:
        UsageError: `file_not_found`, `unreadable_file`.
        PolicyFileError: as `parse_policy`, for this file or the policy.
    """
    path = Path(path)
    root = parse_nodes(read_file(path, limit=MAX_BYTES), file=str(path))
    return _Loader(str(path), path.parent).cases(root)


def decide_case(policy: PolicyFile, case: PolicyCase) -> CaseResult:
    """Decide a case of described signatures.

    Args:
        policy: the policy that it is about.
        case: one without a pack.
    """
    try:
        decision = decide(
            policy,
            [item.as_verified(case.now) for item in case.signed],
            evidence=Evidence(stream=case.stream, generated_at=case.generated_at),
            skipped=case.skipped,
            now=case.now,
        )
    except PolicyFileError as error:
        return CaseResult(case=case, found=error.code, why=(error.message,))
    why = tuple(
        line
        for item in decision.requirements
        if item.status == "fail"
        for line in (f"{item.require}:", *(f"  {reason}" for reason in item.why))
    )
    return CaseResult(case=case, found=decision.code or "pass", why=why)


class _Loader:
    """Makes cases of nodes whose structure holds."""

    __slots__ = ("_file", "_folder", "_structure", "_values")

    def __init__(self, file: str, folder: Path) -> None:
        self._file = file
        self._folder = folder
        self._structure = Structure(file)
        self._values = Values(self._structure, folder)

    def cases(self, root: Node) -> PolicyCases:
        """The whole file."""
        self._structure.check(root, CASES)
        assert isinstance(root, Mapping)
        named = root.members["policy"].value
        self._values.below(named, "policy")
        policy = load_policy(self._folder / text_of(named))
        now = self._time(root, "now", "")
        signatures: dict[str, Mapping] = {}
        described: dict[str, DescribedSignature] = {}
        for name, member in _members(root, "signatures"):
            path = f"signatures.{name}"
            signatures[name] = self._merged(member, path, signatures)
            described[name] = self._signature(signatures[name], path)
        return PolicyCases(
            file=self._file,
            policy=policy,
            cases=tuple(
                self._case(name, member, now, described) for name, member in _members(root, "cases")
            ),
        )

    def _time(self, parent: Mapping, name: str, path: str) -> datetime:
        time = self._values.time(parent, name, path)
        assert time is not None
        return time

    def _merged(self, member: Member, path: str, above: dict[str, Mapping]) -> Mapping:
        """A signature with what it takes from the one that it is like."""
        own = member.value
        assert isinstance(own, Mapping)
        if "like" not in own.members:
            if "without" in own.members:
                self._refuse(own, "without", path, "has nothing to leave out", "add `like`")
            return own
        name = text_of(own.members["like"].value)
        if name not in above:
            self._unknown(own.members["like"].value, f"{path}.like", list(above))
        members = {
            key: value
            for key, value in above[name].members.items()
            if key not in ("like", "without")
        }
        if "without" in own.members:
            for node, below in items(own.members["without"].value, f"{path}.without"):
                if members.pop(text_of(node), None) is None:
                    message = f"{name!r} says nothing of {text_of(node)}"
                    self._structure.refuse("policy_invalid_value", message, node.position, below)
        return Mapping(members={**members, **own.members}, mark=own.mark)

    def _signature(self, node: Mapping, path: str) -> DescribedSignature:
        at = optional(node, "at")
        leaf = bytes.fromhex(optional(node, "log-entry") or _SOME_LEAF.hex())
        predicate_type = optional(node, "predicate-type")
        if predicate_type is None:
            predicate_type = PACK_PREDICATE_TYPE
        fields = {
            field.name: text_of(node.members[field.name].value)
            for field in MATCHED
            if field.name in node.members
        }
        return DescribedSignature(
            signer=self._values.key(node.members["key"].value, f"{path}.key")
            if self._is_by_key(node, path, fields)
            else self._identity(node, path, fields),
            timed=at != "none",
            at=None if at in (None, "none") else self._values.time(node, "at", path),
            leaf_hash=None if optional(node, "log") == "none" else leaf,
            predicate_type=None if predicate_type == "none" else predicate_type,
        )

    def _is_by_key(self, node: Mapping, path: str, fields: dict[str, str]) -> bool:
        if "key" not in node.members:
            return False
        for name in ("issuer", "claims", *fields):
            if name in node.members:
                hint = "a key signs without a certificate: describe another signature"
                self._refuse(node, name, path, "says what a key does not say", hint)
        return True

    def _identity(self, node: Mapping, path: str, fields: dict[str, str]) -> CertificateIdentity:
        issuer = optional(node, "issuer")
        claims = {name: text_of(member.value) for name, member in _members(node, "claims")}
        if issuer is None:
            self._incomplete(node, path, "issuer")
        try:
            return describe_identity(ISSUERS.get(issuer, issuer), fields, claims)
        except KeyError as error:
            self._incomplete(node, path, str(error.args[0]))

    def _incomplete(self, node: Mapping, path: str, missing: str) -> Never:
        self._structure.refuse(
            "policy_missing_key",
            f"a signature like this needs {missing!r}",
            node.position,
            path,
            "say who signed: `key`, or `issuer` with `email`, `subject`, or a workflow with its "
            "`repository` and `ref`",
        )

    def _case(
        self, name: str, member: Member, now: datetime, described: dict[str, DescribedSignature]
    ) -> PolicyCase:
        node, path = member.value, f"cases.{name[:60]}"
        assert isinstance(node, Mapping)
        own_time = self._values.time(node, "now", path)
        pack = None
        if "pack" in node.members:
            for other in ("signed", "stream", "generated-at", "skipped"):
                if other in node.members:
                    self._refuse(node, other, path, "the pack itself says", "leave it out")
            root = node.members.get("trusted-root")
            pack = PackToVerify(
                path=self._values.below(node.members["pack"].value, f"{path}.pack"),
                trusted_root=None
                if root is None
                else self._values.below(root.value, f"{path}.trusted-root"),
            )
        elif "trusted-root" in node.members:
            self._refuse(node, "trusted-root", path, "goes with `pack`", "leave it out")
        return PolicyCase(
            name=name,
            now=own_time or now,
            expect=text_of(node.members["expect"].value),
            pack=pack,
            signed=tuple(self._signed(node, path, described)) if pack is None else (),
            stream=optional(node, "stream"),
            generated_at=self._values.time(node, "generated-at", path),
            skipped=int(optional(node, "skipped") or 0),
            position=member.key.position,
        )

    def _signed(
        self, node: Mapping, path: str, described: dict[str, DescribedSignature]
    ) -> Iterator[DescribedSignature]:
        for item, below in items(node.members["signed"].value, f"{path}.signed"):
            if text_of(item) not in described:
                self._unknown(item, below, list(described))
            yield described[text_of(item)]

    def _unknown(self, node: Node, path: str, names: list[str]) -> Never:
        close = get_close_matches(text_of(node), names[:1_000], n=1)
        self._structure.refuse(
            "policy_unknown_signer",
            f"there is no signature {text_of(node)!r} above",
            node.position,
            path,
            f"did you mean {close[0]!r}?" if close else f"signatures: {', '.join(names[:10])}",
        )

    def _refuse(self, node: Mapping, name: str, path: str, message: str, hint: str) -> Never:
        at = node.members[name].key.position
        self._structure.refuse("policy_invalid_value", message, at, f"{path}.{name}", hint)


def _members(parent: Mapping, name: str) -> list[tuple[str, Member]]:
    if name not in parent.members:
        return []
    value = parent.members[name].value
    assert isinstance(value, Mapping)
    return list(value.members.items())
