"""Settings come from where they may, in the order of precedence, and nothing else is read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from attest.config import cache_folder, config_file, config_folder, load_settings
from attest.errors import UsageError
from attest.limits import DEFAULT_LIMITS, FLOORS


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults() -> None:
    settings = load_settings({})
    assert (settings.output, settings.color, settings.offline) == ("text", "auto", False)
    assert settings.instance is None
    assert settings.limits is DEFAULT_LIMITS


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    file = write(
        tmp_path / "c.toml",
        "[limits]\nmax_artifacts = 200\nmax_attestations = 20\n",
    )
    limits = load_settings({"ATTEST_MAX_ARTIFACTS": "300"}, file=file).limits
    assert (limits.max_artifacts, limits.max_attestations) == (300, 20)


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_every_limit_has_its_variable(name: str) -> None:
    value = FLOORS[name] + 1
    limits = load_settings({f"ATTEST_{name.upper()}": str(value)}).limits
    assert getattr(limits, name) == value


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.cache/attest"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/x/attest"),
        ("linux", {"HOME": "/h", "XDG_CACHE_HOME": "x"}, "/h/.cache/attest"),
        ("linux", {"HOME": "/h", "ATTEST_CACHE_DIR": "/c"}, "/c"),
        ("linux", {"HOME": "/h", "ATTEST_CACHE_DIR": ""}, "/h/.cache/attest"),
        ("linux", {"HOME": "h", "XDG_CACHE_HOME": "x"}, None),
        ("linux", {}, None),
        ("darwin", {"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "/h/Library/Caches/attest"),
        ("win32", {"HOME": "/h"}, None),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/attest/cache"),
        ("win32", {"LOCALAPPDATA": "relative"}, None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the paths are POSIX ones")
def test_the_cache_is_where_the_platform_has_it(
    platform: str, environ: dict[str, str], expected: str | None
) -> None:
    assert cache_folder(environ, platform) == (Path(expected) if expected else None)


def test_a_cache_in_the_working_directory_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({"ATTEST_CACHE_DIR": "cache"})
    assert caught.value.code == "invalid_setting"


def test_decisions_lie_beside_the_configuration() -> None:
    environ = {"HOME": "/h", "ATTEST_CACHE_DIR": "/c"}
    assert config_folder(environ, "linux") == Path("/h/.config/attest")
    assert config_folder({}, "linux") is None


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"HOME": "/h"}, "/h/.config/attest/config.toml"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}, "/x/attest/config.toml"),
        ("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "x"}, "/h/.config/attest/config.toml"),
        ("linux", {"HOME": "h", "XDG_CONFIG_HOME": "x"}, None),
        ("linux", {}, None),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/attest/config.toml"),
        ("win32", {"HOME": "/h"}, None),
        ("win32", {"APPDATA": "relative"}, None),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the paths are POSIX ones")
def test_the_file_is_in_the_users_own_folder(
    platform: str, environ: dict[str, str], expected: str | None
) -> None:
    found = config_file(environ, platform)
    assert (found and str(found)) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="the path is a POSIX one")
def test_the_users_file_is_read_unasked(tmp_path: Path) -> None:
    write(tmp_path / "attest" / "config.toml", 'output = "json"\n')
    assert load_settings({"XDG_CONFIG_HOME": str(tmp_path)}).output == "json"


def test_the_working_folder_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config.toml", "attest.toml", ".attest.toml", "attest/config.toml"):
        write(tmp_path / name, 'output = "json"\n')
    monkeypatch.chdir(tmp_path)
    relative = {"HOME": ".", "XDG_CONFIG_HOME": ".", "APPDATA": "."}
    assert load_settings({}).output == "text"
    assert load_settings(relative).output == "text"


@pytest.mark.parametrize(
    "text",
    [
        "color = 'never'",
        "offline = true",
        "instance = 'sigstore'",
        "output = 1",
        "output = 'xml'",
        "limits = 1",
        "[limits]\nmax_everything = 1",
        "[limits",
        "output = 'json'\noutput = 'json'",
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({}, file=write(tmp_path / "c.toml", text))
    assert caught.value.code == "invalid_setting"


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(b"output = '\xff'")
    with pytest.raises(UsageError) as caught:
        load_settings({}, file=file)
    assert caught.value.code == "invalid_setting"


@pytest.mark.parametrize(
    ("limit", "code"),
    [("0", "limits_disabled"), ("-1", "limits_disabled"), ("1", "below_minimum"),
     ("1.5", "invalid_limit"), ("true", "invalid_limit"), ("'9'", "invalid_limit")],
)  # fmt: skip
def test_a_bad_limit_is_refused(tmp_path: Path, limit: str, code: str) -> None:
    file = write(tmp_path / "c.toml", f"[limits]\nmax_artifact_bytes = {limit}\n")
    with pytest.raises(UsageError) as caught:
        load_settings({}, file=file)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "environ",
    [
        {"ATTEST_OUTPUT": "JSON"},
        {"ATTEST_COLOR": "yes"},
        {"ATTEST_OFFLINE": "maybe"},
        {"ATTEST_MAX_ARTIFACTS": "١٢٣"},
        {"ATTEST_MAX_ARTIFACTS": "1e6"},
        {"ATTEST_MAX_ARTIFACTS": "-1"},
        {"ATTEST_MAX_ARTIFACTS": "9" * 30},
        {"ATTEST_MAX_WHATEVER": "1"},
    ],
)
def test_a_bad_variable_is_refused(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings(environ)
    assert caught.value.code == "invalid_setting"


@pytest.mark.parametrize(
    ("text", "offline"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
def test_offline_is_yes_or_no(text: str, offline: bool) -> None:  # noqa: FBT001 - a table's column
    assert load_settings({"ATTEST_OFFLINE": text}).offline is offline


def test_an_empty_variable_is_as_good_as_none() -> None:
    names = ("OUTPUT", "COLOR", "OFFLINE", "INSTANCE", "MAX_ARTIFACTS")
    assert load_settings({f"ATTEST_{name}": "" for name in names}) == load_settings({})


def test_the_instance_comes_from_the_environment() -> None:
    assert load_settings({"ATTEST_INSTANCE": "staging"}).instance == "staging"
