"""A CI job to be: its variables, its tools in PATH, and the machine that it runs on."""

from __future__ import annotations

import builtins
import io
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attest.errors import AttestError
from attest.oidc import IdentityToken
from attest.signing.ambient import ask, system_of
from tests.signing.test_oidc import mint

NOW = int(datetime.now(UTC).timestamp())


def token(claims: Mapping[str, object]) -> str:
    return mint({"iat": NOW - 10, "exp": NOW + 3000, **claims})


def fails(attempt: Callable[[], object]) -> AttestError:
    with pytest.raises(AttestError) as caught:
        attempt()
    return caught.value


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this machine's firmware calls it, whatever it really is; tests may change it."""
    product = ["Standard PC"]
    real = builtins.open

    def opened(file: object, *args: object, **kwargs: object) -> object:
        if file == "/sys/class/dmi/id/product_name":
            return io.StringIO(f"{product[0]}\n")
        return real(file, *args, **kwargs)  # type: ignore[call-overload]  # passed on as it came

    monkeypatch.setattr(builtins, "open", opened)
    return product


class Environment:
    """Variables of the job, in the process too, where the library reads them; and its tools."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.variables: dict[str, str] = {}

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self.variables[name] = value
            self.monkeypatch.setenv(name, value)

    def tool(self, name: str, *, prints: str = "", fails_with: str = "") -> None:
        """Put a program into PATH; it writes down its arguments."""
        script = self.folder / name
        script.write_text(
            f"#!{sys.executable}\n"
            "import sys\n"
            f"open({str(self.folder / 'arguments')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
            f"print({prints!r})\n"
            f"sys.stderr.write({fails_with!r})\n"
            f"sys.exit({int(bool(fails_with))})\n"
        )
        script.chmod(0o755)
        self.set(PATH=str(self.folder))

    def ask(self) -> IdentityToken:
        system = system_of(self.variables)
        assert system is not None
        return IdentityToken.from_text(ask(system, self.variables))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(tmp_path, monkeypatch)
