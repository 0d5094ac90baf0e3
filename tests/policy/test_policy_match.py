import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attest.errors import PolicyFileError
from attest.policy.match import MAX_PATTERN, MAX_VALUE, Fold, check_pattern, folded, matches
from attest.policy.rules import Pattern, PatternKind


def pattern(kind: PatternKind, text: str) -> Pattern:
    return Pattern(kind=kind, text=text)


def glob(text: str, value: str, fold: Fold = "none") -> bool:
    return matches(pattern("glob", text), value, fold=fold)


def regex(text: str, value: str, fold: Fold = "none") -> bool:
    return matches(pattern("regex", text), value, fold=fold)


def reference(text: str, value: str) -> bool:
    """A glob by its definition: every way in which its first star can be filled is tried."""
    if text.startswith("**"):
        return any(reference(text[2:], value[at:]) for at in range(len(value) + 1))
    if text.startswith("*"):
        segment = value.partition("/")[0]
        return any(reference(text[1:], value[at:]) for at in range(len(segment) + 1))
    if not text:
        return not value
    return value[:1] == text[0] and reference(text[1:], value[1:])


@given(
    text=st.text(alphabet="ab/*.", max_size=8),
    value=st.text(alphabet="ab/.\n", max_size=8),
)
def test_globs_match_what_their_definition_says(text: str, value: str) -> None:
    assert glob(text, value) == reference(text, value)


@given(text=st.text(alphabet=r"ab/\.+?[](){}|^$é", max_size=8), value=st.text(max_size=8))
def test_but_for_its_stars_a_glob_is_literal(text: str, value: str) -> None:
    assert glob(text, text)
    assert glob(text, value) == (text == value)


@given(
    text=st.text(alphabet="ab/*.+[", min_size=1, max_size=8), value=st.text("ab/*.+[", max_size=8)
)
def test_an_exact_pattern_is_that_text_and_no_other(text: str, value: str) -> None:
    assert matches(pattern("exact", text), text)
    assert matches(pattern("exact", text), value) == (text == value)


def test_a_star_in_an_exact_pattern_is_a_star() -> None:
    assert not matches(pattern("exact", "a*"), "ab")
    assert not matches(pattern("exact", "**"), "a")


@given(
    text=st.sampled_from(["a+", "a|ab", "(a|b)*", "[^/]+/x", "a.b", "^a$", ".*", "", "a{2,3}"]),
    value=st.text(alphabet="ab/x", max_size=6),
)
def test_a_regular_expression_says_what_the_standard_library_says(text: str, value: str) -> None:
    assert regex(text, value) == (re.fullmatch(text, value) is not None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("acme/x", "evil/acme/x"),
        ("acme/x", "acme/x-evil"),
        ("acme/*", "acme/x/y"),
        ("refs/*/v*", "refs/heads/main/v1"),
        ("ab*ba", "aba"),
        ("refs/*/v*", "refs/tags/w1"),
        ("a*b*c", "axc"),
        ("acme/*-ci/*", "acme/x/y-ci/z"),
        ("acme/*", "not-acme/x"),
        ("*/x", "a/b/x"),
        ("refs/tags/v*", "refs/heads/refs/tags/v1"),
        ("v*.0", "v1.0-rc"),
        ("*", "a/b"),
        ("*", "/"),
        ("a**b", "a/b/c"),
    ],
)
def test_globs_are_anchored_and_one_star_does_not_cross_a_slash(text: str, value: str) -> None:
    assert not glob(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("acme/*", "acme/x"),
        ("acme/*", "acme/"),
        ("acme/**", "acme/x/y"),
        ("**", ""),
        ("a**b", "a/b"),
    ],
)
def test_globs_match_from_end_to_end(text: str, value: str) -> None:
    assert glob(text, value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("acme", "acme/evil"),
        ("acme", "evil-acme"),
        ("a|b", "ax"),
        ("a$|b", "a\n"),
        (".", "\n"),
        ("^acme$", "acme\nx"),
        ("(?m)^acme$", "acme\nx"),
    ],
)
def test_a_regular_expression_must_match_all_of_a_value(text: str, value: str) -> None:
    assert not regex(text, value)


