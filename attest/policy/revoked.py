"""What is revoked among verified attestations: by the policy under any name, or for everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attest.denied_keys import certifies_denied_key, denied_key
from attest.errors import PolicyFileError
from attest.policy.rules import PolicyFile, Revoked
from attest.verified import KeyIdentity, VerifiedAttestation


def revoked_positions(policy: PolicyFile, attestations: Sequence[VerifiedAttestation]) -> int:
    """The positions of revoked attestations, as the bits of an integer.

    A signature that certainly existed before `since` still counts; one without a verified time
    does not.

    Args:
        policy: names what is revoked, and the keys whose ids it may go by.
        attestations: everything that verified.

    Raises:
        PolicyFileError: `invalid_revocation`, for a certificate that is not named as it must be.

    Source: design, section 7 "Revocation".
    """
    revoked = policy.revoked
    others = _ids_of_names(attestations) if revoked.identities else {}
    lists: tuple[tuple[tuple[Revoked, ...], Callable[[VerifiedAttestation, str], bool]], ...] = (
        (revoked.keys, lambda item, name: name.lower() in _key_ids(policy, item)),
        (revoked.certificates, _is_certificate),
        (revoked.identities, lambda item, name: name.lower() in _principals(item, others)),
        (revoked.log_entries, lambda item, name: name.lower() in _leaves(item)),
    )
    positions = 0
    for entries, goes_by in lists:
        for entry in entries:
            for at, item in enumerate(attestations):
                if goes_by(item, entry.value) and _since(entry, item):
                    positions |= 1 << at
    return positions


def denied_positions(attestations: Sequence[VerifiedAttestation]) -> int:
    """The positions of attestations by keys that everybody has, as the bits of an integer.

    No policy needs to revoke these, and none can let them count.

    Args:
        attestations: everything that verified.
    """
    return sum(1 << at for at, item in enumerate(attestations) if _is_denied(item))


def _is_denied(attestation: VerifiedAttestation) -> bool:
    if attestation.certificate is not None:
        return certifies_denied_key(attestation.certificate.der)
    signer = attestation.signer
    return isinstance(signer, KeyIdentity) and denied_key(signer.key_id) is not None


def _since(entry: Revoked, attestation: VerifiedAttestation) -> bool:
    """Whether a revocation reaches an attestation that goes by its name."""
    since = entry.since
    return since is None or not any(item.time < since for item in attestation.times)


def _key_ids(policy: PolicyFile, attestation: VerifiedAttestation) -> frozenset[str]:
    """Every id of the key that signed, whether it was given or a certificate vouches for it."""
    if attestation.certificate is not None:
        from attest.keys import PublicKey

        return PublicKey.from_der(attestation.certificate.spki).ids
    signer = attestation.signer
    if not isinstance(signer, KeyIdentity):
        return frozenset()
    given = (key.ids for key in policy.keys if key.key_id.hex() == signer.key_id)
    return frozenset({signer.key_id}).union(*given)


def _is_certificate(attestation: VerifiedAttestation, name: str) -> bool:
    certificate = attestation.certificate
    if certificate is None:
        return False
    if "#" not in name:
        return name.lower() in (certificate.tbs_sha256.hex(), certificate.sha256.hex())
    try:
        return certificate.is_issued_as(name)
    except ValueError:
        raise PolicyFileError(
            "invalid_revocation",
            f"{name!r} names no certificate",
            where="revoked.certificates",
            hint="write ISSUER#SERIAL: a name as in RFC 4514, and the serial number in hex",
        ) from None


def _principals(
    attestation: VerifiedAttestation, others: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Every principal that an attestation may be by.

    A certificate that leaves out its repository's id cannot be told from those that have one and
    name the same workflow: what revokes any of them revokes it.
    """
    identity = attestation.identity
    if identity is None:
        return frozenset({attestation.signer.principal.lower()})
    named = identity.named_principal
    names = identity.names
    if identity.principal == named:
        names |= others.get(named, frozenset())
    return frozenset(name.lower() for name in names)


def _ids_of_names(attestations: Sequence[VerifiedAttestation]) -> dict[str, frozenset[str]]:
    """The principals with ids that there are of each workflow, by the principal that names it."""
    ids: dict[str, frozenset[str]] = {}
    for item in attestations:
        identity = item.identity
        if identity is not None and identity.principal != identity.named_principal:
            named = identity.named_principal
            known = ids.get(named, frozenset())
            ids[named] = known | {name for name in identity.names if name.startswith("workflow:")}
    return ids


def _leaves(attestation: VerifiedAttestation) -> frozenset[str]:
    return frozenset(entry.leaf_hash.hex() for entry in attestation.log_entries)
