"""Identity tokens that a CI system gives to its jobs: which one we are in, and asking it.

The `id` library does the asking. It reads the variables of its systems from the process itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from attest.errors import AttestError, MalformedEvidence, SigningError, UsageError
from attest.files import read_file
from attest.oidc import AUDIENCE, IdentityToken
from attest.signing.failures import redact, unreachable
from attest.strictjson import JSON, loads

System: TypeAlias = Literal["github-actions", "google-cloud", "buildkite", "gitlab", "circleci"]

#: What says that a process is a job of a system. Outside of them the `id` library is not asked:
#: on any machine of Google's cloud it would sign as that machine without anybody's wish.
_SIGNS: Mapping[System, tuple[str, ...]] = {
    "github-actions": ("GITHUB_ACTIONS",),
    "gitlab": ("GITLAB_CI",),
    "buildkite": ("BUILDKITE",),
    "circleci": ("CIRCLECI",),
    # Cloud Build sets the second one.
    "google-cloud": ("GOOGLE_SERVICE_ACCOUNT_NAME", "BUILDER_OUTPUT"),
}
_NAMES: Mapping[System, str] = {
    "github-actions": "GitHub Actions",
    "gitlab": "GitLab",
    "buildkite": "Buildkite",
    "circleci": "CircleCI",
    "google-cloud": "Google Cloud",
}
#: What to do where no token comes: a sentence, and where there are any the lines to add.
_REMEDIES: Mapping[System, str] = {
    "github-actions": "add these lines to the job in its workflow file (and, if it is called as a"
    " reusable workflow, to the calling job):\n"
    "permissions:\n  id-token: write\n  contents: read",
    "gitlab": "add these lines to the job in .gitlab-ci.yml:\n"
    f"id_tokens:\n  SIGSTORE_ID_TOKEN:\n    aud: {AUDIENCE}",
    "buildkite": "run the step where buildkite-agent is in PATH; for a step in a container add"
    " this line to its docker plugin:\nmount-buildkite-agent: true",
    "circleci": "run the job on CircleCI's own image, and give it a context in the workflow, with"
    " which tokens come:\n- sign:\n    context: [signing]",
    "google-cloud": "let the job's service account create OpenID Connect tokens"
    " (roles/iam.serviceAccountOpenIdTokenCreator) of the account that it names",
}
_GOOGLE = "https://accounts.google.com"
#: GitHub's description of an event holds a whole pull request, some hundred KB at the most.
_LARGEST_EVENT = 8 * 1_048_576


def system_of(environ: Mapping[str, str]) -> System | None:
    """The CI system that this process is a job of; None outside of those that give tokens."""
    for system, names in _SIGNS.items():
        if any(environ.get(name) for name in names):
            return system
    return None


def ask(system: System, environ: Mapping[str, str]) -> str:
    """A token of the job that this process is part of.

    Args:
        system: as `system_of` tells it.
        environ: the environment; the same as the process's, which the library reads.

    Raises:
        SigningError: `ambient_permission_missing`, `ambient_fork`, `ambient_refused`.
        NetworkError: `network_unreachable`.

    Source: Evidence Pack R-091.
    """
    secret = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN") or ""
    if system == "github-actions" and not (secret and environ.get("ACTIONS_ID_TOKEN_REQUEST_URL")):
        raise _fork() if _is_from_fork(environ) else _permission_missing(system)
    # Of GitLab the library only reads this variable, and on some machines another's token instead.
    if system == "gitlab":
        if not (given := environ.get("SIGSTORE_ID_TOKEN")):
            raise _permission_missing(system)
        return given

    import id as ambient  # the library's name hides a builtin

    try:
        found = ambient.detect_credential(AUDIENCE)
    # Beside its own errors the library lets those of its HTTP client and decoders pass.
    except Exception as error:  # noqa: BLE001
        raise unreachable(error, f"the token service of {_NAMES[system]}") or _refused(
            system, error, secret
        ) from None
    if found is None:
        raise _permission_missing(system)
    _require_own(system, found)
    return found


def _require_own(system: System, text: str) -> None:
    """Refuse the token of the machine that a job runs on, which the library looks for first."""
    if system in ("buildkite", "circleci") and IdentityToken.from_text(text).issuer == _GOOGLE:
        raise SigningError(
            "ambient_refused",
            f"the token found is that of the machine, not of the {_NAMES[system]} job",
            hint="request the job's token with its own tool, and give it by --identity-token -",
        )


def _permission_missing(system: System) -> SigningError:
    return SigningError(
        "ambient_permission_missing",
        f"this {_NAMES[system]} job may not request an identity token",
        hint=_REMEDIES[system],
    )


def _fork() -> SigningError:
    return SigningError(
        "ambient_fork",
        "this run is for a pull request from a fork, to which GitHub gives no identity token",
        hint="no permission changes that; sign in a run on push, after the pull request is merged",
    )


def _refused(system: System, error: BaseException, secret: str) -> AttestError:
    # The library quotes the whole answer, in which anything may stand.
    text = redact(str(error).partition("body=")[0].rstrip(" ,("), [secret])
    return SigningError(
        "ambient_refused",
        f"the token service of {_NAMES[system]} gave no usable token: {text}",
        hint=_REMEDIES[system],
    )


def _is_from_fork(environ: Mapping[str, str]) -> bool:
    """Whether GitHub says that the run is for a pull request from another repository.

    False where what it says cannot be read: then the usual advice is given.
    """
    path = environ.get("GITHUB_EVENT_PATH")
    if environ.get("GITHUB_EVENT_NAME") != "pull_request" or not path:
        return False
    try:
        event = loads(read_file(path, limit=_LARGEST_EVENT), where=path)
    except (MalformedEvidence, UsageError):
        return False
    pull = _member(event, "pull_request")
    head, base = _member(pull, "head"), _member(_member(pull, "base"), "repo")
    theirs = head.get("repo", ...) if isinstance(head, dict) else ...
    if theirs is None:  # deleted meanwhile, as only a fork can be
        return True
    if not isinstance(theirs, dict) or not isinstance(base, dict):
        return False
    numbers = theirs.get("id"), base.get("id")
    return all(isinstance(number, int) for number in numbers) and numbers[0] != numbers[1]


def _member(value: JSON, name: str) -> JSON:
    return value.get(name) if isinstance(value, dict) else None
