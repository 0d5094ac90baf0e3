"""Put the shared data folders into the wheel; everything else is in pyproject.toml."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent

#: Folder of the checkout -> folder inside the package (see attest/shared_data.py).
SHARED = {"testdata/evidence": "attest/_share/evidence", "policy": "attest/_share/policy"}


class BuildWithSharedData(build_py):
    """`build_py` that also copies the data which lives outside the package."""

    def run(self) -> None:
        """Build the modules, then copy; an editable install reads the checkout itself."""
        super().run()
        if not self.editable_mode:
            for source, target in SHARED.items():
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, Path(self.build_lib, target), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithSharedData})
