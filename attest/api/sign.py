"""Sign packs, files and digests: checked first, signed, verified, and only then written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from attest.api.sign_pack import Identity, PackAttestations, entry_name, identity_of
from attest.api.target import BUNDLE_SUFFIX, NamedTarget, name_target, read_bundle
from attest.atomic import replace_file, write_new
from attest.bundle import parse_bundle
from attest.digest import Algorithm, Digests, of_stream
from attest.engine.content import ArtifactContent, PackContent
from attest.engine.trace import Trace
from attest.engine.verify import verify_bundle
from attest.errors import AttestError, MalformedEvidence, SigningError, UsageError
from attest.errors import VerificationFailed
from attest.limits import DEFAULT_LIMITS, Limits
from attest.oidc import IdentityToken
from attest.pack.archive import open_file
from attest.pack.reader import open_pack
from attest.pack.writer import add_attestation
from attest.signing import Signer
from attest.signing.instance import SigningInstance
from attest.statement import pack_statement
from attest.trust.instance import InstanceProfile
from attest.trust.root import TrustRoot
from attest.verified import VerifiedAttestation, VerifiedLogEntry
