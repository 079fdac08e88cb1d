"""The receiver of `dday listen` and `dday demo`: an independent judge decides what is genuine."""

import base64
import http.client
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from service.cli.receiver import BODY_LIMIT, Receiver, judge

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
BODY = '{"type": "event.reminder"}'


def signed(at, body=BODY):
    moment = datetime.fromtimestamp(at, UTC)
    signature = Webhook(SECRET).sign("dlv_1", moment, body)
    return {"webhook-id": "dlv_1", "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.parametrize("simulated", [False, True])
def test_a_genuine_message_has_no_fault(simulated):
    assert judge(SECRET, headers=signed(int(time.time())), body=BODY.encode(), simulated=simulated) is None


@pytest.mark.parametrize("simulated", [False, True])
def test_a_changed_body_is_found(simulated):
    headers = signed(int(time.time()))
    fault = judge(SECRET, headers=headers, body=BODY.replace("e", "E", 1).encode(), simulated=simulated)
    assert fault == "No matching signature found"


def test_an_old_message_is_refused_unless_time_is_simulated():
    headers = signed(1_756_771_200)
    assert judge(SECRET, headers=headers, body=BODY.encode()) == "Message timestamp too old"
    assert judge(SECRET, headers=headers, body=BODY.encode(), simulated=True) is None


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize(
    "headers", [{}, {"webhook-id": "x", "webhook-timestamp": "soon", "webhook-signature": "v1"}]
)
def test_headers_that_make_no_sense_are_a_fault(headers, simulated):
    assert judge(SECRET, headers=headers, body=b"{}", simulated=simulated) is not None


def post(url, body, **headers):
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_what_arrives_is_handed_on_with_its_verdict():
    seen = []

    def answer(arrival):
        seen.append((arrival.id, arrival.body, arrival.fault))
        return 202

    with Receiver(answer, secret=lambda: SECRET) as receiver:
        assert post(receiver.url, BODY.encode(), **signed(int(time.time()))) == 202
        assert post(receiver.url, b"{}") == 202
    assert seen == [("dlv_1", BODY.encode(), None), ("", b"{}", "Missing required headers")]


def test_a_body_without_end_is_refused_before_it_is_read():
    with Receiver(lambda arrival: 204, secret=lambda: SECRET) as receiver:
        connection = http.client.HTTPConnection(receiver.url.split("/")[2], timeout=5)
        connection.putrequest("POST", "/")
        connection.putheader("content-length", str(BODY_LIMIT + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413
        connection.close()
