"""What `sigstore` says of the evidence that the engine's tests accept, and where it may differ."""

from __future__ import annotations

import warnings
from functools import cache

from attest.engine.content import ArtifactContent, PackContent
from tests.engine.virtual_evidence import ACCEPTED
from tests.engine.virtual_instance import ROOT_FILES
from tests.peer import Peer

#: Tests whose evidence `sigstore` refuses, and the heading in docs/differences.md that says why.
DIFFERING = {
    "test_a_body_in_another_layout_of_the_same_certificate": "certificate-layout",
    "test_a_ca_that_the_bundle_brings_is_not_trusted[0.3]": "chain-in-v03",
    "test_a_checkpoint_names_its_key_as_the_root_does[evidence0-0]": "checkpoint-key-ids",
    "test_a_checkpoint_names_its_key_as_the_root_does[evidence1-1]": "checkpoint-key-ids",
    "test_a_good_leaf_passes[ed25519]": "other-keys",
    "test_a_good_leaf_passes[p384]": "other-keys",
    "test_a_good_leaf_passes[p521]": "other-keys",
    "test_a_good_leaf_passes[rsa]": "other-keys",
    "test_a_key_needs_a_log_entry_under_every_profile[root1]": "instance-profiles",
    "test_a_keyless_bundle_is_never_taken_for_the_keys[intoto 0.0.2]": "intoto-entries",
    "test_a_profile_without_a_log_takes_a_timestamp_and_gives_no_level_2": "instance-profiles",
    "test_a_promise_alone_serves_in_version_01_only_and_is_no_proof": "promise-alone",
    "test_a_second_promise[again]": "several-scts",
    "test_a_second_promise[unknown counts for nothing]": "several-scts",
    "test_a_statement_about_this_artifact[sha384]": "other-digests",
    "test_a_statement_about_this_artifact[sha512 only]": "other-digests",
    "test_a_user_name_is_a_name": "user-names",
    "test_an_intoto_entry_has_a_set_and_two_indexes_as_all_of_v1_have": "intoto-entries",
    "test_an_unknown_log_beside_a_known_one_counts_for_nothing": "several-log-entries",
    "test_any_window_of_the_same_key_serves[timestamp authority-ends are inside]": "last-moment",
    "test_any_window_of_the_same_key_serves[timestamp authority-the last]": "last-moment",
    "test_lines_of_others_are_ignored_in_any_order[evidence0-0-True]": "checkpoint-key-ids",
    "test_lines_of_others_are_ignored_in_any_order[evidence1-1-True]": "checkpoint-key-ids",
    "test_numbers_may_be_numbers_too": "integers-as-numbers",
    "test_old_bundles_pass_in_full_form": "chain-in-v03",
    "test_proofs_are_counted_by_operator[hosts]": "several-log-entries",
    "test_proofs_are_counted_by_operator[named as the other's host]": "several-log-entries",
    "test_proofs_are_counted_by_operator[no name]": "several-log-entries",
    "test_proofs_are_counted_by_operator[one by name, one by host]": "several-log-entries",
    "test_proofs_are_counted_by_operator[one in two spellings]": "several-log-entries",
    "test_proofs_are_counted_by_operator[one of all]": "several-log-entries",
    "test_proofs_are_counted_by_operator[one of the authorities]": "several-log-entries",
    "test_proofs_are_counted_by_operator[addresses]": "several-log-entries",
    "test_proofs_are_counted_by_operator[hosts of one domain]": "several-log-entries",
    "test_proofs_are_counted_by_operator[named by a domain]": "several-log-entries",
    "test_proofs_are_counted_by_operator[one of the logs]": "several-log-entries",
    "test_proofs_are_counted_by_operator[two of each]": "several-log-entries",
    "test_an_envelope_may_be_logged_by_its_hash": "envelopes-by-hash",
    "test_what_an_intoto_entry_leaves_open": "intoto-entries",
    "test_windows_of_a_timestamp_authority_include_their_ends[True]": "last-moment",
}


@cache
def peer(root: bytes, identity: str, issuer: str) -> Peer:
    return Peer(ROOT_FILES[root], identity=identity, issuer=issuer)


def digest_of(content: PackContent | ArtifactContent) -> bytes:
    if isinstance(content, PackContent):
        return content.manifest_digest
    return content.digest_of("sha256") or b""


def objections() -> list[str]:
    """What `sigstore` has against the bundles that were accepted."""
    found: list[str] = []
    for data, content, root, attestation in ACCEPTED:
        identity = attestation.identity
        if identity is None:
            continue  # `sigstore` verifies no signatures by keys
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd certificates, as the command does
            verifier = peer(root.sha256, identity.subject, identity.issuer)
            objection = verifier.objection(data, digest_of(content))
        if objection is not None:
            found.append(objection)
    return found
