"""One made-up call or event as each national API spells it."""

from tests.support.sample_calls import SampleCall, SampleEvent

NOTE = "예시 데이터입니다. 실제 공고가 아닙니다."


def bizinfo_row(call: SampleCall) -> dict[str, object]:
    ident = f"PBLN_{900_000 + call.number:015}"
    return {
        "pblancId": ident,
        "pblancNm": call.title,
        "pblancUrl": f"https://www.bizinfo.example/sii/siia/selectSIIA200Detail.do?pblancId={ident}",
        "jrsdInsttNm": call.government,
        "excInsttNm": call.operator,
        "bsnsSumryCn": f"<p>{NOTE}</p>",
        "trgetNm": "소상공인" if "소상공인" in call.title else "중소기업",
        "hashtags": f"{call.region},{call.published.year},{call.field}",
        "reqstBeginEndDe": period(call),
        "pldirSportRealmLclasCodeNm": call.field,
        "reqstMthPapersCn": "온라인 접수",
        "creatPnttm": f"{call.published} 10:00:00",
        "updtPnttm": f"{call.updated} 10:00:00",
    }


def kstartup_row(position: int, call: SampleCall, views: int) -> dict[str, object]:
    page = f"www.k-startup.example/web/contents/bizpbanc-ongoing.do?schM=view&pbancSn={990_000 + call.number}"
    return {
        "id": position + views,
        "pbanc_sn": 990_000 + call.number,
        "biz_pbanc_nm": call.title,
        "intg_pbanc_yn": "N",
        "pbanc_ctnt": NOTE,
        "supt_biz_clsfc": "사업화",
        "supt_regin": call.region,
        "pbanc_rcpt_bgng_dt": call.opens and f"{call.opens:%Y%m%d}",
        "pbanc_rcpt_end_dt": call.closes and f"{call.closes:%Y%m%d}",
        "rcrt_prgs_yn": "Y",
        "pbanc_ntrp_nm": call.operator,
        "sprv_inst": "공공기관",
        "biz_enyy": "예비창업자,1년미만,2년미만,3년미만",
        "aply_trgt": "일반기업,1인 창조기업",
        "detl_pg_url": page,
        "aply_mthd_onli_rcpt_istc": "누리집 신청",
        "aply_mthd_eml_rcpt_istc": f"blob-{views}",
    }


def event_row(event: SampleEvent) -> dict[str, object]:
    ident = f"EVEN_{900_000 + event.number:015}"
    return {
        "eventInfoId": ident,
        "nttNm": event.title,
        "areaNm": event.region,
        "eventInfoTyNm": event.kind,
        "nttCn": f"<p>{NOTE}</p>",
        "originEngnNm": event.organizer,
        "rceptPd": f"~ {event.registration_ends}",
        "eventBeginEndDe": f"{event.starts:%Y%m%d} ~ {event.ends:%Y%m%d}",
        "orginlUrlAdres": f"https://www.example.or.kr/notice/{900_000 + event.number}",
        "bizinfoUrl": f"https://www.bizinfo.example/view.do?eventInfoId=?eventInfoId={ident}",
        "registDe": f"{event.published} 10:00:00",
        "pldirSportRealmLclasCodeNm": "경영@창업",
        "hashtags": f"{event.region},창업",
    }


def portal_event_row(event: SampleEvent) -> dict[str, object]:
    return {
        "evntInfoId": f"EVEN_{900_000 + event.number:015}",
        "evntInfoTtlNm": event.title,
        "evntInfoFlfmtInstNm": event.organizer,
        "evntInfoFldNm": "창업",
        "evntInfoTypeNm": event.kind,
        "evntInfoRgnNm": event.region,
        "rcptPrdCn": f"~ {event.registration_ends}",
        "evntPrdCn": f"{event.starts:%Y%m%d} ~ {event.ends:%Y%m%d}",
        "evntOtlnCn": f"<p>{NOTE}</p>",
        "hstgCn": [event.region, "창업"],
        "srcUrlAddr": f"https://www.example.or.kr/notice/{900_000 + event.number}",
        "regYmd": f"{event.published:%Y%m%d}",
        "mdfcnYmd": f"{event.published:%Y%m%d}",
    }


def period(call: SampleCall) -> str:
    return call.words or f"{call.opens} ~ {call.closes}"
