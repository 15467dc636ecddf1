"""Print a profile with another address for its judge.

python reproduce/launch/judge_at.py paper http://node2:8001/v1 > mine.yaml
"""

from __future__ import annotations

import sys

import yaml

from rrvf.errors import UserError
from rrvf.profile import checked, load_profile, profile_file


def main(profile: str, url: str) -> None:
    """Print the settings of a profile's file with `url` as the judge's address."""
    load_profile(profile)
    settings = yaml.safe_load(profile_file(profile).read_text(encoding="utf-8-sig"))
    settings["judge"] = (settings.get("judge") or {}) | {"url": url}
    checked(settings, profile)
    yaml.safe_dump(settings, sys.stdout, sort_keys=False, allow_unicode=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except UserError as error:
        sys.exit(f"judge_at: {error}")
