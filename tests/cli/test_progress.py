"""When the line that says how far work has come is seen, and that it leaves nothing behind."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from attest import terminal
from attest.cli.main import main
from attest.pack.builder import build_pack
from attest.pack.integrity import LARGE
from attest.terminal import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All work is long: a test does not wait for seconds."""
    monkeypatch.setattr(terminal, "_BEFORE_FIRST", 0.0)
    monkeypatch.setattr(terminal, "_BETWEEN", 0.0)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    for index in range(6):
        (tmp_path / f"{index}.log").write_bytes(bytes(LARGE * 2 if index > 3 else 100))
    out = tmp_path / "a.epack"
    build_pack(out, sorted(tmp_path.glob("*.log")), stream="s")
    return out


def said(words: list[str], stderr: io.StringIO, environ: Mapping[str, str]) -> str:
    assert main(words, stdout=io.StringIO(), stderr=stderr, environ=environ) == 0
    return stderr.getvalue()


def seen(text: str) -> str:
    """What a terminal shows in its last line after all was written."""
    line = ""
    for piece in text.split("\r"):
        line = piece + line[len(piece) :]
    return line.rstrip(" ")


def verify(pack: Path, *more: str) -> list[str]:
    return ["verify", str(pack), "--integrity-only", *more]


@pytest.mark.usefixtures("impatient")
def test_long_work_is_shown_on_a_terminal_and_erased(pack: Path, tmp_path: Path) -> None:
    text = said(verify(pack), Terminal(), {})
    assert "reading [" in text
    assert "%" in text
    assert "\x1b" not in text
    assert seen(text) == ""
    text = said(["build", str(tmp_path / "b.epack"), str(pack), "--stream", "s"], Terminal(), {})
    assert "building [" in text
    assert seen(text.split("\n")[0]).startswith("to sign it")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("more", "stderr", "environ"),
    [
        ([], io.StringIO(), {}),
        (["-q"], Terminal(), {}),
        (["--output", "json"], Terminal(), {}),
        ([], Terminal(), {"CI": "true"}),
        ([], Terminal(), {"TERM": "dumb"}),
    ],
)
def test_it_is_for_people_who_watch(
    pack: Path, more: list[str], stderr: io.StringIO, environ: dict[str, str]
) -> None:
    assert said(verify(pack, *more), stderr, environ) == ""


def test_short_work_shows_nothing(pack: Path) -> None:
    assert said(verify(pack), Terminal(), {}) == ""


@pytest.mark.usefixtures("impatient")
def test_it_is_erased_when_the_work_fails(pack: Path) -> None:
    stream = Terminal()
    progress = ProgressBar(stream, "reading")

    def work() -> None:
        with progress:
            progress(1, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert "reading [##########" in stream.getvalue()
    assert seen(stream.getvalue()) == ""
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)
    stream = Terminal()
    assert main(verify(pack), stdout=io.StringIO(), stderr=stream, environ={}) == 1
    assert "[" not in seen(stream.getvalue())


@pytest.mark.usefixtures("impatient")
def test_a_terminal_that_has_gone_does_not_end_the_work() -> None:
    class Gone(Terminal):
        def write(self, _: str) -> int:
            raise OSError(5, "Input/output error")

    with ProgressBar(Gone(), "reading") as progress:
        progress(1, 2)


def test_building_tells_of_every_byte_twice(tmp_path: Path) -> None:
    sizes = [LARGE * 3, 0, 17]
    for index, size in enumerate(sizes):
        (tmp_path / f"{index}.bin").write_bytes(bytes(size))
    told: list[tuple[int, int]] = []
    build_pack(
        tmp_path / "a.epack",
        sorted(tmp_path.glob("*.bin")),
        stream="s",
        progress=lambda done, total: told.append((done, total)),
    )
    assert {total for _, total in told} == {2 * sum(sizes)}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1][0] == 2 * sum(sizes)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_many_targets_are_counted_as_they_are_done(pack: Path, jobs: str) -> None:
    words = ["verify", *[str(pack)] * 8, "--jobs", jobs, "--integrity-only"]
    text = said(words, Terminal(), {})
    assert "verifying [" in text
    assert " 50%" in text
    assert seen(text.split("\n")[0]) == "8 targets: 8 intact"


@pytest.mark.usefixtures("impatient")
def test_results_stand_alone_where_both_go_to_one_terminal(pack: Path) -> None:
    screen = Terminal()
    words = ["verify", *[str(pack)] * 3, "--integrity-only", "--color", "never"]
    assert main(words, stdout=screen, stderr=screen, environ={}) == 0
    verdicts = [seen(line) for line in screen.getvalue().split("\n") if "INTACT" in line]
    assert verdicts == [f"INTACT (nobody's identity was checked): {pack}"] * 3
