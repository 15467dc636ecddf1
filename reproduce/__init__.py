"""The whole reproduction with one command: `python -m reproduce --profile nano` (`make reproduce`)."""
