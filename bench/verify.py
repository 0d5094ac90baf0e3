"""Time verification against `sigstore`, in the same run: cold as commands, hot in a loop.

    python bench/verify.py [--rounds N]

Prints seconds or milliseconds per verification of both, the median of the paired ratios, and the
floor: what the signature checks of a bundle cost that no verifier can leave out.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy

from attest.api.identity import instance_of
from attest.api.sign import sign
from attest.bundle import parse_bundle
from attest.claims import read_identity
from attest.dsse import UntrustedEnvelope
from attest.engine.content import ArtifactContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.oidc import IdentityToken
from attest.pack.builder import build_pack
from attest.pack.reader import open_pack
from attest.sandbox import Sandbox
from attest.shared_data import shared_folder
from attest.strictjson import canonicalize, loads
from attest.trust.root import TrustRoot

PERSON = "ana@acme.example"
ISSUER = "https://accounts.google.com"
#: Bundles in turn, each with a certificate and timestamp of its own: more than the engine keeps
#: results of, so that every verification does the whole work.
BUNDLES = 70
REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Bundles with the content that they sign and the root that they verify under."""

    name: str
    bundles: tuple[Path, ...]
    content: Path
    root: Path
    config: Path | None = None

    @property
    def bundle(self) -> Path:
        """The first, where one will do."""
        return self.bundles[0]


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="paired rounds of each comparison")
    measure(parser.parse_args().rounds)


def measure(rounds: int) -> None:
    """Run both comparisons, in so many rounds."""
    with tempfile.TemporaryDirectory() as folder:
        pack, cases = prepare(Path(folder))
        cold(pack, cases[0], rounds)
        print(f"\nfloor: one P-384 and four P-256 checks {floor() * 1000:.2f} ms")
        for case in [*cases, *real_cases()]:
            hot(case, rounds)


def prepare(folder: Path) -> tuple[Path, list[Case]]:
    """Sign a small pack with the sandbox, for each kind of log with many certificates."""
    packs: list[Path] = []
    cases: list[Case] = []
    with Sandbox.start(folder / "sandbox") as sandbox:
        configs = {
            "v1": sandbox.trust_config_v1_only,
            "v1+TSA": sandbox.trust_config,
            "v2+TSA": sandbox.trust_config_v2,
        }
        for name, config in configs.items():
            pack = folder / f"{name}.epack"
            build_pack(pack, [shared_folder("evidence")], stream="acme/prod")
            signed = [Path(shutil.copy(pack, folder / f"{name}-{n}.epack")) for n in range(BUNDLES)]
            for copy in signed:
                token = IdentityToken.from_text(sandbox.person_token(email=PERSON))
                sign(copy, token=token, instance=instance_of(None, str(config)))
            packs.append(signed[0])
            pairs = [unpack(copy) for copy in signed]
            cases.append(
                Case(
                    name=f"sandbox {name} DSSE",
                    bundles=tuple(bundle for _, bundle in pairs),
                    content=pairs[0][0],
                    root=sandbox.trusted_root,
                    config=config,
                )
            )
    return packs[0], cases


def unpack(pack: Path) -> tuple[Path, Path]:
    """The canonical manifest of a pack and its attestation, as files that `sigstore` can read."""
    bundle = pack.with_suffix(".sigstore.json")
    content = pack.with_suffix(".manifest")
    with open_pack(pack) as opened:
        bundle.write_bytes(opened.read_attestation(opened.attestation_names[0]))
        content.write_bytes(canonicalize(loads(opened.manifest_bytes, where="manifest")))
    return content, bundle


def real_cases() -> list[Case]:
    """Bundles of the public instance, where they are at hand."""
    if not REAL.is_dir():
        print(f"no public-good bundles: {REAL.name} is not there")
        return []
    embedded = Path(sys.modules[TrustRoot.__module__].__file__ or "").parent / "embedded"
    root = embedded / "sigstore" / "trusted_root.json"
    names = ("happy-path-v0.3", "happy-path-intoto-in-dsse-v3")
    return [
        Case(
            name=f"public good v1 {name}, one bundle over and over (results are kept)",
            bundles=(REAL / name / "bundle.sigstore.json",),
            content=REAL / "a.txt",
            root=root,
        )
        for name in names
    ]


