"""The style sheet's colours can be read: WCAG 2 asks for a contrast of 4.5."""

import re
from itertools import product

import pytest

from service.pages.templating import FOLDER

STYLE = (FOLDER / "style.css").read_text("utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#\w+)", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)[:2]
)
ON_PAPER = list(product(("ink", "soft", "link"), ("paper", "card")))
ON_COLOUR = [("white", tone) for tone in ("urgent", "soon", "open", "calm")]


def luminance(colour: str) -> float:
    digits = colour.strip("#")
    digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    ("text", "ground"), [*ON_PAPER, *ON_COLOUR, ("warn-ink", "warn"), ("warn-ink", "paper")]
)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(colours: dict[str, str], text: str, ground: str) -> None:
    known = {**LIGHT, **colours, "white": "#fff"}
    assert contrast(known[text], known[ground]) >= 4.5
