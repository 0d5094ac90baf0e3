"""Which signers let in nobody whom another signer of the same line does not let in too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from attest.policy.fields import fold_of, needs_own_workflow
from attest.policy.match import matches
from attest.policy.rules import (
    CertificateSigner,
    FieldRule,
    KeySigner,
    Pattern,
    SignerRule,
    Window,
)

#: What a signer asks for, as something to look up.
_Asked: TypeAlias = tuple[str, str | None, str]


def shadowed(rules: Sequence[SignerRule]) -> Iterator[tuple[SignerRule, SignerRule]]:
    """Find signers that another one makes superfluous; of two that are equal, the later one.

    Args:
        rules: the signers of a line.

    Returns:
        Pairs: a signer, and the one that lets in whoever it does.
    """
    candidates = _Candidates(rules)
    for number, narrow in enumerate(rules):
        for other in candidates.of(narrow):
            wide = rules[other]
            if other != number and covers(wide, narrow):
                if other > number and covers(narrow, wide):
                    continue
                yield narrow, wide
                break


def covers(wide: SignerRule, narrow: SignerRule) -> bool:
    """Whether whoever meets one rule certainly meets the other, as far as it can be told."""
    if isinstance(wide, KeySigner) and isinstance(narrow, KeySigner):
        return wide.key == narrow.key and _spans(wide.window, narrow.window)
    if not isinstance(wide, CertificateSigner) or not isinstance(narrow, CertificateSigner):
        return False
    if wide.issuer != narrow.issuer or not _spans(wide.window, narrow.window):
        return False
    if needs_own_workflow(wide) and not needs_own_workflow(narrow):
        return False
    asked = {(field.name, field.claim): field for field in narrow.fields}
    return all(
        (field.name, field.claim) in asked
        and _lets_in(field, asked[field.name, field.claim], wide.issuer)
        for field in wide.fields
    )


class _Candidates:
    """Finds the signers that may cover one, so that not every pair of a long line is compared.

    Each signer is found by the field in which it is most unlike the others.
    """

    __slots__ = ("_index", "_patterns")

    def __init__(self, rules: Sequence[SignerRule]) -> None:
        self._index: dict[_Asked, list[int]] = {}
        #: Signers to be found by patterns, which match more than themselves.
        self._patterns: list[tuple[int, FieldRule, Pattern]] = []
        often = Counter(asked for rule in rules for asked in _everything(rule))
        for number, rule in enumerate(rules):
            if isinstance(rule, KeySigner):
                self._index.setdefault(_key(rule), []).append(number)
            elif isinstance(rule, CertificateSigner):
                rarest = min(
                    rule.fields,
                    key=lambda field: sum(often[_asked(field, item)] for item in field.any_of),
                )
                for item in rarest.any_of:
                    self._index.setdefault(_asked(rarest, item), []).append(number)
                    if item.kind != "exact":
                        self._patterns.append((number, rarest, item))

    def of(self, narrow: SignerRule) -> list[int]:
        """The positions of those that may cover a signer, in their order."""
        if isinstance(narrow, KeySigner):
            return self._index.get(_key(narrow), [])
        if not isinstance(narrow, CertificateSigner):
            return []
        # Each field must be let in whole, so its first value tells enough.
        first = {(field.name, field.claim): field.any_of[0] for field in narrow.fields}
        found = {
            number
            for field in narrow.fields
            for number in self._index.get(_asked(field, field.any_of[0]), [])
        }
        for number, field, pattern in self._patterns:
            value = first.get((field.name, field.claim))
            if value is not None and _may_match(pattern, value):
                found.add(number)
        return sorted(found)


def _everything(rule: SignerRule) -> Iterator[_Asked]:
    if isinstance(rule, CertificateSigner):
        for field in rule.fields:
            yield from (_asked(field, item) for item in field.any_of)


def _asked(field: FieldRule, pattern: Pattern) -> _Asked:
    # Case is not the question here: what folds is the same in lower case.
    return field.name, field.claim, pattern.text.lower()


def _key(rule: KeySigner) -> _Asked:
    return "key", None, rule.key.key_id.hex()


def _may_match(pattern: Pattern, value: Pattern) -> bool:
    if pattern.text == "**":
        return True
    before = "" if pattern.kind == "regex" else pattern.text.partition("*")[0].lower()
    return value.kind == "exact" and value.text.lower().startswith(before)


def _spans(wide: Window, narrow: Window) -> bool:
    first, last = wide.not_before, wide.not_after
    begins = first is None or (narrow.not_before is not None and first <= narrow.not_before)
    ends = last is None or (narrow.not_after is not None and narrow.not_after <= last)
    return begins and ends


def _lets_in(wide: FieldRule, narrow: FieldRule, issuer: str) -> bool:
    fold = fold_of(wide, issuer)

    def taken(item: Pattern) -> Iterator[bool]:
        for pattern in wide.any_of:
            everything = pattern.kind == "glob" and pattern.text == "**"
            exact = item.kind == "exact" and matches(pattern, item.text, fold=fold)
            yield pattern == item or everything or exact

    return all(any(taken(item)) for item in narrow.any_of)
