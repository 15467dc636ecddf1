"""The settings that are environment variables: secrets, and where a machine keeps its parts.

All others are in profiles.

`rrvf --help` shows this list, and a test holds it to what the code reads.
"""

from __future__ import annotations

import os

SETTINGS = {
    "RRVF_POLICY_API_KEY": "the key for a policy behind a URL (rrvf eval --policy http://...)",
    "RRVF_JUDGE_API_KEY": "the key for a judge behind a URL",
    "ANTHROPIC_API_KEY": "the key for rows of reproduce/models.yaml at Anthropic",
    "GEMINI_API_KEY": "the key for rows of reproduce/models.yaml at Google",
    "OPENAI_API_KEY": "the key for policies and judges at OpenAI, sent to the host of OPENAI_BASE_URL alone",
    "OPENAI_ORG_ID": "the organisation at OpenAI, sent with the key",
    "OPENAI_PROJECT_ID": "the project at OpenAI, sent with the key",
    "OPENAI_BASE_URL": "the URL whose host gets the three settings above [default: https://api.openai.com/v1]",
    "HF_TOKEN": "the token of the model hub, for gated models and data sets",
    "HF_HUB_OFFLINE": "1: never ask the model hub",
    "RRVF_DATA": "the folder of the splits, instead of data/PROFILE",
    "RRVF_PLOT_PYTHON": "the plotting runtime's Python, instead of the one of `make setup` or `rrvf setup`",
    "XDG_CACHE_HOME": "where an installed package keeps its runtime, splits and caches [default: ~/.cache]",
    "RRVF_CHROMIUM": "the path of the Chromium that draws pages",
    "PLAYWRIGHT_BROWSERS_PATH": "the folder of the Chromium that Playwright downloads",
    "RRVF_CLIP_WEIGHTS": "a file with the weights of CLIP ViT-B/32, where the hub cannot be reached",
    "RRVF_ACCEPT_WEAK_SANDBOX": "kinds of isolation that chart scripts may run without: namespaces,landlock,seccomp",
    "CUDA_VISIBLE_DEVICES": "the GPUs that a process may use",
}


def hub_is_off() -> bool:
    """Whether HF_HUB_OFFLINE is set, by the words that the hub's own client takes."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def listed() -> str:
    """The table as text, one setting a line."""
    width = max(map(len, SETTINGS))
    return "\n".join(f"  {name:<{width}}  {meaning}" for name, meaning in SETTINGS.items())
