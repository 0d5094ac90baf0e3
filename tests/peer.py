"""The verdict of `sigstore`'s own verifier on the same evidence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from sigstore.hashes import Hashed
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
from sigstore_models.common.v1 import HashAlgorithm

from attest.dsse import IN_TOTO_PAYLOAD_TYPE


class Peer:
    """`sigstore`'s verifier under one trusted root, for signers named exactly."""

    def __init__(self, trusted_root: bytes, *, identity: str, issuer: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trusted_root.json"
            path.write_bytes(trusted_root)
            self._verifier = Verifier(trusted_root=TrustedRoot.from_file(str(path)))
        self._policy = policy.Identity(identity=identity, issuer=issuer)

    def objection(self, bundle: bytes, sha256: bytes) -> str | None:
        """Why it rejects a bundle for the artifact or manifest with a digest, or None.

        Whatever it raises is a rejection: parsing errors have no common base there.
        """
        try:
            parsed = Bundle.from_json(bundle)
            if "messageSignature" in json.loads(bundle):
                hashed = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=sha256)
                self._verifier.verify_artifact(hashed, parsed, self._policy)
                return None
            kind, payload = self._verifier.verify_dsse(parsed, self._policy)
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        # It leaves the statement to its caller; this is what its own command then looks at.
        if kind != IN_TOTO_PAYLOAD_TYPE:
            return f"payload type {kind}"
        digests = [item["digest"].get("sha256") for item in json.loads(payload)["subject"]]
        return None if sha256.hex() in digests else "no subject has the digest"
