"""Network namespaces of our own, where the machine allows them."""

import subprocess
import sys

import pytest


def _may_make_namespaces() -> bool:
    if sys.platform != "linux":
        return False
    return subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True).returncode == 0


needs_namespaces = pytest.mark.skipif(not _may_make_namespaces(), reason="needs network namespaces")
