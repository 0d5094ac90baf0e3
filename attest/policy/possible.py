"""Whether requirements can be met at all: by whom a rule can be, where the rule itself says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attest.policy.rules import (
    AnySigner,
    CertificateSigner,
    KeySigner,
    Requirement,
    SignerRule,
)
from attest.policy.slots import fill

#: Somebody who fills one slot: words that are equal if it is certainly the same one.
Somebody: TypeAlias = tuple[str, ...]


def first_impossible(
    require: Sequence[Requirement], signers: Mapping[str, SignerRule]
) -> tuple[int, int] | None:
    """Find the first line that nobody is left for, because the rules name too few.

    Only what is certain counts: keys, e-mail addresses and workflows that are written out. A rule
    with a pattern could be anybody.

    Args:
        require: the lines.
        signers: the rules by name; every name in the lines is there.

    Returns:
        The line's index and how many its rules name; None if every line may be met.
    """
    slots = sum(line.at_least for line in require)
    asked = {name for line in require for name in line.of}
    rules = {name: _everybody(signers[name], slots) for name in asked}
    numbers: dict[Somebody, int] = {}
    known: dict[int, int] = {}
    for index, line in enumerate(require):
        everybody = [rules[name] for name in line.of]
        # A rule of as many as there are slots fills its line when all others are filled.
        if None not in everybody:
            numbered = {
                numbers.setdefault(somebody, len(numbers))
                for found in everybody
                for somebody in found or ()
            }
            known[index] = sum(1 << number for number in numbered)
    filled = fill([require[index].at_least for index in known], list(known.values()))
    for (index, everybody_known), some in zip(known.items(), filled, strict=True):
        if some.bit_count() < require[index].at_least:
            return index, everybody_known.bit_count()
    return None


def _everybody(rule: SignerRule, enough: int) -> frozenset[Somebody] | None:
    """Everybody who can meet a rule; None if it does not say, or if they are enough anyway."""
    if isinstance(rule, AnySigner):
        return None
    if isinstance(rule, KeySigner):
        found: set[Somebody] = {("key", rule.key.key_id.hex())}
    else:
        written = _written_out(rule)
        emails = written.get("email", ())
        found = {("email", email.casefold()) for email in emails} or _workflows(
            rule, written, enough
        )
    return frozenset(found) if 0 < len(found) < enough else None


def _workflows(
    rule: CertificateSigner, written: Mapping[str, Sequence[str]], enough: int
) -> set[Somebody]:
    """The workflows that meet a rule; none if it does not write them out, or only enough."""
    reused = any(item.name.startswith("signer-") for item in rule.fields)
    if not (files := written.get("signer-workflow" if reused else "workflow")):
        return set()
    names = {name.casefold() for name in written.get("repository", ())}
    sources = set(written.get("repository-id", ())) or names
    if reused:
        names = {name.casefold() for name in written.get("signer-repository", ())}
    if len(sources) * len(files) * (len(names) if reused else 1) >= enough:
        return set()
    return {
        ("workflow", rule.issuer, source, f"{name}/{file}")
        for source in sources
        for name in (names if reused else [source])
        for file in files
    }


def _written_out(rule: CertificateSigner) -> dict[str, list[str]]:
    """The values of the fields that have no pattern, by the field's name."""
    return {
        item.name: [pattern.text for pattern in item.any_of]
        for item in rule.fields
        if all(pattern.kind == "exact" for pattern in item.any_of)
    }
