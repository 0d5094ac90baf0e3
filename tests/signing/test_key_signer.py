"""A log that has an entry and shows it to nobody: what a key that signs the same is told."""

from __future__ import annotations

from typing import Never, cast

import pytest

from attest.errors import SigningError
from attest.signing.config import Services
from attest.signing.keyed import KeyedSigner
from attest.signing.submit import Submitter
from attest.signing.work import SignedWork
from tests.signing.test_sign_by_key import file_key


class Forgetful:
    """A log that has the entry already and does not say where."""

    services = Services(timestamp_authorities=(), logs=())

    def timestamp(self, work: SignedWork) -> SignedWork:
        return work

    def complete(self, _work: SignedWork) -> Never:
        raise SigningError("log_has_entry", "it is there", hint="sign again")


def test_signing_again_is_no_advice_to_a_key_that_signs_the_same_each_time() -> None:
    signer = KeyedSigner(key=file_key("p256"), submitter=cast("Submitter", Forgetful()))
    with pytest.raises(SigningError) as caught:
        signer.sign_digest(bytes(32))
    assert caught.value.code == "log_has_entry"
    assert "signs the same each time" in (caught.value.hint or "")
