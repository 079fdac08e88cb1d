"""The seeds we ship, parsed once for all tests of a process (half a second each time)."""

from service.catalogue import seeds
from service.seed_loader import BUNDLED_SEEDS, read_folder

FILES = read_folder(BUNDLED_SEEDS)
SEEDS = seeds.parse(FILES)
