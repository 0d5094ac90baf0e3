"""A cold `attest sign` loads nothing that it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from attest.sandbox import Sandbox

#: What costs more to import than signing takes.
HEAVY = ("sigstore", "sigstore_models", "pydantic", "tuf", "requests", "rich", "id", "jwt", "yaml")
#: What a file that an identity signs has nothing to do with.
OTHERS = ("attest.pack", "attest.api.key", "attest.api.sign_pack", "attest.signing.device")
SIGN = f"""
import sys
from attest.cli.main import main
code = main(sys.argv[1:], stdout=sys.stdout, stderr=sys.stderr, environ={{}})
print([name for name in {HEAVY + OTHERS} if name in sys.modules])
sys.exit(code)
"""


def test_signing_loads_no_other_client(sandbox: Sandbox, tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    file.write_text("all is well\n")
    words = ["sign", str(file), "--trust-config", str(sandbox.trust_config)]
    words += ["--identity-token", sandbox.person_token()]
    done = subprocess.run(
        [sys.executable, "-c", SIGN, *words], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "[]"
