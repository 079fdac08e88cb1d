"""What is asked for on the command line: what cannot be is refused in a sentence that names the option."""

from typing import get_args

import pytest
from click.testing import CliRunner

from service.catalogue.event import Kind
from service.catalogue.filters import FilterBody
from service.catalogue.windows import Phase
from service.cli import main
from service.cli.arguments import filter_of, rules_of
from service.reminders.webhook import Rule

WEEK = ("--from", "2025-09-01", "--to", "2025-09-08")
NO_DURATION = (
    "use an ISO 8601 duration of whole weeks, days, hours, minutes or seconds, such as P7D or PT2H.\n"
)
NO_INSTANT = "it is neither a date (2025-09-05) nor an instant with its zone (2025-09-05T05:00:00Z).\n"
REFUSED = {
    ("--remind", "start:P1X"): f"--remind start:P1X: {NO_DURATION}",
    ("--remind", "start:-P1D"): f"--remind start:-P1D: {NO_DURATION}",
    ("--remind", "start:P" + "1" * 99 + "D"): f"--remind start:P{'1' * 99}D: {NO_DURATION}",
    ("--remind", "start:P500D"): "--remind start:P500D: a reminder is at most 400 days before its anchor.\n",
    (
        "--remind",
        "start:PT3H@09:00",
    ): "--remind start:PT3H@09:00: a time of day needs a `before` of whole days, such as P7D, P1D or P0D.\n",
    ("--remind", "start:P1D@9:00"): "--remind start:P1D@9:00: '9:00' is no time of day, such as 09:00.\n",
    ("--remind", "start:P1D@"): "--remind start:P1D@: '' is no time of day, such as 09:00.\n",
    ("--remind", "finish:P1D"): "--remind: 'finish' is none of start, end, opens, closes.\n",
    ("--remind", "start"): "--remind: 'start' must be two parts with : between them.\n",
    ("--filter", "from=zzz"): f"--filter from: {NO_INSTANT}",
    ("--filter", "disputed=maybe"): "--filter disputed: it is true or false.\n",
    ("--filter", "kind=nope"): f"--filter kind: it is one of {', '.join(get_args(Kind))}.\n",
    ("--filter", "phase=nope"): f"--filter phase: it is one of {', '.join(get_args(Phase))}.\n",
    ("--filter", "q=a", "--filter", "q=b"): "--filter q: it can be given once only.\n",
    ("--filter", "tag"): "--filter: 'tag' must be two parts with = between them.\n",
    ("--from", "0001-01-01"): "--from: '0001-01-01' must be a date or an instant, such as 2025-08-01.\n",
    ("--from", "0001-01-03"): "--from: '0001-01-03' must lie in the years 1900 to 2999.\n",
    ("--to", "9999-12-31"): "--to: '9999-12-31' must lie in the years 1900 to 2999.\n",
    ("--to", "tomorrow"): "--to: 'tomorrow' must be a date or an instant, such as 2025-08-01.\n",
}


@pytest.mark.parametrize("asked", list(REFUSED), ids=lambda asked: asked[1][:20])
def test_what_cannot_be_replayed_is_refused(asked):
    result = CliRunner().invoke(main, ["replay", *WEEK, *asked])
    assert (result.exit_code, result.stderr) == (2, f"Error: {REFUSED[asked]}")


def test_what_can_be_is_understood():
    assert rules_of(("closes:P7D", "closes:P0D@09:00", "start:PT0S")) == (
        Rule(anchor="closes", before="P7D"),
        Rule(anchor="closes", before="P0D", at="09:00"),
        Rule(anchor="start", before="PT0S"),
    )
    asked = filter_of(("tag=ai", "tag=bio", "disputed=true", "from=2025-09-01", "city=제주"))
    assert asked == FilterBody(tag=("ai", "bio"), disputed=True, from_="2025-09-01", city="제주")


@pytest.mark.parametrize(("first", "last"), [("1900-01-02", "1900-01-04"), ("2999-12-29", "2999-12-31")])
def test_the_ends_of_time_can_be_travelled_to(first, last):
    result = CliRunner().invoke(main, ["replay", "--from", first, "--to", last, "--filter", "tag=no-such"])
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "There was nothing to send.")
