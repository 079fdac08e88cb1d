import asyncio
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from service.egress.client import NO_ISSUER, Egress, NotFetched, Request
from service.egress.policy import Policy
from service.egress.resolver import Gate, LookUp, Refused
from tests.dials import recorded
from tests.receiver import Receiver, Reply
from tests.spellings import forbidden, urls
from tests.unshared import needs_namespaces

LOOPBACK = Policy(allow=(ip_network("127.0.0.0/8"),))
BOX = Path(__file__).parents[2] / "box.py"


@asynccontextmanager
async def door(policy: Policy = LOOPBACK, *, look_up: LookUp | None = None) -> AsyncIterator[Egress]:
    egress = Egress(policy, deadline=2, look_up=look_up)
    try:
        yield egress
    finally:
        await egress.aclose()


def a_post(url: str) -> Request:
    return Request(url=url, headers={"webhook-id": "dlv_1", "content-type": "application/json"}, body=b"{}")


async def outcomes(requests: list[str], policy: Policy, look_up: LookUp | None = None) -> set[str]:
    async with door(policy, look_up=look_up) as egress:
        answers = await asyncio.gather(*(egress.post(a_post(url)) for url in requests))
    return {answer.outcome for answer in answers}


def test_a_request_arrives_as_it_was_made(receiver):
    async def send():
        async with door() as egress:
            return await egress.post(a_post(receiver.url))

    receiver.reply_with(Reply(status=202, headers={"retry-after": "7"}, body="받음".encode()))
    answer = asyncio.run(send())
    [request] = receiver.requests
    assert (request.method, request.target, request.body, request.id) == ("POST", "/hook", b"{}", "dlv_1")
    assert request.headers["accept-encoding"] == "identity"
    assert (answer.outcome, answer.status, answer.retry_after, answer.excerpt) == ("2xx", 202, "7", "받음")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nBEGIN", "It does not answer as a web server does."),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nBEGIN\r\n",
            "It takes too long to answer.",
        ),
        (b"SSH-2.0-x\r\n", "It does not answer as a web server does."),
    ],
)
def test_half_an_answer_is_none(receiver, answer, sentence):
    async def half(reader, writer):
        writer.write(answer)
        await writer.drain()
        if b"chunked" in answer:
            await reader.read()

    async def fetch():
        async with door() as egress:
            return await egress.fetch(receiver.url, most=100)

    receiver.reply_with(Reply(raw=half))
    with pytest.raises(NotFetched) as refused:
        asyncio.run(fetch())
    assert str(refused.value) == sentence


def test_no_spelling_of_a_forbidden_address_is_dialled():
    every = [url for address in forbidden() for url in urls(address)]
    with recorded() as dials:
        assert asyncio.run(outcomes(every, Policy())) == {"not_allowed"}
    assert dials == []
    assert len(every) > 3000


@pytest.mark.parametrize("address", forbidden(), ids=str)
def test_no_name_leads_to_a_forbidden_address(address):
    answers = {
        "alone.example": [str(address)],
        "mixed.example": ["93.184.216.34", str(address)],
        "twice.example": ["2606:4700::1111", str(address), "1.1.1.1"],
        "zoned.example": [f"{address}%lo" if address.version == 6 else str(address)],
        "empty.example": [],
        "words.example": ["localhost"],
    }
    with recorded() as dials:
        named = [f"https://{name}/" for name in answers]
        assert asyncio.run(outcomes(named, Policy(), lambda host, _: answers[host])) == {"not_allowed"}
    assert dials == []


def test_a_name_that_changes_its_mind_is_judged_at_every_connection(receiver):
    turns = iter(["127.0.0.1", "169.254.169.254", "127.0.0.1", "10.0.0.1"])

    async def send():
        async with door(look_up=lambda *_: [next(turns)]) as egress:
            url = f"http://flip.example:{receiver.port}/"
            return [(await egress.post(a_post(url))).outcome for _ in range(4)]

    receiver.reply_with(Reply(headers={"connection": "close"}))
    with recorded() as dials:
        assert asyncio.run(send()) == ["2xx", "not_allowed", "2xx", "not_allowed"]
    assert dials == [("127.0.0.1", receiver.port)] * 2


def test_the_last_gate_makes_no_socket_for_an_address_the_first_one_missed():
    gate = Gate(Policy(), scheme="https")
    with pytest.raises(Refused):
        gate.socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443)))
    with pytest.raises(Refused):
        gate.socket((socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 443, 0, 0)))


def test_an_open_a_closed_and_an_unknown_destination_are_refused_alike(receiver):
    def look_up(host: str, _: int) -> list[str]:
        if host == "unknown.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return ["127.0.0.1"]

    async def send():
        async with door(Policy(), look_up=look_up) as egress:
            urls = [f"https://127.0.0.1:{receiver.port}/", "https://127.0.0.1:1/", "https://127.0.0.1/"]
            urls += ["https://known.example/", "https://unknown.example/"]
            return [await egress.post(a_post(url)) for url in urls]

    answers = asyncio.run(send())
    assert {(a.outcome, a.status, a.excerpt, a.bytes) for a in answers} == {("not_allowed", None, "", 0)}
    assert receiver.accepts == 0


