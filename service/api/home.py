"""`/`: where somebody who opens the address in a browser finds the way. No script, works offline."""

from html import escape

from litestar import Response, get

from service.api import docs
from service.api.call import Call
from service.api.operations import Media, operation

FEEDS = (
    ("calendar", "전체 일정", "everything"),
    ("events", "행사", "events"),
    ("deadlines", "접수와 마감", "deadlines"),
)
PAGE = """<!doctype html>
<html lang="ko"><head><meta charset="utf-8"><title>Dday 디데이</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/style.css"></head>
<body><main><h1>Dday 디데이</h1>
<p>창업 행사와 지원 사업 접수의 날짜, 그 출처와 함께.
<span lang="en">The dates of Korean startup events and calls, each with its source.</span></p>
<h2>달력으로 구독 <small lang="en">Subscribe a calendar</small></h2>
<ul>{feeds}</ul>
<h2>프로그램으로 읽기 <small lang="en">Read with a program</small></h2>
<ul><li><a href="/docs">API</a></li><li><a href="/v1/events">/v1/events</a></li>
<li><a href="/v1/openapi.json">OpenAPI</a></li></ul>
</main></body></html>
"""


@get("/", opt=operation("Where to begin", tag="About", answers={200: Media(type="text/html")}))
async def home(request: Call) -> Response[str]:
    """The calendars to subscribe and the contract to read."""
    base = escape(request.service.settings.base_url)
    feeds = "".join(
        f'<li>{ko}: <a href="/feeds/ko/{name}.ics">{base}/feeds/ko/{name}.ics</a> '
        f'<span lang="en">({en}: <a href="/feeds/en/{name}.ics">English</a>)</span></li>'
        for name, ko, en in FEEDS
    )
    headers = {"content-security-policy": docs.CSP}
    return Response(PAGE.format(feeds=feeds), media_type="text/html", headers=headers)
