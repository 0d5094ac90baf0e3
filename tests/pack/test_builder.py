from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from attest.errors import UsageError
from attest.limits import Limits
from attest.pack.builder import build_pack
from attest.pack.description import Description
from attest.pack.manifest import ReferencedArtifact, Source
from attest.pack.reader import open_pack

ROOT = Path(__file__).resolve().parents[2]
WHEN = datetime(2026, 11, 21, 8, 0, 0, tzinfo=UTC)


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    folder = tmp_path / "evidence"
    (folder / "aws").mkdir(parents=True)
    (folder / "aws" / "iam.json").write_bytes(b'{"users": []}\n')
    (folder / "empty.txt").write_bytes(b"")
    (folder / "noise.bin").write_bytes(bytes(range(256)) * 3)
    (folder / "zeros.bin").write_bytes(bytes(3_000_000))
    (folder / "text.log").write_bytes(b"all is well, all is well\n" * 90_000)
    (folder / "résumé.md").write_bytes(b"# r\n")
    return folder


def test_what_was_built_reads_back(tmp_path: Path, evidence: Path) -> None:
    out = tmp_path / "out.epack"
    built = build_pack(
        out,
        [evidence],
        stream="acme/prod",
        description=Description(
            sources=(Source(name="github", version="1.0", artifacts=6),),
            references=(
                ReferencedArtifact(
                    name="soc2", uri="https://trust.example/soc2", access_policy="nda_required"
                ),
            ),
        ),
        generated_at=WHEN,
    )
    with open_pack(out) as pack:
        assert pack.check_integrity() == built
        assert pack.manifest_digest == hashlib.sha256(pack.manifest_bytes).digest()
        assert pack.manifest.references[0].name == "soc2"
        found = {item.path: b"".join(pack.artifact_chunks(item)) for item in pack.manifest.embedded}
    files = [path for path in evidence.rglob("*") if path.is_file()]
    assert found == {
        f"artifacts/{path.relative_to(evidence).as_posix()}": path.read_bytes() for path in files
    }
    with zipfile.ZipFile(out) as other:
        assert other.testzip() is None
        assert {name: other.read(name) for name in found} == found
        assert "artifacts/" in other.namelist()


def test_content_types_come_from_the_extension_alone(tmp_path: Path, evidence: Path) -> None:
    built = build_pack(tmp_path / "out.epack", [evidence], stream="s")
    types = {item.path: item.content_type for item in built.manifest.embedded}
    assert types["artifacts/aws/iam.json"] == "application/json"
    assert types["artifacts/résumé.md"] == "text/markdown"
    assert types["artifacts/noise.bin"] is None


def test_a_file_gets_its_own_name_and_a_folder_its_inner_ones(
    tmp_path: Path, evidence: Path
) -> None:
    built = build_pack(
        tmp_path / "out.epack", [evidence / "empty.txt", evidence / "aws"], stream="s"
    )
    assert [item.path for item in built.manifest.embedded] == [
        "artifacts/empty.txt",
        "artifacts/iam.json",
    ]


def test_a_pack_without_artifacts_is_a_pack(tmp_path: Path) -> None:
    assert build_pack(tmp_path / "out.epack", [], stream="s").artifacts == 0


def test_nothing_inflates_so_much_that_a_reader_fears_a_bomb(
    tmp_path: Path, evidence: Path
) -> None:
    out = tmp_path / "out.epack"
    build_pack(out, [evidence], stream="s", limits=Limits(max_compression_ratio=100_000))
    with open_pack(out) as pack:  # with the default limits of everybody else
        pack.check_integrity()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, evidence: Path) -> None:
    first, second = tmp_path / "first.epack", tmp_path / "second.epack"
    build_pack(first, [evidence], stream="s", generated_at=WHEN)
    later = time.time() - 86_400
    for path in evidence.rglob("*"):
        os.utime(path, (later, later))
        path.chmod(0o700)
    script = (
        "import os, sys; os.umask(0o077)\n"
        "from datetime import datetime; from pathlib import Path\n"
        "from attest.pack.builder import build_pack\n"
        "build_pack(Path(sys.argv[1]), [Path('evidence')], stream='s',"
        " generated_at=datetime.fromisoformat('2026-11-21T09:00:00.750+01:00'))\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, second],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"},
        check=True,
        timeout=60,
    )
    assert first.read_bytes() == second.read_bytes()


def test_the_time_is_written_in_utc_and_whole_seconds(tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=9))
    when = datetime(2026, 1, 1, 8, 30, 0, 999_999, tzinfo=zone)
    built = build_pack(tmp_path / "out.epack", [], stream="s", generated_at=when)
    assert built.generated_at == datetime(2025, 12, 31, 23, 30, 0, tzinfo=UTC)


def test_an_existing_pack_is_only_replaced_when_asked(tmp_path: Path, evidence: Path) -> None:
    out = tmp_path / "out.epack"
    out.write_bytes(b"precious")
    with pytest.raises(UsageError) as caught:
        build_pack(out, [evidence], stream="s")
    assert caught.value.code == "file_exists"
    assert out.read_bytes() == b"precious"
    out.chmod(0o640)
    build_pack(out, [evidence], stream="s", replace=True)
    with open_pack(out) as pack:
        pack.check_integrity()
    if sys.platform != "win32":
        assert out.stat().st_mode & 0o777 == 0o640


def _symlink(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "empty.txt")


def _linked_folder(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "aws")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def _socket(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(folder / "s"))


