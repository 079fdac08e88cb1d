"""The sentences of the pages by language."""

from collections.abc import Mapping

from service.catalogue.event import Language
from service.pages.english import ENGLISH
from service.pages.korean import KOREAN
from service.pages.phrase import Phrases as Phrases

PHRASES: Mapping[Language, Phrases] = {"ko": KOREAN, "en": ENGLISH}
