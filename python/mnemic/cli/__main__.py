"""`python -m mnemic.cli`, for where the `mnemic` script is not on the path."""

from mnemic.cli.application import main

main()
