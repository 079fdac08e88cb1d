"""The entry that an address bears once another stands in its place: over every day until it is dead.

It does not say where the feed has moved to. Whoever has the old address may have it because it leaked.
"""

from datetime import timedelta

from feeds.entry import Entry
from service.catalogue.date_labels import Words
from service.catalogue.event import Language
from service.catalogue.filters import HOME
from service.catalogue.vocabulary import pick
from service.feedcache.asked import Saved

TITLE = Words(ko="이 캘린더의 주소가 바뀌었습니다", en="This feed has moved")
ABOUT = Words(
    ko="이 주소는 {}까지만 쓸 수 있습니다. 주소를 알려 준 사람에게 새 주소를 물어보세요.",
    en="This address works until {}. Ask whoever gave it to you for the new one.",
)


def notice(saved: Saved, lang: Language, *, uid_domain: str) -> Entry | None:
    """The entry, if the address asked for was replaced.

    Another end makes another entry: no program can keep the old one.
    """
    if saved.moved is None:
        return None
    first, last = (moment.astimezone(HOME).date() for moment in (saved.moved.since, saved.moved.until))
    return Entry(
        uid=f"moved-{last:%Y%m%d}-{saved.id}@{uid_domain}",
        sequence=0,
        created=saved.moved.since,
        updated=saved.moved.since,
        title=pick(TITLE, lang),
        start=first,
        end=last + timedelta(days=1),
        when=f"~ {last.isoformat()}",
        description=pick(ABOUT, lang).format(last.isoformat()),
        language=lang,
    )
