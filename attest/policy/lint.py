"""What is allowed in a policy and yet seldom meant: rules that let in more than they seem to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from attest.denied_keys import denied_key
from attest.errors import AttestError
from attest.policy.breadth import (
    as_glob,
    email_is_open_to_all,
    every_ref,
    is_ci,
    names_no_repository,
    open_owner,
    open_repository,
    open_workflow,
    repository_alone,
)
from attest.policy.match import matches
from attest.policy.rules import CertificateSigner, FieldRule, KeySigner, PolicyFile, Position
from attest.policy.shadows import shadowed

Level: TypeAlias = Literal["error", "warning", "note"]

#: A policy that ends sooner wants its successor now.
SOON = timedelta(days=30)
#: With it begins the description of a policy that was drafted from evidence and not reviewed.
FIRST_USE = "Trust on first use"


@dataclass(frozen=True, kw_only=True, slots=True)
class LintRule:
    """One thing that is looked for; `about` says why it matters."""

    level: Level
    about: str


#: Every rule by its stable code.
RULES: Mapping[str, LintRule] = {
    "expired": LintRule(level="error", about="The policy has expired: it decides nothing."),
    "wildcard_owner": LintRule(
        level="error", about="A pattern leaves the owner open: anybody can make such a repository."
    ),
    "shared_email_domain": LintRule(
        level="error", about="Anybody can get an e-mail address that the pattern matches."
    ),
    "development_key": LintRule(
        level="error", about="Everybody has the key, so that it never counts, here or elsewhere."
    ),
    "broad_repository": LintRule(
        level="warning", about="Every repository of an owner, or any at all, may sign."
    ),
    "any_workflow": LintRule(
        level="warning", about="Every workflow of the repository may sign, also a new one."
    ),
    "broad_ref": LintRule(
        level="warning", about="Every branch may sign, also one that nobody reviewed."
    ),
    "self_hosted_runner": LintRule(
        level="warning", about="A self-hosted runner may sign; what runs on it is not fresh."
    ),
    "pull_request_target": LintRule(
        level="warning", about="Runs for pull requests of strangers may sign, as the main branch."
    ),
    "same_repository": LintRule(
        level="warning", about="Workflows of one repository can fill all slots of a line."
    ),
    "regex_as_glob": LintRule(
        level="warning", about="A text or glob says the same and can be read at a glance."
    ),
    "no_expiry": LintRule(level="warning", about="Nobody will have to look at the policy again."),
    "expires_soon": LintRule(level="warning", about="The policy expires within 30 days."),
    "unused_signer": LintRule(level="warning", about="No line asks for this signer."),
    "shadowed_signer": LintRule(
        level="warning",
        about="Another signer of the same line lets in everybody whom this one does.",
    ),
    "trust_on_first_use": LintRule(
        level="warning", about="Drafted from evidence, and nobody has said that it is right."
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing found: the code of its rule, what it is about (`path`), where, and what to do."""

    rule: str
    level: Level
    message: str
    hint: str
    path: str
    position: Position


@dataclass(frozen=True, kw_only=True, slots=True)
class Linted:
    """What came of one file: findings, or the error for which it is no policy."""

    file: str
    findings: tuple[Finding, ...] = ()
    error: AttestError | None = None

    def fails(self, *, strict: bool) -> bool:
        """Whether something was found that fails a check: errors, with `strict` warnings too."""
        graves = ("error", "warning") if strict else ("error",)
        return any(item.level in graves for item in self.findings)


def lint(policy: PolicyFile, *, now: datetime) -> tuple[Finding, ...]:
    """Look for what is seldom meant in a policy.

    Args:
        policy: as loaded.
        now: current time (UTC).

    Returns:
        The findings in the order of the file, at each place the gravest first.
    """
    levels: list[Level] = ["error", "warning", "note"]
    found = [*_file(policy, now), *_signers(policy), *_lines(policy)]
    return tuple(
        sorted(
            found,
            key=lambda item: (item.position.line, item.position.column, levels.index(item.level)),
        )
    )


def _finding(
    rule: str,
    message: str,
    hint: str,
    *,
    path: str = "",
    at: Position | None = None,
    level: Level | None = None,
) -> Finding:
    return Finding(
        rule=rule,
        level=level or RULES[rule].level,
        message=message,
        hint=hint,
        path=path,
        position=at or Position(line=1, column=1),
    )


def _file(policy: PolicyFile, now: datetime) -> Iterator[Finding]:
    expires, path = policy.expires, "expires"
    later = "review who may sign, and set a later time"
    if expires is None:
        hint = "set `expires`, a year ahead at most"
        yield _finding("no_expiry", "never expires", hint, path=path)
    elif expires < now:
        yield _finding("expired", f"expired at {expires:%Y-%m-%dT%H:%M:%SZ}", later, path=path)
    elif expires - now < SOON:
        message = f"expires at {expires:%Y-%m-%dT%H:%M:%SZ}"
        yield _finding("expires_soon", message, later, path=path)
    if (policy.description or "").startswith(FIRST_USE):
        yield _finding(
            "trust_on_first_use",
            "was drafted from evidence that had been signed by whoever they are",
            "make sure that these are the right signers, then change the description",
            path="description",
        )


