"""`python pages_server.py <folder> <port> <instant>`: the seeds, served as if it were that instant."""

import sys
from datetime import datetime
from pathlib import Path

from service import seed_loader, server
from service.app import build
from service.bootstrap import open_service
from service.catalogue import seeds
from service.clock import SimulatedClock
from service.settings import BUNDLED_SEEDS, Settings


def main(folder: str, port: str, instant: str) -> None:
    now = datetime.fromisoformat(instant)
    settings = Settings(
        database_url=f"sqlite:///{Path(folder) / 'dday.db'}",
        port=int(port),
        public_url="https://dday.example",
        rate_limit=0,
        deliver=False,
        seeds=None,
    )
    service = open_service(settings, clock=SimulatedClock(now))
    seed_loader.load(service.store, seeds.parse(seed_loader.read_folder(BUNDLED_SEEDS)), now=now)
    answering = server.serve(
        build(service), host="127.0.0.1", port=settings.port, ready=lambda: print("ready", flush=True)
    )
    server.run(answering)


if __name__ == "__main__":
    main(*sys.argv[1:])
