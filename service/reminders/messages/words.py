"""The words of messages, in Korean and English."""

from typing import Literal

from msgspec import Struct

from service.catalogue.event import Language
from service.reminders.plan import MessageType
from service.reminders.webhook import Anchor

Standing = Literal["cancelled", "postponed", "on_again"]


class Words(Struct, frozen=True, kw_only=True):
    anchors: dict[Anchor, str]
    types: dict[MessageType, str]
    fields: dict[str, str]
    marks: dict[Standing, str]
    standings: dict[Standing, str]
    when: str
    where: str
    changed: str
    reason: str
    apply: str
    more: str
    page: str
    tentative: str
    disputed: str
    uncertain: str
    approximate: str
    some_time: str
    may_close_early: str
    test: str
    test_note: str
    disabled: str
    reasons: dict[str, str]
    day: str
    hour: str
    minute: str
    before_form: str
    late_form: str

    def before(self, minutes: int) -> str:
        return self.before_form.format(self._span(minutes))

    def late(self, minutes: int) -> str:
        return self.late_form.format(self._span(minutes))

    def _span(self, minutes: int) -> str:
        """The largest two units that are not zero: "1시간 30분", "2 d 4 h"."""
        hours, minute = divmod(minutes, 60)
        days, hour = divmod(hours, 24)
        counted = ((days, self.day), (hour, self.hour), (minute, self.minute))
        parts = [f"{count}{unit}" for count, unit in counted if count]
        return " ".join(parts[:2]) or f"0{self.minute}"


WORDS: dict[Language, Words] = {
    "ko": Words(
        anchors={"start": "시작", "end": "종료", "opens": "접수 시작", "closes": "접수 마감"},
        types={
            "event.created": "새 일정",
            "event.updated": "내용 변경",
            "event.rescheduled": "일정 변경",
            "event.postponed": "연기",
            "event.cancelled": "취소",
            "event.deleted": "삭제",
        },
        fields={
            "start": "시작",
            "end": "종료",
            "name": "이름",
            "summary": "소개",
            "kind": "종류",
            "status": "상태",
            "place": "장소",
            "timezone": "시간대",
            "close_rule": "마감 방식",
            "organizations": "참여 기관",
            "url": "누리집",
            "apply_url": "신청 주소",
            "tags": "분류",
            "evidence": "근거",
        },
        marks={"cancelled": "[취소] {}", "postponed": "[연기] {}", "on_again": "[다시 진행] {}"},
        standings={
            "cancelled": "취소된 일정입니다",
            "postponed": "연기된 일정입니다",
            "on_again": "다시 진행하기로 한 일정입니다",
        },
        when="언제",
        where="어디서",
        changed="바뀐 것",
        reason="까닭",
        apply="신청하기",
        more="자세히",
        page="Dday에서 보기",
        tentative="잠정 일정입니다",
        disputed="출처마다 말이 다릅니다",
        uncertain="확인되지 않은 날짜입니다",
        approximate="대략적인 날짜입니다",
        some_time="마감 시각은 알려지지 않았습니다. 보통 16시에서 18시 사이에 마감합니다",
        may_close_early="일찍 마감될 수 있습니다",
        test="시험 알림",
        test_note="이 채널로 Dday 알림이 도착합니다.",
        disabled="웹훅이 꺼졌습니다",
        reasons={
            "gone": "받는 쪽이 없어졌다고 답했습니다 (410)",
            "failing": "사흘이 지나도록 한 번도 받지 못했습니다",
        },
        day="일",
        hour="시간",
        minute="분",
        before_form="{} 전",
        late_form="예정보다 {} 늦게 보냅니다",
    ),
    "en": Words(
        anchors={
            "start": "starts",
            "end": "ends",
            "opens": "applications open",
            "closes": "applications close",
        },
        types={
            "event.created": "New",
            "event.updated": "Updated",
            "event.rescheduled": "Rescheduled",
            "event.postponed": "Postponed",
            "event.cancelled": "Cancelled",
            "event.deleted": "Deleted",
        },
        fields={
            "start": "Start",
            "end": "End",
            "name": "Name",
            "summary": "Summary",
            "kind": "Kind",
            "status": "Status",
            "place": "Place",
            "timezone": "Time zone",
            "close_rule": "How it closes",
            "organizations": "Organizations",
            "url": "Website",
            "apply_url": "Application address",
            "tags": "Tags",
            "evidence": "Evidence",
        },
        marks={"cancelled": "[cancelled] {}", "postponed": "[postponed] {}", "on_again": "[on again] {}"},
        standings={
            "cancelled": "This has been cancelled",
            "postponed": "This has been postponed",
            "on_again": "This is on again",
        },
        when="When",
        where="Where",
        changed="Changed",
        reason="Reason",
        apply="Apply",
        more="Details",
        page="Open in Dday",
        tentative="Tentative",
        disputed="Sources disagree",
        uncertain="The date is unconfirmed",
        approximate="The date is approximate",
        some_time="The closing time is not known; calls usually close between 16:00 and 18:00",
        may_close_early="May close early",
        test="Test message",
        test_note="Reminders from Dday reach this channel.",
        disabled="A webhook was switched off",
        reasons={
            "gone": "The receiver answered that it is gone (410)",
            "failing": "Nothing has been taken for three days",
        },
        day=" d",
        hour=" h",
        minute=" min",
        before_form="in {}",
        late_form="Sent {} later than planned",
    ),
}
