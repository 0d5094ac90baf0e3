"""Step 4: whether a CT log of the trusted root promised the certificate."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from attest.engine.trace import Trace
from attest.errors import AttestError, Untrusted, VerificationFailed
from attest.sandbox import CTLog, LeafProfile
from attest.sandbox import Signer as CaSigner
from attest.sandbox.ctlog import sct_list_extension
from attest.trust.root import TrustRoot
from tests.engine.virtual_evidence import V1_DSSE, verify
from tests.engine.virtual_instance import (
    ELSEWHERE,
    HERE,
    ROOT,
    SECOND,
    YEARS,
    p256,
)


def code_of(data: bytes, root: TrustRoot = ROOT) -> tuple[type[AttestError], str]:
    with pytest.raises(AttestError) as caught:
        verify(data, root=root)
    return type(caught.value), caught.value.code


def unknown_log(label: str = "unknown") -> CTLog:
    return CTLog(key=p256(label))


class LyingLog(CTLog):
    """A log of the trusted root's id whose promises another key signs, over other bytes or late."""

    def __init__(self, *, over: bytes = b"", issuer: CaSigner | None = None) -> None:
        super().__init__(key=HERE.ctlog.key)
        self.over = over
        self.issuer = issuer

    def sct(
        self,
        *,
        tbs: bytes,
        issuer_key: ec.EllipticCurvePublicKey,
        at: datetime,
        extensions: bytes = b"",
    ) -> bytes:
        issuer_key = self.issuer.key.public_key() if self.issuer else issuer_key
        return super().sct(tbs=tbs + self.over, issuer_key=issuer_key, at=at, extensions=extensions)


class Impostor(CTLog):
    @property
    def log_id(self) -> bytes:
        return HERE.ctlog.log_id


class TimelessLog(CTLog):
    """Its promise has a time beyond every calendar."""

    def sct(
        self,
        *,
        tbs: bytes,
        issuer_key: ec.EllipticCurvePublicKey,
        at: datetime,
        extensions: bytes = b"",
    ) -> bytes:
        sct = super().sct(tbs=tbs, issuer_key=issuer_key, at=at, extensions=extensions)
        return sct[:33] + b"\xff" * 8 + sct[41:]


SCTS: dict[str, tuple[CTLog | None, LeafProfile, type[AttestError], str]] = {
    "none": (None, LeafProfile(), VerificationFailed, "missing_sct"),
    "by an unknown log": (unknown_log(), LeafProfile(), Untrusted, "untrusted_sct"),
    "by another key under the log's id": (
        Impostor(key=p256("unknown")),
        LeafProfile(),
        VerificationFailed,
        "invalid_sct",
    ),
    "for another certificate": (
        LyingLog(over=b"x"),
        LeafProfile(),
        VerificationFailed,
        "invalid_sct",
    ),
    "for another issuer": (
        LyingLog(issuer=ELSEWHERE.ca.intermediate),
        LeafProfile(),
        VerificationFailed,
        "invalid_sct",
    ),
    "of no date": (
        TimelessLog(key=HERE.ctlog.key),
        LeafProfile(),
        VerificationFailed,
        "invalid_sct",
    ),
    "before the log": (
        HERE.ctlog,
        LeafProfile(sct_time=YEARS.start - SECOND),
        VerificationFailed,
        "invalid_sct",
    ),
}


@pytest.mark.parametrize("name", SCTS)
def test_a_certificate_that_no_trusted_log_promised(name: str) -> None:
    log, profile, kind, code = SCTS[name]
    assert code_of(replace(V1_DSSE, ctlog=log, leaf=profile).build()) == (kind, code)


MARK = b"-- and --"


class TwoLogs(CTLog):
    """Gives the promise of a second log behind its own; the list is cut apart at the mark."""

    def __init__(self, second: CTLog) -> None:
        super().__init__(key=HERE.ctlog.key)
        self.second = second

    def sct(
        self,
        *,
        tbs: bytes,
        issuer_key: ec.EllipticCurvePublicKey,
        at: datetime,
        extensions: bytes = b"",
    ) -> bytes:
        one = super().sct(tbs=tbs, issuer_key=issuer_key, at=at, extensions=extensions)
        two = self.second.sct(tbs=tbs, issuer_key=issuer_key, at=at, extensions=extensions)
        return one + MARK + two


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (HERE.ctlog, None),
        (unknown_log(), None),
        (Impostor(key=p256("unknown")), "invalid_sct"),
    ],
    ids=["again", "unknown counts for nothing", "broken fails beside a good one"],
)
def test_a_second_promise(monkeypatch: pytest.MonkeyPatch, second: CTLog, code: str | None) -> None:
    monkeypatch.setattr(
        "attest.sandbox.ca.sct_list_extension",
        lambda scts: sct_list_extension([part for sct in scts for part in sct.split(MARK)]),
    )
    data = replace(V1_DSSE, ctlog=TwoLogs(second)).build()
    if code is None:
        assert verify(data).level2
    else:
        assert code_of(data) == (VerificationFailed, code)


def test_an_sct_with_extensions_counts() -> None:
    class Extending(CTLog):
        def sct(
            self,
            *,
            tbs: bytes,
            issuer_key: ec.EllipticCurvePublicKey,
            at: datetime,
            extensions: bytes = b"",
        ) -> bytes:
            extensions += b"\x00\x00\x01x"
            return super().sct(tbs=tbs, issuer_key=issuer_key, at=at, extensions=extensions)

    assert verify(replace(V1_DSSE, ctlog=Extending(key=HERE.ctlog.key)).build()).level2


def test_what_the_sct_step_saw_is_in_the_record() -> None:
    trace = Trace()
    with pytest.raises(VerificationFailed):
        verify(replace(V1_DSSE, ctlog=None).build(), trace=trace)
    assert [(item.check, item.status, item.code) for item in trace.checks][-1] == (
        "4 sct",
        "fail",
        "missing_sct",
    )
