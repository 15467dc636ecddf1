"""What this machine can run, what is missing, which promise is weaker for it, and the line that mends it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rrvf.errors import UserError
from rrvf.records import Record

REPOSITORY = Path(__file__).parent.parent
PLOT = REPOSITORY / ".venv-plot" / "bin" / "python"
PINS = {"torch": "2.13.0", "transformers": "5.19.0", "trl": "1.16.0", "playwright": "1.65.2"}


class Check(Record):
    """One thing looked at. `needed` False: its lack weakens something named in `detail`, but the project runs."""

    name: str
    ok: bool
    detail: str
    mend: str = ""
    needed: bool = True


def checks() -> list[Check]:
    """Look at everything; a look that itself fails is a check that is not ok."""
    looks: list[Callable[[], Check]] = [
        python, libraries, processor, plotting_runtime, chromium, isolation, fonts, assets, policy, clip_weights, space
    ]  # fmt: skip
    return [_safely(look) for look in looks]


def report() -> tuple[str, bool]:
    """The list as text, and whether all that is needed is there."""
    found = checks()
    lines = []
    for check in found:
        mark = "ok     " if check.ok else "MISSING" if check.needed else "weaker "
        lines.append(f"{mark} {check.name}: {check.detail}" + (f"\n        mend: {check.mend}" if check.mend and not check.ok else ""))
    return "\n".join(lines), all(c.ok or not c.needed for c in found)


def _safely(look: Callable[[], Check]) -> Check:
    try:
        return look()
    except UserError as error:
        detail, _, mend = str(error).partition(": ")
        return Check(name=look.__name__.replace("_", " "), ok=False, detail=detail, mend=mend)
    except Exception as error:
        return Check(name=look.__name__.replace("_", " "), ok=False, detail=f"{type(error).__name__}: {error}")


def python() -> Check:
    return Check(name="python", ok=sys.version_info[:2] == (3, 11), detail=sys.version.split()[0], mend="install Python 3.11")


def libraries() -> Check:
    wrong = []
    for name, pin in PINS.items():
        try:
            found = version(name).split("+")[0]
        except PackageNotFoundError:
            found = "none"
        if found != pin:
            wrong.append(f"{name} {found}, not {pin}")
    return Check(name="libraries", ok=not wrong, detail=", ".join(wrong) or "as locked", mend="make setup")


def processor() -> Check:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: the nano profile only"
    return Check(name="processor", ok=torch.cuda.is_available(), needed=False, detail=f"{os.cpu_count()} cores, {gpu}")


def plotting_runtime() -> Check:
    return Check(name="plotting runtime", ok=PLOT.is_file(), detail="matplotlib 3.8.4 and friends, .venv-plot", mend="make setup")


def chromium() -> Check:
    from rrvf.chromium import find_chromium
    from rrvf.render import Limits, render

    path = find_chromium()
    drawn = render("web", "<p>doctor</p>", Limits(wall_s=30))
    return Check(name="chromium", ok=drawn.ok, detail=path if drawn.ok else f"{path}: {drawn.message}", mend="make setup")


def isolation() -> Check:
    from rrvf.render import isolation as lacking

    missing = lacking()
    detail = "; ".join(f"{name}: {why}" for name, why in missing.items()) or "namespaces, Landlock and seccomp in force"
    mend = f"accept what is weaker by name: RRVF_ACCEPT_WEAK_SANDBOX={','.join(missing)}"
    return Check(name="sandbox", ok=not missing, detail=detail, mend=mend)


def fonts() -> Check:
    there = Path("/usr/share/fonts/truetype/liberation").is_dir()
    detail = "Liberation" if there else "no Liberation fonts: pages are drawn with others, pixels differ from the committed results"
    return Check(name="fonts", ok=there, needed=False, detail=detail, mend="apt-get install fonts-liberation")


def assets() -> Check:
    there = (REPOSITORY / ".cache/assets/matplotlib-3.8.4").is_dir() and (REPOSITORY / ".cache/assets/npm").is_dir()
    return Check(name="assets", ok=there, detail="matplotlib gallery and web packages", mend="make assets")


def policy() -> Check:
    from rrvf import nano

    nano.verify()
    return Check(name="nano policy", ok=True, detail=str(nano.CHECKPOINT.relative_to(REPOSITORY)))


def clip_weights() -> Check:
    from rrvf.benchmarks import clip

    there = clip.available()
    detail = "ViT-B/32, OpenAI" if there else "none: the CLIP column of Table 3 stays empty"
    return Check(name="clip weights", ok=there, needed=False, detail=detail, mend=clip.MEND)


def space() -> Check:
    free = shutil.disk_usage(REPOSITORY).free / 2**30
    return Check(name="disk", ok=free > 3, detail=f"{free:.0f} GB free", mend="make room: a run needs about 3 GB")