@pytest.mark.parametrize(
    ("fold", "text", "value", "same"),
    [
        ("none", "Acme/X", "acme/x", False),
        ("none", "acme/x", "acme/x", True),
        ("all", "Acme/X", "aCME/x", True),
        ("all", "acme/x", "acme/y", False),
        ("domain", "ana@Audit.Example", "ana@aUDIT.example", True),
        ("domain", "Ana@audit.example", "ana@audit.example", False),
        # The last `@` begins the domain: a quoted local part may hold another.
        ("domain", '"a@B"@c.example', '"a@b"@C.example', False),
        ("domain", '"a@B"@c.example', '"a@B"@C.example', True),
        ("domain", "Ana", "ana", False),
        # U+212A, the Kelvin sign, is a `k` to Unicode and to nobody who names a repository.
        ("all", "acme/k", "acme/\u212a", False),
        ("all", "acme/\u212a", "acme/k", False),
    ],
)
def test_case_folds_only_where_it_means_nothing(
    fold: Fold, text: str, value: str, *, same: bool
) -> None:
    assert matches(pattern("exact", text), value, fold=fold) == same
    assert glob(text, value, fold) == same
    assert glob(f"{text}*", value, fold) == same
    assert glob(f"*{text}*", value, fold) == same


@pytest.mark.parametrize(
    ("fold", "text", "value", "same"),
    [
        ("none", "acme/[a-z]", "ACME/X", False),
        ("all", "acme/[a-z]", "ACME/X", True),
        ("all", "ACME/[A-Z]", "acme/x", True),
        ("all", "acme/k", "acme/\u212a", False),
        ("domain", r"ana@audit\.example", "ana@AUDIT.example", True),
        ("domain", r"ana@audit\.example", "ANA@audit.example", False),
    ],
)
def test_regular_expressions_fold_as_exact_values_do(
    fold: Fold, text: str, value: str, *, same: bool
) -> None:
    assert regex(text, value, fold) == same


@pytest.mark.parametrize("fold", ["none", "all", "domain"])
@given(text=st.text(alphabet="aAkK@.é\u212a", max_size=8))
def test_folding_twice_changes_nothing(fold: Fold, text: str) -> None:
    once = folded(text, fold)
    assert folded(once, fold) == once
    assert once.lower() == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "(",
        "(?P<x",
        "*",
        "a**",
        r"(a)\1",
        "(?=a)",
        "(?<!a)b",
        "x{1001}",
        "(a{100}){100}",
        "\ud800",
    ],
)
def test_what_is_no_regular_expression_is_refused(text: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        check_pattern(pattern("regex", text))
    assert caught.value.code == "invalid_regex"
    assert caught.value.hint


@pytest.mark.parametrize("kind", ["exact", "glob", "regex"])
def test_a_pattern_has_a_largest_and_a_smallest_length(kind: PatternKind) -> None:
    assert (MAX_PATTERN, MAX_VALUE) == (1_000, 8_192)
    check_pattern(pattern(kind, "a" * MAX_PATTERN))
    check_pattern(pattern(kind, "a"))
    for code, text in (("pattern_too_large", "a" * (MAX_PATTERN + 1)), ("empty_pattern", "")):
        with pytest.raises(PolicyFileError) as caught:
            check_pattern(pattern(kind, text))
        assert caught.value.code == code


@pytest.mark.parametrize("text", [r"\pN{1000}", r"(\pL{200})" * 5])
def test_a_pattern_may_take_only_so_much_memory(text: str) -> None:
    with pytest.raises(PolicyFileError) as caught:
        check_pattern(pattern("regex", text))
    assert caught.value.code == "pattern_too_large"


def test_a_value_beyond_the_bound_is_matched_exactly_or_not_at_all() -> None:
    longest, longer = "a" * MAX_VALUE, "a" * (MAX_VALUE + 1)
    for kind, text in (("glob", "**"), ("regex", ".*")):
        assert matches(pattern(kind, text), longest)  # type: ignore[arg-type]  # of a literal tuple
        assert not matches(pattern(kind, text), longer)  # type: ignore[arg-type]  # as above
    assert matches(pattern("exact", longer), longer)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("regex", "(a+)+$", "a" * 8000 + "b"),
        ("regex", "(a|a)*b", "a" * 8000),
        ("regex", "(a?){500}a{500}", "a" * 900),
        ("regex", "(.*){10}x", "a" * 8000),
        ("glob", "*a" * 400 + "b", "a" * 8000),
        ("glob", "**a" * 333 + "*", "a" * 8000 + "/b"),
    ],
)
def test_no_pattern_hangs_a_verifier(kind: PatternKind, text: str, value: str) -> None:
    begun = time.perf_counter()
    matches(pattern(kind, text), value)
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("*/b", "a/b"),
        ("a*/b/c", "ax/b/c"),
        ("ab*ba", "abba"),
        ("a*b*c", "a-b-c"),
        ("**/b", "a/a/b"),
    ],
)
def test_a_glob_matches_up_to_what_stands_behind_its_stars(text: str, value: str) -> None:
    assert glob(text, value)
