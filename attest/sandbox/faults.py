"""Services that fail on purpose: what a client must survive, or refuse, on demand.

A fault is written `NAME` or `NAME:N`; N is how many requests it befalls, all by default (for
`slow` the seconds to wait).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from attest.sandbox.ca import CertificateAuthority
from attest.sandbox.clock import utc_now
from attest.sandbox.ctlog import CTLog
from attest.sandbox.fulcio import Fulcio
from attest.sandbox.instance import Instance
from attest.sandbox.refusal import Refusal, SandboxError
from attest.sandbox.routes import Request, Response, refused, respond

Answerer = Callable[[Instance, Request], Response]

LOG_PATHS: Final = frozenset({"/api/v1/log/entries", "/api/v2/log/entries"})
CA_PATHS: Final = frozenset({"/api/v2/signingCert"})
TSA_PATHS: Final = frozenset({"/api/v1/timestamp"})
_EVERY: Final = LOG_PATHS | CA_PATHS | TSA_PATHS
_LONGEST: Final = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One way to fail: what it is in words, the requests that it befalls, and their answer."""

    words: str
    paths: frozenset[str]
    answer: Answerer


@dataclass(kw_only=True, slots=True)
class Fault:
    """A fault as it was asked for; `number` is what stands after its name."""

    name: str
    number: int | None

    @property
    def kind(self) -> Kind:
        """What it does."""
        return KINDS[self.name]


def parse_fault(text: str) -> Fault:
    """Read `NAME` or `NAME:N`; a SandboxError names those that there are."""
    name, colon, digits = text.partition(":")
    if name not in KINDS:
        raise SandboxError(f"no fault {name!r}; there are: {', '.join(KINDS)}")
    if not colon:
        return Fault(name=name, number=None)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST and int(digits)):
        raise SandboxError(f"{text!r}: give a whole number from 1 after the colon")
    return Fault(name=name, number=int(digits))


