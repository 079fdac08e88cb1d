"""A request passed on to a program on this machine, and the program's answer brought back."""

from urllib.parse import urlsplit

import httpx

from service.cli.console import Misused
from service.cli.receiver import Arrival, Reply

ANSWER_LIMIT = 64 << 10
# A reminder's attempt ends after 15 s; until then the answer must be back.
TIMEOUT = 14
HOP_BY_HOP = frozenset({"host", "connection", "content-length", "accept-encoding", "transfer-encoding"})
PASSED_BACK = ("content-type", "retry-after")


class Unanswered(Exception):
    """Why there is no answer to bring back."""


class Forward:
    """Posts each request to one address, unchanged."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(trust_env=False, timeout=TIMEOUT)

    def pass_on(self, arrival: Arrival) -> Reply:
        """What the program answers, with at most the first 64 KiB of its body."""
        # As bytes, for a header may hold any of them. Uncompressed, for the answer is passed back so.
        named = ((k.encode("latin-1"), v.encode("latin-1")) for k, v in arrival.headers.items())
        headers = [(name, value) for name, value in named if name.decode("latin-1") not in HOP_BY_HOP]
        headers.append((b"accept-encoding", b"identity"))
        try:
            with self._client.stream("POST", self._url, content=arrival.body, headers=headers) as answer:
                return Reply(status=answer.status_code, headers=_passed_back(answer), body=_beginning(answer))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(f"{self._url} did not answer: {error}") from None


def target(text: str) -> str:
    """The address of --forward-to, with its query if it has one."""
    try:
        parts = urlsplit(text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            httpx.URL(text)
            return text
    except (ValueError, httpx.InvalidURL):
        pass  # a port or a host that cannot be
    raise Misused(
        f"--forward-to: {text!r} must be an http or https address with a host, such as "
        "http://localhost:3000/hooks."
    )


def _passed_back(answer: httpx.Response) -> dict[str, str]:
    given = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in answer.headers.raw}
    return {name: given[name] for name in PASSED_BACK if name in given}


def _beginning(answer: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) >= ANSWER_LIMIT:
            break
    return bytes(body[:ANSWER_LIMIT])
