"""`python -m service` is `dday`."""

from service.cli import main

main()
