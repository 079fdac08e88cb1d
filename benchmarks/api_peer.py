"""What `benchmarks/api.py` is measured beside: FastAPI, SQLAlchemy's ORM over aiosqlite, pydantic.

Written as their documentation suggests: a session a request, typed models, relations by `selectinload`.
The question is the same: 50 of 100,000 events by tag from an instant on, in order of their start. The data is
read from our own database, so both send the same events.
"""

import json
import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import JSON, ForeignKey, Index, create_engine, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload


class Base(DeclarativeBase):
    pass


class Tag(Base):
    __tablename__ = "tag"
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
    lo: Mapped[str]
    __table_args__ = (Index("tag_lo", "tag", "lo", "event_id"),)


class Participation(Base):
    __tablename__ = "participation"
    event_id: Mapped[str] = mapped_column(ForeignKey("event.id"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)


class Event(Base):
    __tablename__ = "event"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[dict[str, Any]] = mapped_column(JSON)
    summary: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    status: Mapped[str]
    start: Mapped[str | None]
    end: Mapped[str | None]
    timezone: Mapped[str]
    close_rule: Mapped[str | None]
    close_text: Mapped[str | None]
    series: Mapped[str | None]
    program: Mapped[str | None]
    part_of: Mapped[str | None]
    city: Mapped[str | None]
    url: Mapped[str | None]
    earliest: Mapped[str]
    latest: Mapped[str]
    when: Mapped[dict[str, Any]] = mapped_column(JSON)
    disputed: Mapped[bool]
    revision: Mapped[int]
    created_at: Mapped[str]
    updated_at: Mapped[str]
    tags: Mapped[list[Tag]] = relationship()
    organizations: Mapped[list[Participation]] = relationship()


class TagOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    tag: str


class ParticipationOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    role: str


class EventOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: str
    name: dict[str, Any]
    summary: dict[str, Any] | None
    status: str
    start: str | None
    end: str | None
    timezone: str
    close_rule: str | None
    close_text: str | None
    series: str | None
    program: str | None
    part_of: str | None
    city: str | None
    url: str | None
    when: dict[str, Any]
    disputed: bool
    revision: int
    created_at: str
    updated_at: str
    tags: list[TagOut]
    organizations: list[ParticipationOut]


class Page(BaseModel):
    items: list[EventOut]


app = FastAPI()
FILE = os.environ.get("PEER_DATABASE", "peer.db")
sessions = async_sessionmaker(create_async_engine(f"sqlite+aiosqlite:///{FILE}"), expire_on_commit=False)


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


@app.get("/v1/events")
async def listed(
    opened: Annotated[AsyncSession, Depends(session)],
    tag: str,
    from_: Annotated[str, Query(alias="from")],
    limit: int = 50,
) -> Page:
    wanted = (
        select(Event)
        .join(Tag, Tag.event_id == Event.id)
        .where(Tag.tag == tag, Tag.lo >= from_)
        .order_by(Tag.lo, Tag.event_id)
        .limit(limit)
        .options(selectinload(Event.tags), selectinload(Event.organizations))
    )
    return Page(items=[EventOut.model_validate(event) for event in (await opened.scalars(wanted)).all()])


def fill(ours: Path, file: Path) -> None:
    """The peer's database, from the documents in ours."""
    engine = create_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with sqlite3.connect(ours) as source, sqlite3.connect(file) as target:
        target.execute("PRAGMA journal_mode=WAL")
        for (document,) in source.execute("SELECT document FROM event"):
            event = json.loads(document)
            _add(target, event)
    with sqlite3.connect(file) as target:
        target.execute("ANALYZE")


def _add(target: sqlite3.Connection, event: dict[str, Any]) -> None:
    when = event["when"]
    lo, hi = when["earliest"] or "9999", when["latest"] or "9999"
    columns = [column.name for column in Event.__table__.columns]
    row = {**event, "city": (event["place"] or {}).get("city"), "earliest": lo, "latest": hi}
    packed = [json.dumps(row[c]) if c in ("name", "summary", "when") else row[c] for c in columns]
    quoted = ", ".join(f'"{column}"' for column in columns)
    target.execute(f"INSERT INTO event ({quoted}) VALUES ({', '.join('?' * len(columns))})", packed)
    target.executemany("INSERT INTO tag VALUES (?, ?, ?)", [(event["id"], tag, lo) for tag in event["tags"]])
    target.executemany(
        "INSERT INTO participation VALUES (?, ?, ?)",
        [(event["id"], part["id"], part["role"]) for part in event["organizations"]],
    )
