"""Settings from the command line, the environment and the user's own configuration file.

An option beats the environment, which beats the file, which beats the default. The file sets only
limits and the output format, and it is never looked for in the working directory: what says whom
to trust, or weakens a check, is on the command line only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from attest.errors import UsageError
from attest.files import read_file
from attest.limits import DEFAULT_LIMITS, Limits
from attest.terminal import When

Output: TypeAlias = Literal["text", "json", "sarif", "junit", "markdown"]

_LIMITS = tuple(field.name for field in fields(Limits))
_PREFIX = "ATTEST_MAX_"
#: A file with every setting in it has less than a thousand bytes.
_LARGEST = 1_048_576
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Everything that may be set outside a command's own options."""

    output: Output = "text"
    color: When = "auto"
    offline: bool = False
    instance: str | None = None
    #: Of what can be fetched again; None where no absolute folder is known.
    cache_folder: Path | None = None
    #: Of what the user decided; None where no absolute folder is known.
    config_folder: Path | None = None
    #: Of what runs remember, and losing would weaken; None where no absolute folder is known.
    state_folder: Path | None = None
    limits: Limits = DEFAULT_LIMITS


def load_settings(
    environ: Mapping[str, str],
    *,
    output: str | None = None,
    color: str | None = None,
    limits: Sequence[str] = (),
    file: Path | None = None,
) -> Settings:
    """Gather the settings.

    Args:
        environ: the environment.
        output: value of `--output`, if given.
        color: value of `--color`, if given.
        limits: values of `--limit`, each `NAME=VALUE`; of one name the last counts.
        file: value of `--config`, if given; else the user's configuration file, if there is one.

    Raises:
        UsageError: `invalid_setting`, `config_not_found`, `limits_disabled`, `below_minimum`.
    """
    from_file = _read_file(file, environ)
    bounds = {
        **from_file.limits,
        **_limits_of_environment(environ),
        **_limits_of_options(limits),
    }
    return Settings(
        output=_output(output, "--output")
        or _output(environ.get("ATTEST_OUTPUT"), "ATTEST_OUTPUT")
        or from_file.output
        or "text",
        color=_color(color, "--color")
        or _color(environ.get("ATTEST_COLOR"), "ATTEST_COLOR")
        or "auto",
        offline=_flag(environ, "ATTEST_OFFLINE"),
        instance=environ.get("ATTEST_INSTANCE") or None,
        cache_folder=cache_folder(environ),
        config_folder=config_folder(environ),
        state_folder=state_folder(environ),
        limits=Limits(**bounds) if bounds else DEFAULT_LIMITS,
    )


