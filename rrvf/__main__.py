"""`python -m rrvf`: the command `rrvf`."""

from rrvf.cli import main

main()
