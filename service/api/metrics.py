"""What Prometheus collects."""

from litestar import Response, get

from service.api.call import Call
from service.api.operations import Media, operation
from service.metrics import CONTENT_TYPE


@get(
    "/metrics", opt=operation("Metrics", tag="About", answers={200: Media(type="text/plain")}, limited=False)
)
async def metrics(request: Call) -> Response[bytes]:
    """Counters and gauges for Prometheus: queue, lag, attempts by outcome. No names, no secrets."""
    return Response(request.service.metrics.shown(), headers={"content-type": CONTENT_TYPE})


HANDLERS = (metrics,)
