"""Several processes sign the same packs at the same time: nobody's attestation is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from attest.api.verify import verify
from attest.pack.builder import build_pack
from attest.pack.reader import open_pack
from attest.policy.model import Policy, Signer
from attest.sandbox import Sandbox
from attest.trust.root import TrustRoot

ISSUER = "https://accounts.google.com"
#: Signs packs with tokens, in the order given, and prints what became of each.
_PROCESS = """
import json, sys
from attest.api.sign import sign
from attest.oidc import IdentityToken
from attest.signing.instance import SigningInstance

work = json.load(sys.stdin)
instance = SigningInstance.from_file(work["config"])
for pack, token in work["signings"]:
    signed = sign(pack, token=IdentityToken.from_text(token), instance=instance)
    print(json.dumps([pack, signed.entry, signed.kept]))
"""


def sign_at_once(
    sandbox: Sandbox, work: list[list[tuple[str, str]]]
) -> list[tuple[str, str, bool]]:
    """Let one process for each list sign; what became of each signing: pack, entry, kept."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in work
    ]
    for process, signings in zip(processes, work, strict=True):
        assert process.stdin is not None
        process.stdin.write(json.dumps({"config": str(sandbox.trust_config), "signings": signings}))
        process.stdin.close()
        process.stdin = None
    made: list[tuple[str, str, bool]] = []
    for process in processes:
        out, err = process.communicate(timeout=600)
        assert (process.returncode, err) == (0, "")
        made += [(pack, entry, kept) for pack, entry, kept in map(json.loads, out.splitlines())]
    return made


def packs(folder: Path, count: int) -> list[Path]:
    (folder / "log.txt").write_text("all 214 tests passed\n")
    made = [folder / f"{number}.epack" for number in range(count)]
    for path in made:
        build_pack(path, [folder / "log.txt"], stream=f"acme/{path.stem}")
    return made


@pytest.mark.parametrize(
    ("processes", "targets", "people"),
    [(4, 2, 6), pytest.param(8, 10, 20, marks=pytest.mark.full)],
)
def test_every_attestation_is_there_and_valid(
    sandbox: Sandbox, tmp_path: Path, processes: int, targets: int, people: int
) -> None:
    paths = packs(tmp_path, targets)
    who = [f"person{number}@acme.example" for number in range(people)]
    signings = [(str(path), sandbox.person_token(email=email)) for email in who for path in paths]
    # Neighbours in the list go to different processes, so that all are at the same pack at once.
    made = sign_at_once(sandbox, [signings[number::processes] for number in range(processes)])
    assert len(made) == len(signings) == targets * people
    assert not any(kept for *_, kept in made)
    root = TrustRoot.from_file(sandbox.trusted_root)
    for path in paths:
        with open_pack(path) as pack:
            assert len(pack.attestation_names) == people
        for email in who:
            signer = Signer(identity=email, issuer=ISSUER)
            assert verify(path, policy=Policy.any_of(signer), trust=root).result == "pass"
    assert {path.name for path in tmp_path.iterdir()} == {"log.txt", *(p.name for p in paths)}


def test_the_same_person_in_several_processes_signs_once(sandbox: Sandbox, tmp_path: Path) -> None:
    (path,) = packs(tmp_path, 1)
    token = sandbox.person_token()
    made = sign_at_once(sandbox, [[(str(path), token)]] * 4)
    with open_pack(path) as pack:
        (name,) = pack.attestation_names
    assert [entry for _, entry, _ in made] == [name] * 4
    assert sorted(kept for *_, kept in made) == [False, True, True, True]
