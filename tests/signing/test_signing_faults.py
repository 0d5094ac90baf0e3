"""Services that fail: the right code, nothing written, and nothing lost that was logged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attest.api.sign import sign
from attest.api.verify import verify
from attest.errors import AttestError, NetworkError, SigningError
from attest.oidc import IdentityToken
from attest.policy.model import Policy, Signer
from attest.sandbox import Sandbox, SandboxError
from attest.sandbox.faults import KINDS
from attest.signing.instance import SigningInstance
from attest.signing.keyless import open_keyless_signer
from attest.signing.transport import Patience
from attest.trust.root import TrustRoot

ANA = Signer(identity="ana@acme.example", issuer="https://accounts.google.com")
#: As patient as needs be, without the pauses that people need.
HURRIED = Patience(attempts=4, pause_seconds=0.001, total_seconds=20)


@pytest.fixture(autouse=True)
def _working(sandbox: Sandbox) -> Iterator[None]:
    yield
    sandbox.faults.clear()


def everything(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def entries(sandbox: Sandbox) -> int:
    return sandbox.instance.rekor1.size + sandbox.instance.rekor2.size


#: Fault -> code, class, and whether the log may have heard of it.
FAILING: list[tuple[str, str, type[AttestError], bool]] = [
    ("ca-500", "certificate_refused", SigningError, False),
    ("ca-refuses", "certificate_refused", SigningError, False),
    ("token-refused", "certificate_refused", SigningError, False),
    ("expired-certificate", "certificate_expired", SigningError, False),
    ("wrong-sct", "certificate_untrusted", SigningError, False),
    ("tsa-down", "timestamp_missing", SigningError, False),
    ("log-409-other", "log_entry_not_ours", SigningError, False),
    ("log-500", "log_unavailable", SigningError, False),
    ("cut:4", "network_unreachable", NetworkError, True),
    ("wrong-proof", "signed_bundle_invalid", SigningError, True),
]


@pytest.mark.parametrize(("fault", "code", "kind", "logged"), FAILING)
def test_a_fault_has_its_code_and_nothing_is_written(
    sandbox: Sandbox,
    tmp_path: Path,
    pack: Path,
    person: IdentityToken,
    instance: SigningInstance,
    fault: str,
    code: str,
    kind: type[AttestError],
    *,
    logged: bool,
) -> None:
    before, size = everything(tmp_path), entries(sandbox)
    sandbox.faults.inject(fault)
    with pytest.raises(AttestError) as caught:
        sign(pack, token=person, instance=instance)
    assert (type(caught.value), caught.value.code, caught.value.exit_code) == (kind, code, 2)
    assert everything(tmp_path) == before
    assert logged == (entries(sandbox) > size)


def test_every_fault_is_tried() -> None:
    tried = {fault.partition(":")[0] for fault, *_ in FAILING}
    assert tried | {"slow", "log-409"} == set(KINDS)


@pytest.mark.parametrize("fault", ["log-409", "log-500:2", "cut:1", "tsa-down:2", "slow:1"])
def test_what_passes_is_survived(
    sandbox: Sandbox, pack: Path, person: IdentityToken, instance: SigningInstance, fault: str
) -> None:
    size = entries(sandbox)
    sandbox.faults.inject(fault)
    sign(pack, token=person, instance=instance)
    assert entries(sandbox) == size + 1
    root = TrustRoot.from_file(sandbox.trusted_root)
    assert verify(pack, policy=Policy.any_of(ANA), trust=root).result == "pass"


def test_the_authoritys_own_words_are_shown_and_the_token_is_not(
    sandbox: Sandbox, pack: Path, person: IdentityToken, instance: SigningInstance
) -> None:
    sandbox.faults.inject("ca-refuses")
    with pytest.raises(SigningError) as caught:
        sign(pack, token=person, instance=instance)
    shown = f"{caught.value} {caught.value.hint}"
    assert "the identity is not on the list of this authority" in shown
    assert not any(part in shown for part in person.reveal().split("."))


def test_a_certificate_is_not_asked_for_twice(
    sandbox: Sandbox, person: IdentityToken, instance: SigningInstance
) -> None:
    sandbox.faults.inject("ca-500:1")
    with (
        pytest.raises(SigningError) as caught,
        open_keyless_signer(person, instance, patience=HURRIED),
    ):
        pass
    assert caught.value.code == "certificate_refused"


def test_a_service_that_is_too_slow_is_given_up(
    sandbox: Sandbox, person: IdentityToken, instance: SigningInstance
) -> None:
    sandbox.faults.inject("slow:5")
    begin = time.monotonic()
    with (
        pytest.raises(NetworkError) as caught,
        open_keyless_signer(person, instance, patience=Patience(total_seconds=0.3)),
    ):
        pass
    assert caught.value.code == "network_unreachable"
    assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("log-409-other", "log_has_entry"),
        ("log-500", "log_unavailable"),
        ("tsa-down", "timestamp_missing"),
    ],
)
def test_a_v2_log_that_fails(
    sandbox: Sandbox, person: IdentityToken, fault: str, code: str
) -> None:
    instance = SigningInstance.from_file(sandbox.trust_config_v2)
    with open_keyless_signer(person, instance, patience=HURRIED) as signer:
        sandbox.faults.inject(fault)
        with pytest.raises(SigningError) as caught:
            signer.sign_digest(bytes(32))
    assert caught.value.code == code


@pytest.mark.parametrize("fault", ["log-409", "log-500:2", "cut:1"])
def test_what_passes_at_a_v2_log_is_survived(
    sandbox: Sandbox, pack: Path, person: IdentityToken, fault: str
) -> None:
    size = entries(sandbox)
    sandbox.faults.inject(fault)
    sign(pack, token=person, instance=SigningInstance.from_file(sandbox.trust_config_v2))
    assert entries(sandbox) == size + 1


@pytest.mark.parametrize("fault", ["wrong-proof", "log-409-other", "tsa-down"])
def test_a_v2_log_s_lies_reach_no_file(
    sandbox: Sandbox, pack: Path, person: IdentityToken, fault: str, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    instance = SigningInstance.from_file(sandbox.trust_config_v2)
    sandbox.faults.inject(fault)
    with pytest.raises(SigningError):
        sign(pack, token=person, instance=instance)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("text", ["", "log", "log-500:", "log-500:0", "log-500:-1", "log-500:x"])
def test_what_is_no_fault(sandbox: Sandbox, text: str) -> None:
    with pytest.raises(SandboxError):
        sandbox.faults.inject(text)


def test_faults_from_the_start(tmp_path: Path) -> None:
    with Sandbox.start(tmp_path / "failing", faults=["tsa-down"]) as failing:
        token = IdentityToken.from_text(failing.person_token())
        instance = SigningInstance.from_file(failing.trust_config)
        with open_keyless_signer(token, instance, patience=HURRIED) as signer:
            with pytest.raises(SigningError) as caught:
                signer.sign_digest(bytes(32))
            failing.faults.clear()
            assert json.loads(signer.sign_digest(bytes(32)))
    assert caught.value.code == "timestamp_missing"