def _signers(policy: PolicyFile) -> Iterator[Finding]:
    asked = {name for line in policy.require for name in line.of}
    for rule in policy.signers:
        path = f"signers.{rule.name}"
        at = None if not isinstance(rule, CertificateSigner | KeySigner) else rule.position
        # With `others: forbid`, naming a signer permits what it signs.
        if rule.name not in asked and policy.others == "report":
            hint = "name it in `require`, or leave it out"
            yield _finding("unused_signer", "no line asks for it", hint, path=path, at=at)
        if isinstance(rule, KeySigner) and (denied := denied_key(rule.key.key_id.hex())):
            message, hint = f"is {denied.what}", "replace it by a key that nobody else has"
            yield _finding("development_key", message, hint, path=f"{path}.key", at=at)
        if isinstance(rule, CertificateSigner):
            for field in rule.fields:
                yield from _field(rule, field, f"{path}.{field.claim or field.name}")
            if is_ci(rule):
                yield from _workflow(rule, path)


def _field(rule: CertificateSigner, field: FieldRule, path: str) -> Iterator[Finding]:
    for pattern in field.any_of:
        at = field.position
        if field.name in ("email", "subject") and email_is_open_to_all(pattern):
            yield _finding(
                "shared_email_domain",
                f"{pattern.text!r} matches addresses that anybody can get",
                "list the addresses",
                path=path,
                at=at,
            )
        if open_owner(rule, field, pattern):
            yield _finding(
                "wildcard_owner",
                f"{pattern.text!r} matches repositories of owners whom nobody chose",
                "write the owner out, or add `owner-id`",
                path=path,
                at=at,
            )
        elif open_repository(rule, field, pattern):
            yield _finding(
                "broad_repository",
                f"{pattern.text!r} matches every repository with such a name, also new ones",
                "list the repositories, or add `repository-id`",
                path=path,
                at=at,
            )
        if (plain := as_glob(pattern)) is not None:
            yield _finding(
                "regex_as_glob",
                f"{pattern.text!r} needs no regular expression",
                f"write {plain!r}",
                path=path,
                at=at,
            )


def _workflow(rule: CertificateSigner, path: str) -> Iterator[Finding]:
    """What a signer that is a job of a CI service leaves open."""
    at = rule.position
    if names_no_repository(rule):
        hint = "add `repository`, and `repository-id`, which stays when it is renamed"
        yield _finding("broad_repository", "names no repository", hint, path=path, at=at)
    elif open_workflow(rule):
        hint = "add `workflow`, the path of the file"
        yield _finding("any_workflow", "names no workflow", hint, path=path, at=at)
    if every_ref(rule):
        hint = "add `ref`, as refs/heads/main or refs/tags/v*"
        yield _finding("broad_ref", "any branch will do", hint, path=path, at=at)
    fields = {field.name: field for field in rule.fields}
    runner, trigger = fields.get("runner"), fields.get("trigger")
    if runner is None or any(matches(item, "self-hosted") for item in runner.any_of):
        hint = "write `runner: github-hosted`, unless your own machines are made anew for each job"
        if rule.issuer.endswith("gitlab.com"):
            hint = hint.replace("github", "gitlab")
        message = "runs on self-hosted runners may sign"
        where = path if runner is None else f"{path}.runner"
        yield _finding("self_hosted_runner", message, hint, path=where, at=at)
    hint = "list the events in `trigger`, as [push, release, workflow_dispatch]"
    if "github" in rule.issuer and trigger is None and "environment" not in fields:
        message = "any event may start it; if the workflow has pull_request_target, strangers may"
        yield _finding("pull_request_target", message, hint, path=path, at=at, level="note")
    elif trigger and any(matches(item, "pull_request_target") for item in trigger.any_of):
        message, where = "pull requests of strangers may start it", f"{path}.trigger"
        yield _finding("pull_request_target", message, hint, path=where, at=trigger.position)


def _lines(policy: PolicyFile) -> Iterator[Finding]:
    rules = {rule.name: rule for rule in policy.signers}
    seen: set[str] = set()
    compared: set[frozenset[str]] = set()
    for index, line in enumerate(policy.require):
        path = f"require[{index}]"
        asked = [rules[name] for name in line.of]
        if line.at_least > 1 and (repository := repository_alone(line, asked)):
            yield _finding(
                "same_repository",
                f"workflows of {repository} can fill all {line.at_least} slots",
                "ask for each repository or person in a line of its own",
                path=path,
                at=line.position,
            )
        if (group := frozenset(line.of)) in compared:
            continue
        compared.add(group)
        for narrow, wide in shadowed(asked):
            if narrow.name not in seen:
                seen.add(narrow.name)
                yield _finding(
                    "shadowed_signer",
                    f"{wide.name!r} in the same line lets in whoever {narrow.name!r} does",
                    "leave one out of the line, or make the other narrower",
                    path=path,
                    at=line.position,
                )
