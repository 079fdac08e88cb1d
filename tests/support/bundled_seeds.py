"""The seeds we ship, parsed once for all tests of a process (half a second each time)."""

from service.catalogue import seeds
from service.seed_loader import read_folder
from service.settings import BUNDLED_SEEDS

FILES = read_folder(BUNDLED_SEEDS)
SEEDS = seeds.parse(FILES)