class Faults:
    """The faults of a running sandbox, on top of its services."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._faults = [parse_fault(text) for text in texts]

    def inject(self, *texts: str) -> None:
        """Let requests from now on fail so."""
        faults = [parse_fault(text) for text in texts]
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._faults.clear()

    def respond(self, instance: Instance, request: Request) -> Response:
        """The answer to a request, or that of the first fault which befalls it."""
        fault = self._befalling(request)
        if fault is None:
            return respond(instance, request)
        if fault.name == "slow":
            time.sleep(fault.number or 1)
            return respond(instance, request)
        return fault.kind.answer(instance, request)

    def _befalling(self, request: Request) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if request.method != "POST" or request.path not in fault.kind.paths:
                    continue
                if fault.name != "slow" and fault.number is not None:
                    fault.number -= 1
                    if not fault.number:
                        self._faults.remove(fault)
                return fault
        return None


def _refusing(status: HTTPStatus, message: str) -> Answerer:
    def answer(_instance: Instance, request: Request) -> Response:
        return refused(Refusal(status, message), request.path)

    return answer


def _quoting(_instance: Instance, request: Request) -> Response:
    """Refuse and repeat the token, as careless services do: a client must not show it."""
    given = request.headers.get("authorization", "no token")
    message = f"the identity is not on the list of this authority; got {given}"
    return refused(Refusal(HTTPStatus.BAD_REQUEST, message), request.path)


def _conflict(instance: Instance, request: Request) -> Response:
    """Log the entry, and answer as if it had been there: the first answer was lost."""
    respond(instance, request)
    return respond(instance, request)


def _conflict_with_another(instance: Instance, request: Request) -> Response:
    uuid = instance.rekor1.entry(0).uuid
    location = f"/api/v1/log/entries/{uuid}"
    message = f"an equivalent entry already exists in the transparency log with UUID {uuid}"
    return refused(Refusal(HTTPStatus.CONFLICT, message, location=location), request.path)


def _cut(instance: Instance, request: Request) -> Response:
    """Do what was asked, and hang up before the answer."""
    return replace(respond(instance, request), cut=True)


def _wrong_proof(instance: Instance, request: Request) -> Response:
    """An answer whose inclusion proof leads to another root."""
    response = respond(instance, request)
    document = json.loads(response.body)
    entry = document if "inclusionProof" in document else next(iter(document.values()))
    proof = entry.get("verification", entry).get("inclusionProof")
    if isinstance(proof, dict) and proof.get("hashes"):
        first = proof["hashes"][0]
        proof["hashes"][0] = ("0" if first[0] != "0" else "1") + first[1:]
    return replace(response, body=json.dumps(document).encode())


class _LyingLog(CTLog):
    """Signs with another key than the one that it is known by."""

    def __init__(self, real: CTLog) -> None:
        super().__init__(key=ec.generate_private_key(ec.SECP256R1()))
        self._known_id = real.log_id

    @property
    def log_id(self) -> bytes:
        """That of the log it pretends to be."""
        return self._known_id


def _wrong_sct(instance: Instance, request: Request) -> Response:
    return respond(_certifying(instance, instance.ca, _LyingLog(instance.ctlog)), request)


def _expired(instance: Instance, request: Request) -> Response:
    """A certificate that ended fifty minutes ago."""
    ca = CertificateAuthority(
        intermediate=instance.ca.intermediate,
        root=instance.ca.root,
        clock=lambda: utc_now() - timedelta(hours=1),
    )
    return respond(_certifying(instance, ca, instance.ctlog), request)


def _certifying(instance: Instance, ca: CertificateAuthority, ctlog: CTLog) -> Instance:
    fulcio = Fulcio(
        ca=ca, ctlog=ctlog, tokens=instance.oidc.tokens, issuers=instance.fulcio.issuers
    )
    return replace(instance, fulcio=fulcio)


KINDS: Final[dict[str, Kind]] = {
    "ca-500": Kind(
        words="the certificate authority fails",
        paths=CA_PATHS,
        answer=_refusing(HTTPStatus.INTERNAL_SERVER_ERROR, "the authority is out of order"),
    ),
    "ca-refuses": Kind(
        words="the certificate authority refuses in its own words, and repeats the token",
        paths=CA_PATHS,
        answer=_quoting,
    ),
    "token-refused": Kind(
        words="the certificate authority does not believe the token",
        paths=CA_PATHS,
        answer=_refusing(HTTPStatus.UNAUTHORIZED, "the identity token was revoked"),
    ),
    "expired-certificate": Kind(
        words="the certificate has ended already", paths=CA_PATHS, answer=_expired
    ),
    "wrong-sct": Kind(
        words="the certificate's SCT is signed by nobody we know",
        paths=CA_PATHS,
        answer=_wrong_sct,
    ),
    "tsa-down": Kind(
        words="the timestamp authority is down",
        paths=TSA_PATHS,
        answer=_refusing(HTTPStatus.SERVICE_UNAVAILABLE, "the clock is being wound"),
    ),
    "log-409": Kind(
        words="the log has the entry already, for its first answer was lost",
        paths=LOG_PATHS,
        answer=_conflict,
    ),
    "log-409-other": Kind(
        words="the log says so of an entry that is somebody else's",
        paths=LOG_PATHS,
        answer=_conflict_with_another,
    ),
    "log-500": Kind(
        words="the log fails",
        paths=LOG_PATHS,
        answer=_refusing(HTTPStatus.INTERNAL_SERVER_ERROR, "the log is out of order"),
    ),
    "cut": Kind(words="the log hangs up after it did what was asked", paths=LOG_PATHS, answer=_cut),
    "wrong-proof": Kind(
        words="the log's proof does not lead to its root", paths=LOG_PATHS, answer=_wrong_proof
    ),
    "slow": Kind(words="every service waits N seconds (1)", paths=_EVERY, answer=respond),
}
"""Every fault by its name."""
