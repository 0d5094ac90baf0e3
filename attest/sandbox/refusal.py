"""What a service answers when it says no; the HTTP layer turns it into a response."""

from __future__ import annotations

from http import HTTPStatus


class SandboxError(Exception):
    """The sandbox itself cannot run: bad directory, foreign state, a forbidden address."""


class Refusal(Exception):
    """A request was refused.

    Args:
        status: the HTTP status the client gets.
        message: why, in words; never contains a token.
        location: for a duplicate log entry, the path of the one already there.
    """

    def __init__(self, status: HTTPStatus, message: str, *, location: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.location = location


class OAuthRefusal(Refusal):
    """A refusal in the vocabulary of RFC 6749, section 5.2 (`invalid_grant` and friends)."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, message)
        self.error = error


def bad_request(message: str) -> Refusal:
    """A 400 with this reason."""
    return Refusal(HTTPStatus.BAD_REQUEST, message)


def unauthenticated(message: str) -> Refusal:
    """A 401 with this reason."""
    return Refusal(HTTPStatus.UNAUTHORIZED, message)


def not_found(message: str) -> Refusal:
    """A 404 with this reason."""
    return Refusal(HTTPStatus.NOT_FOUND, message)
