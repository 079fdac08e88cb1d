"""What runs in the sending process, second after second for months."""

import asyncio

from service.sender import program


def test_waiting_between_two_words_leaves_nothing_behind():
    async def run():
        event = asyncio.Event()
        for _ in range(5):
            await program._either(event, seconds=0.001)
        left = len(asyncio.all_tasks())
        event.set()
        await program._either(event, seconds=60)
        return left

    assert asyncio.run(run()) == 1