def test_dns_that_does_not_answer_is_a_failure_of_its_own():
    def look_up(host: str, _: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    assert asyncio.run(outcomes(["https://example.com/"], Policy(), look_up)) == {"dns"}


def test_200_ever_new_dead_names_do_not_delay_a_healthy_one(receiver):
    dead = threading.Event()

    def look_up(host: str, _: int) -> list[str]:
        if host.startswith("dead"):
            dead.wait(30)
        return ["127.0.0.1"]

    async def send():
        async with door(look_up=look_up) as egress:
            waiting = [
                asyncio.create_task(egress.post(a_post(f"http://dead-{n}.example:{receiver.port}/")))
                for n in range(200)
            ]
            await asyncio.sleep(0.2)
            names = [f"healthy-{n}.example" for n in range(20)]
            healthy = [await egress.post(a_post(f"http://{name}:{receiver.port}/")) for name in names]
            dead.set()
            await asyncio.gather(*waiting)
            return healthy

    answers = asyncio.run(send())
    assert {answer.outcome for answer in answers} == {"2xx"}
    assert max(answer.milliseconds for answer in answers) < 250


def test_a_redirect_is_a_failure_and_is_not_followed(receiver):
    receiver.reply_with(Reply(status=307, headers={"location": receiver.url}))
    assert asyncio.run(outcomes([receiver.url], LOOPBACK)) == {"3xx"}
    assert len(receiver.requests) == 1


def test_a_closed_port_inside_the_allow_list_is_told_as_such():
    assert asyncio.run(outcomes(["http://127.0.0.1:1/"], LOOPBACK)) == {"connect"}


def test_a_connection_that_breaks_is_not_tried_again(receiver):
    async def hang_up(reader, writer):
        writer.transport.abort()

    receiver.reply_with(Reply(raw=hang_up))
    assert asyncio.run(outcomes([receiver.url], LOOPBACK)) == {"protocol"}
    assert len(receiver.requests) == 1


def test_proxies_and_certificates_of_the_environment_are_ignored(receiver, tmp_path):
    """In a process of its own, because the environment is read when a client is made."""
    (tmp_path / ".netrc").write_text("default login me password secret\n")
    code = (
        "import asyncio, sys; from tests.service.egress.test_client import outcomes, LOOPBACK;"
        "print(asyncio.run(outcomes(sys.argv[1:], LOOPBACK)))"
    )
    proxy = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:1")
    environment = {**os.environ, **proxy, "SSL_CERT_FILE": "/nonexistent", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, receiver.url],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout == "{'2xx'}\n", done.stderr
    assert "authorization" not in receiver.requests[0].headers


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for `good.example`, and a context of a client that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {key} -days 2"
    named = f"-out {certificate} -subj /CN=good.example -addext subjectAltName=DNS:good.example"
    subprocess.run(f"{made} {named}".split(), check=True, capture_output=True)
    return serving(certificate, key), ssl.create_default_context(cafile=str(certificate))


def serving(certificate, key):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server


@pytest.fixture(scope="module")
def expired(tmp_path_factory):
    """The same, but that the certificate was good for a day of last year."""
    folder, name = (
        tmp_path_factory.mktemp("expired"),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "good.example")]),
    )
    key = ec.generate_private_key(ec.SECP256R1())
    alternative = x509.SubjectAlternativeName([x509.DNSName("good.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2025, 1, 1))  # noqa: DTZ001 - in UTC, as the library wants it
        .not_valid_after(datetime(2025, 1, 2))  # noqa: DTZ001
        .add_extension(alternative, critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return serving(certificate, secret), ssl.create_default_context(cafile=str(certificate))


@pytest.mark.parametrize(
    ("served", "host", "trusted", "said"),
    [
        ("authority", "good.example", True, ""),
        ("authority", "evil.example", True, "The certificate is for another name."),
        ("authority", "127.0.0.1", True, "The certificate is for another name."),
        ("authority", "good.example", False, NO_ISSUER),
        ("expired", "good.example", True, "The certificate has expired."),
    ],
)
def test_an_attempt_says_what_is_wrong_with_a_certificate(request, served, host, trusted, said):
    server, client = request.getfixturevalue(served)

    async def send(port: int) -> str:
        trusting = client if trusted else None
        egress = Egress(LOOPBACK, deadline=5, tls=trusting, look_up=lambda *_: ["127.0.0.1"])
        answer = await egress.post(a_post(f"https://{host}:{port}/"))
        await egress.aclose()
        return answer.excerpt

    with Receiver(tls=server) as receiver:
        assert asyncio.run(send(receiver.port)) == said


@pytest.mark.parametrize(
    ("host", "trusted", "outcome"),
    [
        ("good.example", True, "2xx"),
        ("GOOD.example.", True, "2xx"),
        ("evil.example", True, "tls"),
        ("good.example", False, "tls"),
    ],
)
def test_the_certificate_must_be_for_the_name_and_from_a_known_authority(authority, host, trusted, outcome):
    server, client = authority

    async def send(port: int) -> str:
        egress = Egress(
            LOOPBACK, deadline=5, tls=client if trusted else None, look_up=lambda *_: ["127.0.0.1"]
        )
        answer = await egress.post(a_post(f"https://{host}:{port}/"))
        await egress.aclose()
        return answer.outcome

    with Receiver(tls=server) as receiver:
        assert asyncio.run(send(receiver.port)) == outcome
        assert len(receiver.requests) == (outcome == "2xx")


@needs_namespaces
def test_in_a_world_where_every_address_answers_no_forbidden_one_hears_of_us():
    """Real listeners on every address there is; see tests/box.py."""
    done = subprocess.run(
        ["unshare", "-n", "-m", sys.executable, str(BOX)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "forbidden accepts: 0, public accepts: 3"
