"""The seeds we ship, parsed once for all tests of a process (half a second each time)."""

from service.catalogue import seeds
from service.seed_loader import FOLDER, read_folder

FILES = read_folder(FOLDER)
SEEDS = seeds.parse(FILES)
