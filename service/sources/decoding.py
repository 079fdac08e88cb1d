"""Which adapter reads which source, and bodies that are decoded whatever they hold."""

from service.sources.adapters.bizinfo import BizinfoDataGo, BizinfoOwn
from service.sources.adapters.kstartup import KStartup
from service.sources.records import Adapter, Ask, Decoded, SourceError

_ALL: tuple[Adapter, ...] = (BizinfoDataGo(), BizinfoOwn(), KStartup())
ADAPTERS = {adapter.name: adapter for adapter in _ALL}


def decoded(body: bytes, content_type: str, ask: Ask) -> Decoded:
    """Raises nothing but MemoryError: whatever else is wrong with a body is an answer."""
    try:
        return Decoded(page=ADAPTERS[ask.adapter].decode(body, content_type, ask))
    except SourceError as error:
        return Decoded(code=error.code, reason=error.reason, until=error.until)
    except RecursionError:
        return Decoded(code="limit", reason="It is nested too deeply.")
    except MemoryError:
        raise
    except Exception as error:
        return Decoded(code="not_this", reason=f"It cannot be read: {type(error).__name__}.")
