"""`python -m sipserver` is `antiphon`."""

from sipserver.cli import main

main()
