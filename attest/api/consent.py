"""Who has agreed to sign in public, instance by instance: one file each in the user's folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from attest.atomic import write_new
from attest.errors import UsageError
from attest.signing.instance import PUBLIC_INSTANCES


@dataclass(frozen=True, kw_only=True, slots=True)
class Consents:
    """The answers that are remembered, in a folder that need not exist; None remembers nothing."""

    folder: Path | None

    def given(self, instance: str) -> bool:
        """Whether the user has agreed for this public instance before."""
        path = self._path(instance)
        return path is not None and path.is_file()

    def remember(self, instance: str) -> Path | None:
        """Remember that the user agrees; the file, which may be removed to be asked again.

        Raises:
            UsageError: `unwritable_file`.
        """
        path = self._path(instance)
        if path is None:
            return None
        text = f"agreed on {datetime.now(UTC):%Y-%m-%d} to sign in public with {instance}\n"
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_new(path, text.encode(), mode=0o600)
        except OSError as error:
            raise UsageError(
                "unwritable_file", error.strerror or str(error), where=str(path.parent)
            ) from None
        except UsageError as error:
            if error.code != "file_exists":  # another run was faster
                raise
        return path

    def _path(self, instance: str) -> Path | None:
        # Only of names that we know: a path is made of it.
        if self.folder is None or instance not in PUBLIC_INSTANCES:
            return None
        return self.folder / "signs-in-public" / instance
