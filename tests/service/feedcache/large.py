"""Many ordinary events: what a calendar looks like when it has grown."""

from datetime import UTC, date, datetime, timedelta

from service.catalogue import validation
from service.catalogue.event import Event, Place, Text

NOW = datetime(2026, 3, 1, 3, tzinfo=UTC)


def catalogue(size: int) -> list[Event]:
    return [validation.check(_event(number)) for number in range(size)]


def _event(number: int) -> Event:
    day = date(2026, 3, 2) + timedelta(days=number % 500)
    return Event(
        id=f"event-{number}",
        kind="conference",
        name=Text(ko=f"글로벌 스타트업 콘퍼런스 {number}", en=f"Global startup conference {number}"),
        summary=Text(ko="창업자와 투자자가 만나 기술과 시장을 이야기하는 자리입니다. " * 3),
        start=f"{day}T{9 + number % 9:02}:00",
        end=f"{day}T{10 + number % 9:02}:30",
        place=Place(name=Text(ko="동대문디자인플라자"), city="서울", address="서울 중구 을지로 281"),
        tags=("ai", "startup"),
        url="https://conference.example/2026",
    )
