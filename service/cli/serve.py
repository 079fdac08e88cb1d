"""`dday serve`: serves until SIGTERM or Ctrl-C; its child, `dday deliver`, plans and sends reminders."""

import logging
from importlib.metadata import version

import msgspec
import rich_click as click

from service import logs, seed_loader, server
from service.app import Service, build, open_service
from service.cli.catalogue import parsed
from service.cli.console import announce, settings_flags
from service.settings import Settings
from service.store import revisions

log = logging.getLogger(__name__)


@click.command()
@settings_flags()
@click.option("--no-deliver", is_flag=True, help="Answer requests only; `dday deliver` sends the reminders.")
def serve(settings: Settings, no_deliver: bool) -> None:
    """Serve pages, JSON and feeds, and deliver reminders.

    In an empty folder it makes dday.db and its key file, and loads the seeds.
    """
    if no_deliver:
        settings = msgspec.structs.replace(settings, deliver=False)
    logs.configure(settings.log)
    server.refuse_taken_port(settings.host, settings.port)
    service = opened(settings)

    def ready() -> None:
        url = settings.base_url
        announce(log, f"Dday answers at {url} (Ctrl-C stops it)", url=url, **_built_of(service))

    serving = server.serve(
        build(service), host=settings.host, port=settings.port, ready=ready, http2=settings.http2
    )
    server.run(serving)


def _built_of(service: Service) -> dict[str, object]:
    return {"engine": service.store.dialect, "version": version("dday")}


def opened(settings: Settings) -> Service:
    """The service. A catalogue that has never held anything is filled from the seeds.

    Later starts leave it alone; `dday seed` brings what is new in the seeds.
    """
    service = open_service(settings, apart=settings.deliver)
    try:
        if settings.seeds is not None and service.store.read(revisions.head) == 0:
            announce(log, "A new catalogue: loading the seeds …")
            loaded = seed_loader.load(service.store, parsed(settings.seeds), now=service.clock.now())
            log.info("%d seeds loaded", loaded.created, extra={"seeds": loaded.created})
    except BaseException:
        service.close()
        raise
    return service