SPOILERS: list[tuple[str | Callable[[Path], None], str]] = [
    ("con.json", "reserved_name"),
    ("aws/NUL", "reserved_name"),
    ("cafe\u0301.txt", "path_not_nfc"),
    ("a:b", "invalid_path"),
    ("a\\b", "invalid_path"),
    ("a\nb", "invalid_path"),
    ("dot.", "invalid_path"),
    ("x" * 81, "invalid_path"),
    (".DS_Store", "apple_metadata"),
    ("._iam.json", "apple_double"),
    ("EMPTY.txt", "duplicate_path"),
    ("AWS", "duplicate_path"),
    (_symlink, "zip_symlink"),
    (_linked_folder, "zip_symlink"),
    (_pipe, "unreadable_file"),
    (_socket, "unreadable_file"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="needs names that Windows cannot create")
@pytest.mark.parametrize(
    ("spoiler", "code"),
    SPOILERS,
    ids=[
        s.encode("ascii", "backslashreplace").decode()[:20] if isinstance(s, str) else s.__name__
        for s, _ in SPOILERS
    ],
)
def test_what_the_rules_forbid_is_refused_and_nothing_is_left(
    tmp_path: Path, evidence: Path, spoiler: str | Callable[[Path], None], code: str
) -> None:
    if callable(spoiler):
        spoiler(evidence)
    elif (evidence / spoiler).exists():
        pytest.skip("the file system ignores case")
    else:
        (evidence / spoiler).write_bytes(b"x")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError) as caught:
        build_pack(tmp_path / "out.epack", [evidence], stream="s")
    assert caught.value.code == code
    assert caught.value.where
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(sys.platform != "linux", reason="needs bytes as file names")
def test_a_file_name_that_is_not_utf8_is_refused(tmp_path: Path, evidence: Path) -> None:
    with open(os.fsencode(evidence) + b"/\xff", "wb"):  # noqa: PTH123 - Path has no bytes
        pass
    with pytest.raises(UsageError) as caught:
        build_pack(tmp_path / "out.epack", [evidence], stream="s")
    assert caught.value.code == "invalid_path"


def _build(out: str, inputs: list[str], **changes: object) -> Callable[[Path], object]:
    def call(root: Path) -> object:
        arguments: dict[str, object] = {"stream": "s"} | changes
        return build_pack(root / out, [root / name for name in inputs], **arguments)  # type: ignore[arg-type]  # any argument

    return call


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (_build("out.zip", ["evidence"]), "invalid_extension"),
        (_build("out", ["evidence"]), "invalid_extension"),
        (_build("no/folder/out.epack", ["evidence"]), "unwritable_file"),
        (_build("out.epack", ["missing"]), "file_not_found"),
        (_build("out.epack", ["evidence/empty.txt/x"]), "file_not_found"),
        (_build("out.epack", ["evidence", "evidence/empty.txt"]), "duplicate_path"),
        (_build("out.epack", ["evidence"], stream=""), "invalid_stream"),
        (_build("out.epack", ["evidence"], stream="\ud800"), "jcs_invalid"),
        (_build("out.epack", [], generated_at=datetime(2026, 1, 1)), "invalid_time"),  # noqa: DTZ001
        (
            _build("out.epack", [], description=Description(sources=(Source(name=""),))),
            "invalid_name",
        ),
        (
            _build(
                "out.epack",
                [],
                description=Description(
                    references=(
                        ReferencedArtifact(
                            name="x", uri="http://x.example", access_policy="public"
                        ),
                    )
                ),
            ),
            "insecure_scheme",
        ),
        (
            _build("out.epack", ["evidence"], limits=Limits(max_artifact_bytes=1_048_576)),
            "artifact_too_large",
        ),
    ],
)
def test_a_wrong_call_is_refused_and_nothing_is_left(
    tmp_path: Path, evidence: Path, call: Callable[[Path], object], code: str
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError) as caught:
        call(tmp_path)
    assert caught.value.code == code
    assert sorted(tmp_path.iterdir()) == before
    assert evidence.is_dir()


def test_a_pack_never_contains_itself(evidence: Path) -> None:
    out = evidence / "out.epack"
    build_pack(out, [evidence], stream="s")
    before = out.read_bytes()
    with pytest.raises(UsageError) as caught:
        build_pack(out, [evidence], stream="s", replace=True)
    assert caught.value.code == "output_inside_input"
    assert out.read_bytes() == before


def test_limits_on_number_and_total_are_kept(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for index in range(101):
        (many / f"{index}").touch()
    with pytest.raises(UsageError) as caught:
        build_pack(tmp_path / "m.epack", [many], stream="s", limits=Limits(max_artifacts=100))
    assert caught.value.code == "too_many_artifacts"
    large = tmp_path / "large"
    large.mkdir()
    for index in range(2):
        (large / f"{index}").write_bytes(bytes(6_000_000))
    with pytest.raises(UsageError) as caught:
        build_pack(
            tmp_path / "l.epack", [large], stream="s", limits=Limits(max_pack_bytes=10**7 + 485_760)
        )
    assert caught.value.code == "pack_too_large"


def test_the_evidence_of_the_demonstration_builds(tmp_path: Path) -> None:
    built = build_pack(
        tmp_path / "demo.epack", [ROOT / "testdata" / "evidence"], stream="acme/prod"
    )
    assert "artifacts/aws/iam-policies.json" in {item.path for item in built.manifest.embedded}
    assert all(item.content_type for item in built.manifest.embedded)
