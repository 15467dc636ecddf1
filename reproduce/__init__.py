"""The whole reproduction in one command: `python -m reproduce --profile nano` (`make reproduce`)."""
