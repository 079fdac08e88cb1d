"""`dday openapi`: the contract as a file, without a running service."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import rich_click as click

from service.api.health import document
from service.app import build, open_service
from service.clock import SystemClock
from service.settings import Settings


@click.command()
def openapi() -> None:
    """Print the OpenAPI 3.1 document of this version."""
    with TemporaryDirectory() as folder:
        service = open_service(Settings(database_url=f"sqlite:///{Path(folder)}/x.db"), clock=SystemClock())
        try:
            made = document(build(service))
        finally:
            service.close()
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(made)).decode() + "\n")