def cold(pack: Path, case: Case, rounds: int) -> None:
    """Whole processes: `attest verify` against `sigstore verify identity` of the same bundle."""
    attest = [sys.executable, "-m", "attest", "verify"]
    trust = ["--trusted-root", str(case.root), "--identity", PERSON, "--issuer", ISSUER]
    file = [str(case.content), "--bundle", str(case.bundle)]
    theirs = [sys.executable, "-m", "sigstore", "--trust-config", str(case.config)]
    theirs += ["verify", "identity", "--bundle", str(case.bundle), "--cert-identity", PERSON]
    theirs += ["--cert-oidc-issuer", ISSUER, str(case.content)]
    for name, target in (("one bundle", file), ("a small pack", [str(pack)])):
        ours = [*attest, *target, *trust]
        title = f"cold verify of {name}"
        compare(title, partial(run, ours), partial(run, theirs), rounds, "s")


def run(command: list[str]) -> None:
    """One process that must succeed."""
    subprocess.run(command, check=True, capture_output=True)


def hot(case: Case, rounds: int) -> None:
    """Parse and verify bundles in turn, trust material loaded."""
    content = case.content.read_bytes()
    every = [path.read_bytes() for path in case.bundles]
    data, turns = every[0], max(1, 50 // len(every))
    root = TrustRoot.from_file(case.root)
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(case.root)))
    leaf = parse_bundle(data).certificate or b""
    who = read_identity(x509.load_der_x509_certificate(leaf))
    signer = policy.Identity(identity=who.subject, issuer=who.issuer)
    enveloped = isinstance(parse_bundle(data).content, UntrustedEnvelope)
    artifact = ArtifactContent(digest_of=lambda name: hashlib.new(name, content).digest())

    def ours() -> None:
        for data in every * turns:
            verify_bundle(parse_bundle(data), artifact, root, Trace())

    def theirs() -> None:
        for data in every * turns:
            bundle = Bundle.from_json(data)
            if enveloped:
                verifier.verify_dsse(bundle, signer)
            else:
                verifier.verify_artifact(content, bundle, signer)

    compare(f"hot {case.name}", ours, theirs, rounds, "ms", count=len(every) * turns)


def compare(
    name: str,
    ours: Callable[[], None],
    theirs: Callable[[], None],
    rounds: int,
    unit: str,
    *,
    count: int = 1,
) -> None:
    """Run both in turn and print the medians and the median of the paired ratios."""
    scale = (1000 if unit == "ms" else 1) / count
    pairs = [(timed(ours), timed(theirs)) for _ in range(rounds + 1)][1:]
    ratio = statistics.median(mine / peer for mine, peer in pairs)
    mine = statistics.median(mine for mine, _ in pairs) * scale
    peer = statistics.median(peer for _, peer in pairs) * scale
    print(f"{name}: attest {mine:.3f} {unit}, sigstore {peer:.3f} {unit}, ratio {ratio:.2f}")


def timed(work: Callable[[], None]) -> float:
    """Seconds that a piece of work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def floor() -> float:
    """Seconds of the bare signature checks of a public-good v1 bundle."""
    checks = [bare_check(ec.SECP384R1(), hashes.SHA384())]
    checks += [bare_check(ec.SECP256R1(), hashes.SHA256()) for _ in range(4)]

    def all_checks() -> None:
        for check in checks:
            check()

    return statistics.median(timed(all_checks) for _ in range(200))


def bare_check(curve: ec.EllipticCurve, digest: hashes.HashAlgorithm) -> Callable[[], None]:
    """One signature check and nothing else."""
    message, scheme = b"x" * 1000, ec.ECDSA(digest)
    private = ec.generate_private_key(curve)
    signature, public = private.sign(message, scheme), private.public_key()
    return lambda: public.verify(signature, message, scheme)


if __name__ == "__main__":
    main()
