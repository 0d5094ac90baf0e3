"""Text to nodes: what is read, where it stands, what is refused, and how much is looked at."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from attest.errors import PolicyFileError
from attest.policy.nodes import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    Mapping,
    Node,
    Scalar,
    Sequence,
    parse_nodes,
)
from attest.policy.rules import Position


def parse(text: str | bytes) -> Node:
    return parse_nodes(text.encode() if isinstance(text, str) else text, file="p.yaml")


def plain(node: Node) -> object:
    """The value of a node as other readers of YAML 1.2 and JSON see it."""
    if isinstance(node, Mapping):
        return {name: plain(member.value) for name, member in node.members.items()}
    if not isinstance(node, Scalar):
        return [plain(item) for item in node.items]
    if node.kind == "text":
        return node.value
    if node.kind == "integer":
        base = {"0x": 16, "0o": 8}.get(node.value[:2], 10)
        return int(node.value[2:] if base != 10 else node.value, base)
    if node.kind == "float":
        return float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return None if node.kind == "null" else node.value.lower() == "true"


def member(text: str) -> Node:
    node = parse(f"a: {text}")
    assert isinstance(node, Mapping)
    return node.members["a"].value


def refused(text: str | bytes) -> PolicyFileError:
    with pytest.raises(PolicyFileError) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # What YAML 1.1 reads as booleans, dates, numbers of base 60 and of base 8.
        *[(word, "text") for word in ("no", "on", "yes", "off", "y", "N", "True story")],
        *[(word, "text") for word in ("2027-06-30", "2027-06-30T00:00:00Z", "12:30:45", "1_000")],
        *[(word, "text") for word in ("0b11", "+", "--", ".", "0o8", "0xg", "1e", "e3", "v1.0")],
        *[(word, "integer") for word in ("0", "007", "-12", "+3", "0x1F", "0o17", "9" * 99)],
        *[(word, "float") for word in ("1e3", "1.", ".5", "-1.5E+9", ".inf", "-.INF", ".NaN")],
        *[(word, "boolean") for word in ("true", "False", "TRUE")],
        *[(word, "null") for word in ("null", "~", "Null", "")],
        *[(word, "text") for word in ("tRUE", "nUll", "'true'", '"1"', "'~'", "''", '"1e3"')],
    ],
)
def test_a_scalar_is_what_the_core_schema_takes_it_for(text: str, kind: str) -> None:
    node = member(text)
    assert isinstance(node, Scalar)
    assert node.kind == kind


@pytest.mark.parametrize("block", ["|\n  1\n", ">\n  true\n"])
def test_a_block_is_always_text(block: str) -> None:
    node = member(block)
    assert isinstance(node, Scalar)
    assert node.kind == "text"


def test_every_node_and_key_knows_its_place() -> None:
    root = parse("# é\na: 1\nbé: [x,\n  {c: y}]\n")
    assert isinstance(root, Mapping)
    assert root.members["a"].key.position == Position(line=2, column=1)
    assert root.members["a"].value.position == Position(line=2, column=4)
    listed = root.members["bé"].value
    assert listed.position == Position(line=3, column=5)
    assert isinstance(listed, Sequence)
    inner = listed.items[1]
    assert isinstance(inner, Mapping)
    assert inner.members["c"].value.position == Position(line=4, column=7)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_on_any_system(end: str) -> None:
    root = parse(end.join(["# x", "a: |", "  1", "  2", "b: 1", ""]))
    assert plain(root) == {"a": "1\n2\n", "b": 1}
    assert refused(end.join(["", "a: 1", "b: \0"])).where == "p.yaml:3:4"
    assert refused(end.join(["", "a: 1", "b: &x 1"])).where == "p.yaml:3:4: b"


def test_an_error_says_where_and_in_what() -> None:
    error = refused("signers:\n  ci:\n    ref: [a, {b: 1, b: 2}]\n")
    assert error.code == "policy_duplicate_key"
    assert error.where == "p.yaml:3:21: signers.ci.ref[1].b"
    assert error.exit_code == 2


AMBIGUOUS = {
    "anchor": "a: &x 1",
    "anchor of a list": "a: &x [1]",
    "anchor of an object": "&x a: 1",
    "alias": "a: *x",
    "alias that is a glob": "a: *.yml",
    "alias as key": "*x : 1",
    "alias in a list": "[*x]",
    "tag": "a: !!str 1",
    "own tag": "a: !mine {b: 1}",
    "tag that says nothing": "a: ! 1",
    "tag in bytes": "a: !%FF 1",
    "merge key": "a: {<<: {b: 1}}",
    "documents": "a: 1\n---\nb: 1\n",
    "document of nothing behind": "a: 1\n---\n",
    "version directive": "%YAML 1.1\n---\na: 1\n",
    "version of many digits": f"# x\n%YAML 1.{'9' * 5000}\n---\na: 1\n",
    "tag directive": "\n%TAG ! tag:x,1:\n---\na: 1\n",
    "unknown directive": "# x\r%FOO\n---\na: 1\n",
    "key that is a number": "1: a",
    "key that is a boolean": "true: a",
    "key that is nothing": "? \n: a",
    "key that is a list": "? [a]\n: b",
    "key that is an object": "{{a: b}: c}",
    "nothing": "",
    "comments alone": "# a\n",
    "tab before a key": "a:\n\tb: 1\n",
    "tab between tokens": "{\t'a': 1}",
    "two values": "a: b: c",
    "text after the document": "[a] b",
    "open list": "[a",
    "open quote": "'a",
    "reserved sign": "a: @b",
    "half a pair": r'"\ud83d"',
    "other half": r'"\ude00x"',
    "pair the wrong way round": r'"\ude00\ud83d"',
    "JSON with a key and its colon apart": '{"a"\n:1}',
    "escape beyond Unicode": r'"\U00110000"',
    "escape beyond integers": r'"\UFFFFFFFF"',
    "escape that is none": r'"\q"',
}


@pytest.mark.parametrize("text", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_no_plain_document_is_refused(text: str) -> None:
    assert refused(text).code == "policy_syntax"


@pytest.mark.parametrize(
    "char",
    [
        "\0",
        "\x07",
        "\x1b",
        "\x7f",
        "\x85",
        "\x9f",
        "\u2028",
        "\u2029",
        "\u202e",
        "\u2066",
        "\ufeff",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("text", ["# {}\na: 1", "a: 'x{}'", '{{"a": "{}"}}', "{}a: 1"])
def test_hidden_characters_are_refused_wherever_they_stand(text: str, char: str) -> None:
    error = refused(text.format(char))
    assert error.code == "policy_syntax"
    assert f"U+{ord(char):04X}" in error.message


@pytest.mark.parametrize(
    ("data", "where"),
    [(b"\xff", "1:1"), (b"a: 1\r\nb: \xc3\xa9\xc3", "2:5"), ("ä".encode("latin-1"), "1:1"),
     ("a: 1".encode("utf-16"), "1:1"), (b"a: \xed\xa0\x80", "1:4")],
)  # fmt: skip
def test_other_encodings_are_refused(data: bytes, where: str) -> None:
    error = refused(data)
    assert error.code == "policy_syntax"
    assert error.where == f"p.yaml:{where}"


DUPLICATES = {
    "block": "a: 1\na: 2",
    "flow": "{a: 1, a: 1}",
    "json": '{"a": 1, "a": 1}',
    "spelled otherwise": 'a: 1\n"a": 2',
    "by escapes": r'{"a": 1, "\u0061": 2}',
    "by a pair": r'{"😀": 1, "\ud83d\ude00": 2}',
    "deep": "[{b: {c: {d: 1, e: 2, d: 3}}}]",
}


@pytest.mark.parametrize("text", DUPLICATES.values(), ids=DUPLICATES)
def test_duplicate_keys_are_refused(text: str) -> None:
    assert refused(text).code == "policy_duplicate_key"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), inner,
                      max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(value=JSON_VALUES, indent=st.sampled_from([None, 2, "\t"]))
@example(value={"a": ['\t\n\r\\"/', "😀", "\u2028", "\x00", "#", "&a", "*"]}, indent="\t")
@example(value={"": [], "null": {}, "<<": {}, "a" * 900: 1e300}, indent=None)
def test_json_reads_as_json(value: object, indent: int | str | None) -> None:
    node = parse(json.dumps({"": value}, indent=indent))
    assert plain(node) == {"": value}
    assert json.dumps(plain(node)) == json.dumps({"": value})  # 1, 1.0 and true are equal


@given(
    data=st.binary(max_size=200)
    | st.text(max_size=200).map(str.encode)
    | st.text(alphabet="ab:- \n\t{}[],&*!|>'\"%@`#?<~0.e\\ux", max_size=60).map(str.encode)
)
def test_any_bytes_give_nodes_or_a_policy_error(data: bytes) -> None:
    try:
        node = parse(data)
    except PolicyFileError as error:
        code, where = error.code, str(error.where)
    else:
        assert written(node) == yaml.load(data, Loader=yaml.BaseLoader)
        return
    assert code in {"policy_syntax", "policy_duplicate_key"}
    assert where.startswith("p.yaml:")


def written(node: Node) -> object:
    """The value of a node in which every scalar is a text."""
    if isinstance(node, Mapping):
        return {name: written(member.value) for name, member in node.members.items()}
    return node.value if isinstance(node, Scalar) else [written(item) for item in node.items]


def test_bytes_are_bounded_before_they_are_read() -> None:
    text = b"a: 1 #".ljust(MAX_BYTES, b"x")
    assert plain(parse(text)) == {"a": 1}
    assert refused(text + b"x").code == "policy_too_large"
    assert refused(b"\xff" * (MAX_BYTES + 1)).code == "policy_too_large"


@pytest.mark.parametrize("behind", ["", ", '", "]]]]]", "\n@"])
def test_values_are_counted_as_they_come(behind: str) -> None:
    """What stands behind the one too many is not looked at."""
    most = "[" + ",".join("a" * (MAX_NODES - 1)) + "]"
    assert isinstance(parse(most), Sequence)
    error = refused(f"{most[:-1]},a{behind}" + " " * 2_000)
    assert error.code == "policy_too_large"


@pytest.mark.parametrize(
    ("opening", "closing"), [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), ("[{? ", "}]")]
)
def test_depth_is_counted_as_it_comes(opening: str, closing: str) -> None:
    levels = len(opening.replace(" ", "").replace("a:", "").replace("[{?", "[{"))
    most = MAX_DEPTH // levels
    if opening != "? " and "?" not in opening:
        parse(opening * most + "x" + closing * most)
    error = refused(opening * (most + 1) + "x" + "@" * 2_000)
    assert error.code == "policy_too_large"
