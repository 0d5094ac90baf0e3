"""Policy files made to take time or memory, and what each is refused with."""

from __future__ import annotations

_START = "version: 1\nsigners:\n  a: {issuer: google, email: a@b.example}\nrequire: [a]\n"
_LARGE, _SYNTAX = "policy_too_large", "policy_syntax"
_RULES = "version: 1\nsigners:\n"


def _bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _with_subjects(subjects: str) -> str:
    return f"{_RULES}  a: {{issuer: google, subject: [{subjects}]}}\nrequire: [a]\n"


def _chain(length: int) -> str:
    """Lines that must each hand their signer on when the last one is looked at."""
    rules = "".join(
        f"  s{n}: {{issuer: google, email: [e{n}@x.example, e{n + 1}@x.example]}}\n"
        for n in range(length)
    )
    lines = "".join(f"  - s{n}\n" for n in range(length))
    extra = "  - at-least: 2\n    of: [" + ", ".join(f"s{n}" for n in range(length)) + "]\n"
    return f"{_RULES}{rules}require:\n{lines}{extra}"


def _many_workflows(number: int) -> str:
    """A rule that so many times so many workflows meet, and another one that asks too much."""
    repositories = ",".join(f"a/{n}" for n in range(number))
    workflows = ",".join(f"{n}.yml" for n in range(number))
    rule = f"{{issuer: gitlab, repository: [{repositories}], workflow: [{workflows}]}}"
    return _START.replace("require: [a]", f"  w: {rule}\nrequire: [w, w, a, a]")


#: Name -> text and the code of its refusal.
#: In the place of a file: what any bound must stop, to show that it does.
TOO_MUCH = "too much"

FILES: dict[str, tuple[str, str]] = {
    "many bytes": (_START + "#" * 10_000_000, _LARGE),
    "deep lists": ("[" * 250_000, _LARGE),
    "deep objects": ('{"a":' * 50_000, _LARGE),
    "deep blocks": ("- " * 120_000, _LARGE),
    "deep keys": ("? " * 120_000, _LARGE),
    "million keys": ("".join(f"k{n}: 1\n" for n in range(1_000_000)), _LARGE),
    "many keys": ("".join(f"k{n}: 1\n" for n in range(24_000)), _LARGE),
    "many keys of JSON": ("{" + ",".join(f'"{n}":1' for n in range(24_000)) + "}", _LARGE),
    "many texts": (_with_subjects(",".join(f"s{n}" for n in range(36_000))), _LARGE),
    "alias bomb": (_bomb(9), _SYNTAX),
    "long text": (_START + "description: " + "a" * 250_000, _LARGE),
    "long text of words": (_START + "description: " + "a " * 125_000, _LARGE),
    "long text of escapes": (_START + 'description: "' + "\\n" * 120_000 + '"', _LARGE),
    "long block": (_START + "description: >\n" + " a\n" * 80_000, _LARGE),
    "long key": (_START + '? "' + "k" * 250_000 + '"\n: 1', "policy_unknown_key"),
    "long number": (_START + "serial: " + "9" * 250_000, "policy_invalid_value"),
    "long version": (_START.replace("1", "9" * 250_000), "policy_unsupported_version"),
    "long anchor": ("&" + "a" * 250_000 + " x", _SYNTAX),
    "long tag": ("!" + "a" * 250_000 + " x", _SYNTAX),
    "directives": ("%A\n" * 80_000 + "---\n" + _START, _SYNTAX),
    "documents": ("---\n" * 60_000, _SYNTAX),
    "blank lines": ("\n" * 250_000, _SYNTAX),
    "comment": ("#" * 250_000, _SYNTAX),
    "halves of pairs": ('"' + "\\ud83d" * 40_000 + '"', _SYNTAX),
    "large regex": (_with_subjects("{regex: '((a{100}){100}){100}'}"), "invalid_regex"),
    "wide regex": (_with_subjects("{regex: '\\pL{900}'}"), "pattern_too_large"),
    "many regexes": (
        _with_subjects(",".join(f"{{regex: '(\\pL|\\pN){{9}}{n}'}}" for n in range(4_000))),
        _LARGE,
    ),
    "slots": (
        _START.replace("[a]", "[" + ", ".join(["{at-least: 256, of: a}"] * 3_000) + "]"),
        _LARGE,
    ),
    "chain of signers": (_chain(250), "policy_impossible"),
    "many workflows": (_many_workflows(9_000), "policy_impossible"),
    "key of blanks": (
        _RULES + '  k: {key: "-----BEGIN PUBLIC KEY-----' + "\\n" * 9_000 + '="}\nrequire: [k]\n',
        "invalid_key",
    ),
}  # fmt: skip
