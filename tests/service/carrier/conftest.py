import pytest

from tests.receiver import Receiver, Reply


@pytest.fixture
def silent():
    """A receiver that takes every request and never answers."""

    async def wait(reader, writer):
        await reader.read()

    with Receiver() as running:
        running.reply_with(Reply(raw=wait))
        yield running
