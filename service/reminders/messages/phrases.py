"""What chat messages say, in Korean and English."""

from collections.abc import Mapping
from typing import Literal

from service.catalogue import vocabulary
from service.catalogue.event import Language
from service.catalogue.vocabulary import Phrase, SharedPhrases, table

# Whether the event takes place after all, where its status says otherwise or did so before.
Standing = Literal["cancelled", "postponed", "on_again"]


class MessagePhrases(SharedPhrases):
    when = Phrase("언제", "When")
    where = Phrase("어디서", "Where")
    changed = Phrase("바뀐 것", "Changed")
    reason = Phrase("까닭", "Reason")
    more = Phrase("자세히", "Details")
    page = Phrase("Dday에서 보기", "Open in Dday")
    tentative = Phrase("잠정 일정입니다", "Tentative")
    disputed = Phrase("출처마다 말이 다릅니다", "Sources disagree")
    uncertain = Phrase("확인되지 않은 날짜입니다", "The date is unconfirmed")
    approximate = Phrase("대략적인 날짜입니다", "The date is approximate")
    some_time = Phrase(
        "마감 시각은 알려지지 않았습니다. 보통 16시에서 18시 사이에 마감합니다",
        "The closing time is not known; calls usually close between 16:00 and 18:00",
    )
    may_close_early = Phrase("일찍 마감될 수 있습니다", "May close early")
    test = Phrase("시험 알림", "Test message")
    test_note = Phrase("이 채널로 Dday 알림이 도착합니다.", "Reminders from Dday reach this channel.")
    disabled = Phrase("웹훅이 꺼졌습니다", "A webhook was switched off")
    days = Phrase("{}일", "{} d")
    hours = Phrase("{}시간", "{} h")
    minutes = Phrase("{}분", "{} min")
    before = Phrase("{} 전", "in {}")
    late = Phrase("예정보다 {} 늦게 보냅니다", "Sent {} later than planned")


PHRASES: Mapping[Language, MessagePhrases] = {"ko": MessagePhrases("ko"), "en": MessagePhrases("en")}

ANCHORS = table("""
start  | 시작      | starts
end    | 종료      | ends
opens  | 접수 시작 | applications open
closes | 접수 마감 | applications close
""")
TYPES = table("""
event.created     | 새 일정   | New
event.updated     | 내용 변경 | Updated
event.rescheduled | 일정 변경 | Rescheduled
event.postponed   | 연기      | Postponed
event.cancelled   | 취소      | Cancelled
event.deleted     | 삭제      | Deleted
""")
# The fields whose changes are told.
FIELDS = {
    name: vocabulary.FIELDS[name] for name in ("start", "name", "status", "place", "close_rule")
} | table("""
end           | 종료      | End
summary       | 소개      | Summary
kind          | 종류      | Kind
timezone      | 시간대    | Time zone
organizations | 참여 기관 | Organizations
url           | 누리집    | Website
apply_url     | 신청 주소 | Application address
tags          | 분류      | Tags
evidence      | 근거      | Evidence
""")
MARKS = vocabulary.MARKS | table("on_again | [다시 진행] {} | [on again] {}")
STANDINGS = table("""
cancelled | 취소된 일정입니다                | This has been cancelled
postponed | 연기된 일정입니다                | This has been postponed
on_again  | 다시 진행하기로 한 일정입니다    | This is on again
""")
DISABLED_REASONS = table("""
gone    | 받는 쪽이 없어졌다고 답했습니다 (410)    | The receiver answered that it is gone (410)
failing | 사흘이 지나도록 한 번도 받지 못했습니다  | Nothing has been taken for three days
""")