def config_file(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """Where the user's configuration file is, or None where no absolute folder is known.

    Args:
        environ: the environment.
        platform: as `sys.platform` spells it.
    """
    folder = config_folder(environ, platform)
    return None if folder is None else folder / "config.toml"


def config_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The folder of what the user decided, or None where no absolute folder is known.

    Args:
        environ: the environment.
        platform: as `sys.platform` spells it.

    Source: XDG Base Directory Specification, which has relative values ignored.
    """
    home = environ.get("HOME")
    if platform == "win32":
        return _first_absolute(environ.get("APPDATA"))
    if platform == "darwin":
        return _first_absolute(home and f"{home}/Library/Application Support")
    return _first_absolute(environ.get("XDG_CONFIG_HOME"), home and f"{home}/.config")


def cache_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The folder of what can be fetched again: `ATTEST_CACHE_DIR`, else as the platform has it.

    Args:
        environ: the environment.
        platform: as `sys.platform` spells it.

    Raises:
        UsageError: `invalid_setting` if `ATTEST_CACHE_DIR` is not an absolute path: a cache in
            the working directory would be whatever somebody put there.

    Source: XDG Base Directory Specification, which has relative values ignored.
    """
    chosen = environ.get("ATTEST_CACHE_DIR")
    if chosen:
        if not Path(chosen).is_absolute():
            raise UsageError(
                "invalid_setting",
                f"'{chosen}' is not an absolute path",
                where="ATTEST_CACHE_DIR",
                hint="begin it at the root of the file system",
            )
        return Path(chosen)
    home = environ.get("HOME")
    if platform == "win32":
        folder = _first_absolute(environ.get("LOCALAPPDATA"))
        return None if folder is None else folder / "cache"
    if platform == "darwin":
        return _first_absolute(home and f"{home}/Library/Caches")
    return _first_absolute(environ.get("XDG_CACHE_HOME"), home and f"{home}/.cache")


def state_folder(environ: Mapping[str, str], platform: str = sys.platform) -> Path | None:
    """The folder of what runs remember, or None where no absolute folder is known.

    Args:
        environ: the environment.
        platform: as `sys.platform` spells it.

    Source: XDG Base Directory Specification, which has relative values ignored.
    """
    home = environ.get("HOME")
    if platform == "win32":
        folder = _first_absolute(environ.get("LOCALAPPDATA"))
        return None if folder is None else folder / "state"
    if platform == "darwin":
        folder = _first_absolute(home and f"{home}/Library/Application Support")
        return None if folder is None else folder / "state"
    return _first_absolute(environ.get("XDG_STATE_HOME"), home and f"{home}/.local/state")


def _first_absolute(*folders: str | None) -> Path | None:
    """Our own folder in the first of these that is an absolute path."""
    for folder in folders:
        if folder and Path(folder).is_absolute():
            return Path(folder, "attest")
    return None


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    import difflib

    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the word that was probably meant, else all that there are."""
    names = sorted(known)
    meant = suggestion(word, names)
    return f"did you mean {meant}?" if meant else f"there are: {', '.join(names)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _FromFile:
    output: Output | None
    limits: Mapping[str, int]


def _read_file(file: Path | None, environ: Mapping[str, str]) -> _FromFile:
    path = file or config_file(environ)
    nothing = _FromFile(output=None, limits={})
    if path is None:
        return nothing
    try:
        data = read_file(path, limit=_LARGEST)
    except UsageError as error:
        if file is None and error.code == "file_not_found":
            return nothing
        raise UsageError(
            "config_not_found", f"the configuration: {error.message}", where=str(path)
        ) from None
    if len(data) > _LARGEST:
        raise UsageError("invalid_setting", f"larger than {_LARGEST} bytes", where=str(path))
    return _parse_file(data, str(path))


def _parse_file(data: bytes, where: str) -> _FromFile:
    import tomllib

    try:
        document: dict[str, object] = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError("invalid_setting", f"is not TOML: {error}", where=where) from None
    _known(document, ("output", "limits"), where)
    output, limits = document.get("output"), document.get("limits", {})
    if output is not None and not isinstance(output, str):
        raise UsageError("invalid_setting", "output must be a string", where=where)
    if not isinstance(limits, dict):
        raise UsageError("invalid_setting", "limits must be a table", where=where)
    _known(limits, _LIMITS, f"{where}: limits")
    return _FromFile(output=_output(output, where), limits=limits)


def _known(found: Iterable[str], known: tuple[str, ...], where: str) -> None:
    for name in found:
        if name not in known:
            raise UsageError(
                "invalid_setting",
                f"'{name}' is not a setting",
                where=where,
                hint=did_you_mean(name, known),
            )


def _limits_of_environment(environ: Mapping[str, str]) -> dict[str, int]:
    found = {name: value for name, value in environ.items() if name.startswith(_PREFIX) and value}
    _known(found, tuple(f"ATTEST_{name.upper()}" for name in _LIMITS), "environment")
    return {
        name.removeprefix("ATTEST_").lower(): _whole_number(value, name)
        for name, value in found.items()
    }


def _limits_of_options(options: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise UsageError("invalid_setting", f"'{option}' is not NAME=VALUE", where="--limit")
        _known([name], _LIMITS, "--limit")
        found[name] = _whole_number(value, f"--limit {name}")
    return found


def _whole_number(value: str, where: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 19):
        raise UsageError("invalid_setting", f"'{value}' is not a whole number", where=where)
    return int(value)


def _output(value: str | None, where: str) -> Output | None:
    known: tuple[Output, ...] = get_args(Output)
    for output in known:
        if value == output:
            return output
    if value:
        raise _impossible(value, known, where)
    return None


def _color(value: str | None, where: str) -> When | None:
    if value == "auto":
        return "auto"
    if value == "always":
        return "always"
    if value == "never":
        return "never"
    if value:
        raise _impossible(value, ("auto", "always", "never"), where)
    return None


def _impossible(value: str, known: tuple[str, ...], where: str) -> UsageError:
    return UsageError(
        "invalid_setting",
        f"'{value}' is not possible",
        where=where,
        hint=did_you_mean(value, known),
    )


def _flag(environ: Mapping[str, str], name: str) -> bool:
    value = environ.get(name, "").lower()
    if value not in ("", *_TRUE, *_FALSE):
        raise UsageError(
            "invalid_setting", f"'{value}' is neither yes nor no", where=name, hint="write 1 or 0"
        )
    return value in _TRUE
