from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attest.api.extract import extract
from attest.errors import AttestError, MalformedEvidence, UsageError
from attest.limits import Limits
from attest.pack import folder as folder_module
from tests.pack.merging import made
from tests.pack.test_hostile_archives import ARCHIVES
from tests.pack.zipbytes import GOOD, LOG, REPORT, Item, Zip, manifest, with_item, with_more

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
BUNDLE = Item(name=b"attestations/a.sigstore.json", content=b'{"any": "bytes"}')
LOWEST = Limits(max_artifact_bytes=1_048_576, max_pack_bytes=10_485_760)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; a link would be an error of its own."""
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def written(place: Path, archive: Zip | bytes) -> Path:
    path = place / "a.epack"
    path.write_bytes(archive if isinstance(archive, bytes) else archive.build())
    return path


def refused(pack: Path, out: Path, limits: Limits | None = None) -> AttestError:
    """The error of an extraction, after which all is as before."""
    before = sorted(out.parent.iterdir())
    with pytest.raises(AttestError) as caught:
        extract(pack, out, limits=limits)
    assert sorted(out.parent.iterdir()) == before
    return caught.value


def test_everything_of_a_pack_is_written_and_nothing_else(tmp_path: Path) -> None:
    pack = written(tmp_path, with_more(BUNDLE, Item(name=b"artifacts/empty/")))
    done = extract(pack, tmp_path / "out")
    expected = {
        "manifest.json": GOOD.items[0].content,
        "artifacts/report.json": REPORT,
        "artifacts/log.txt": LOG,
        "attestations/a.sigstore.json": BUNDLE.content,
    }
    assert tree(tmp_path / "out") == expected
    assert sorted(done.files) == sorted(expected)
    assert (done.artifacts, done.bytes, done.attestations) == (2, len(REPORT + LOG), 1)
    assert (done.stream, done.folder) == ("acme/prod", tmp_path / "out")
    # A folder is not evidence: only those that hold a file come along.
    assert {p.name for p in (tmp_path / "out").rglob("*") if p.is_dir()} == {
        "artifacts",
        "attestations",
    }


def test_a_pack_without_artifacts_has_its_folder(tmp_path: Path) -> None:
    pack = made(tmp_path / "a.epack", "s", {})
    extract(pack, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").rglob("*")) == ["artifacts", "manifest.json"]


@POSIX
@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_permissions_are_the_same_whatever_umask_and_archive(tmp_path: Path, umask: int) -> None:
    hostile = with_item(1, attributes=0o104777 << 16)
    before = os.umask(umask)
    try:
        extract(written(tmp_path, hostile), tmp_path / "out")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    folders = [tmp_path / "out", *(p for p in (tmp_path / "out").rglob("*") if p.is_dir())]
    assert modes == {0o644}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o755}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_pack_leaves_nothing(tmp_path: Path, name: str) -> None:
    archive, code = ARCHIVES[name]
    error = refused(written(tmp_path, archive), tmp_path / "out")
    assert (type(error), error.code) == (MalformedEvidence, code)


def _with_manifest(**changes: object) -> Zip:
    value = manifest({"artifacts/report.json": REPORT, "artifacts/log.txt": LOG}) | changes
    first = Item(name=b"manifest.json", content=json.dumps(value).encode())
    return Zip(items=(first, *GOOD.items[1:]))


NOT_INTACT = {
    "digest_mismatch": with_item(2, content=LOG[:-1] + b"!"),
    "size_mismatch": with_item(2, content=LOG + b"!"),
    "crc_mismatch": with_item(2, crc=1),
    "missing_embedded_artifact": Zip(items=GOOD.items[:2]),
    "extra_artifact_not_in_manifest": with_more(Item(name=b"artifacts/more", content=b"x")),
    "pack_digest_mismatch": _with_manifest(pack_digest="sha256:" + "0" * 64),
}


@pytest.mark.parametrize("code", NOT_INTACT)
def test_a_pack_that_is_not_intact_leaves_nothing(tmp_path: Path, code: str) -> None:
    error = refused(written(tmp_path, NOT_INTACT[code]), tmp_path / "out")
    assert error.code == code


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (LOWEST, "artifact_too_large"),
        (Limits(max_compression_ratio=1), "zip_bomb"),
    ],
)
def test_limits_hold(tmp_path: Path, limits: Limits, code: str) -> None:
    pack = made(tmp_path / "a.epack", "s", {"x": os.urandom(600_000) + bytes(600_000)})
    assert refused(pack, tmp_path / "out", limits).code == code
    extract(pack, tmp_path / "out")


def test_the_bundle_limit_holds(tmp_path: Path) -> None:
    large = Item(name=b"attestations/b.sigstore.json", content=b" " * 65_537)
    pack = written(tmp_path, with_more(BUNDLE, large))
    error = refused(pack, tmp_path / "out", Limits(max_bundle_bytes=65_536))
    assert error.code == "bundle_too_large"


@pytest.mark.parametrize(
    "kind", ["folder", "full", "file", *([] if sys.platform == "win32" else ["link", "dangling"])]
)
def test_a_taken_name_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out"
    (tmp_path / "elsewhere").mkdir()
    if kind in ("folder", "full"):
        out.mkdir()
        if kind == "full":
            (out / "manifest.json").write_bytes(b"theirs")
    elif kind == "file":
        out.write_bytes(b"theirs")
    else:
        out.symlink_to(tmp_path / ("elsewhere" if kind == "link" else "nowhere"))
    error = refused(written(tmp_path, GOOD), out)
    assert (error.code, error.where, error.exit_code) == ("file_exists", str(out), 2)
    assert not (out / "artifacts").exists()
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize("name", [".", "..", "/"])
def test_a_folder_that_is_there_under_any_name_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        extract(written(tmp_path, GOOD), name)
    assert caught.value.code == "file_exists"


@pytest.mark.parametrize("name", ["missing/out", "a.epack/out", "a\0b", "x" * 300])
def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path, name: str) -> None:
    pack = written(tmp_path, GOOD)
    with pytest.raises(UsageError) as caught:
        extract(pack, tmp_path / name)
    assert caught.value.code == "unwritable_file"
    assert list(tmp_path.iterdir()) == [pack]


@POSIX
def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    real = os.mkdir

    def plant(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        if path == "artifacts":
            os.symlink(victim, path, dir_fd=dir_fd)  # as if somebody had been faster
        else:
            real(path, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", plant)
    error = refused(written(tmp_path, GOOD), tmp_path / "out")
    assert error.code == "unwritable_file"
    assert list(victim.iterdir()) == []


@POSIX
def test_a_planted_file_link_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    real = os.open

    def plant(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "report.json":
            os.symlink(victim, path, dir_fd=dir_fd)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", plant)
    error = refused(written(tmp_path, GOOD), tmp_path / "out")
    assert error.code == "unwritable_file"
    assert not victim.exists()


def test_a_platform_without_relative_names_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "_RELATIVE", False)
    extract(written(tmp_path, with_more(BUNDLE)), tmp_path / "out")
    assert len(tree(tmp_path / "out")) == 4
    bad = written(tmp_path, NOT_INTACT["digest_mismatch"])
    assert refused(bad, tmp_path / "other").code == "digest_mismatch"


#: What extracting asks of the file system, by name in `os`.
CALLS = ["open", "mkdir", "fsync", "fchmod", "rename", "close"]


class _Failing:
    """Lets a call through until the n-th, which fails before or after it was done."""

    def __init__(
        self, real: Callable[..., object], at: int, error: BaseException, *, late: bool
    ) -> None:
        self.real, self.at, self.error, self.late = real, at, error, late
        self.seen = 0

    def __call__(self, *arguments: object, **named: object) -> object:
        self.seen += 1
        if self.seen != self.at:
            return self.real(*arguments, **named)
        if self.late:
            self.real(*arguments, **named)
        raise self.error


def _failures(name: str, place: Path, error: BaseException, *, late: bool) -> Iterator[Path]:
    """The folders in which an extraction failed at the first, the second, … call of a name."""
    for at in range(1, 200):
        work = place / str(at)
        work.mkdir()
        pack = written(work, with_more(BUNDLE))
        with pytest.MonkeyPatch.context() as patch:
            # Only where extracting itself looks it up.
            proxy = _Proxy()
            failing = _Failing(getattr(os, name), at, error, late=late)
            setattr(proxy, name, failing)
            patch.setattr(folder_module, "os", proxy)
            try:
                extract(pack, work / "out")
            except (UsageError, KeyboardInterrupt):
                yield work
            else:
                if failing.seen < at:
                    return
    raise AssertionError("never gets through")


class _Proxy:
    """The module `os`, in which single functions can be replaced."""

    def __getattr__(self, name: str) -> object:
        value: object = getattr(os, name)
        return value


@POSIX
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("name", CALLS)
def test_a_failure_at_any_call_leaves_nothing(
    tmp_path: Path, name: str, error: BaseException, late: object
) -> None:
    count = 0
    for work in _failures(name, tmp_path, error, late=bool(late)):
        count += 1
        left = {path.name for path in work.iterdir()} - {"a.epack"}
        # Once the name is there all is there; before it nothing is.
        assert left in (set(), {"out"})
        if left:
            assert late or name in ("fsync", "close")
            assert len(tree(work / "out")) == 4
    assert count >= {"rename": 1, "mkdir": 3}.get(name, 5)


def test_what_a_kill_left_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".attest-0123456789abcdef.tmp").mkdir()
    extract(written(tmp_path, GOOD), tmp_path / "out")
    assert len(tree(tmp_path / "out")) == 3


def test_progress_counts_every_byte_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    pack = written(tmp_path, GOOD)
    extract(pack, tmp_path / "out", progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(REPORT + LOG), len(REPORT + LOG))
    assert told == sorted(told)


names = st.text("abcdefgh-_ é1", min_size=1, max_size=8).filter(
    lambda name: name == name.strip(" .") and name == name.casefold()
)
contents = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map("/".join), st.binary(max_size=3000), max_size=6
).filter(lambda files: not any(other.startswith(f"{name}/") for name in files for other in files))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(files=contents)
def test_what_was_packed_comes_out_byte_for_byte(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        pack = made(Path(place) / "a.epack", "s", files)
        extract(pack, Path(place) / "out")
        assert tree(Path(place) / "out" / "artifacts") == files
        again = made(Path(place) / "b.epack", "s", tree(Path(place) / "out" / "artifacts"))
        assert again.read_bytes() == pack.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, len(GOOD.build()) - 1), value=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_harmless(at: int, value: int) -> None:
    data = bytearray(GOOD.build())
    data[at] = value
    with tempfile.TemporaryDirectory() as place:
        pack, out = Path(place) / "a.epack", Path(place) / "out"
        pack.write_bytes(data)
        try:
            extract(pack, out)
        except MalformedEvidence:
            assert list(Path(place).iterdir()) == [pack]
        else:
            found = tree(out)
            assert found.pop("artifacts/report.json") == REPORT
            assert found.pop("artifacts/log.txt") == LOG
            assert list(found) == ["manifest.json"]


CLOSED_PARENT = """
import os, sys
from pathlib import Path
from attest.api.extract import extract
from attest.errors import UsageError

pack, parent = map(Path, sys.argv[1:])
extract(pack, parent / "loaded")  # loads all there is to load, while we may read it
parent.chmod(0o555)
if os.geteuid() == 0:  # to whom no folder is closed
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
for folder in (parent / "out", parent / "none" / "out"):
    try:
        extract(pack, folder)
    except UsageError as error:
        print(error.code, error.where == str(folder))
"""


@POSIX
def test_a_parent_that_is_closed_to_us_is_told_of_and_left_alone() -> None:
    # Not below pytest's folder, which is closed to whoever the child becomes.
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        pack = written(place, GOOD)
        parent = place / "parent"
        parent.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", CLOSED_PARENT, str(pack), str(parent)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        parent.chmod(0o755)
        if "PermissionError" in done.stderr and "os.set" in done.stderr:
            pytest.skip("root may not become somebody else in here")
        assert [path.name for path in parent.iterdir()] == ["loaded"]
    assert (done.stderr, done.stdout) == ("", "unwritable_file True\n" * 2)
