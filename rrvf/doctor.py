"""Checks what this machine can run, what is missing, and how to fix it (`rrvf doctor`).

The checks run the real thing: they draw a chart and a page, import torchvision, and look for the assets.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import psutil

from rrvf import places, runtime
from rrvf.domains import DOMAINS
from rrvf.errors import UserError
from rrvf.folders import closed_folder

SANDBOX = Path(__file__).parent / "render" / "sandbox"
SETUP = f"run `{places.SETUP}`"
#: The risk when a means of isolation is missing.
WEAKER = {
    "namespaces": "a chart script can see that other files exist; it cannot read, write, connect or start programs",
    "landlock": "only the file system view and user ids keep a chart script from files",
    "seccomp": "a chart script may use any system call",
}
FONTS = ("LiberationSans-Regular", "DejaVuSans")
GB = 1 << 30


@dataclass(frozen=True)
class Check:
    """The result of one check. `missing` stops the CPU profile; `weaker` costs only what `cost` says."""

    name: str
    state: Literal["ok", "weaker", "missing"]
    found: str
    cost: str = ""
    mend: str = ""


def checks() -> list[Check]:
    """All checks, in the order of a set-up. Takes about ten seconds on an idle machine."""
    every: list[Callable[[], Check]] = [
        python, torch, numbers, cpu_pair, gpu, plotting, sandbox, landlock, chromium,
        *(partial(draws, name) for name in DOMAINS), fonts, disk, memory, assets, nano_policy, clip_weights,
    ]  # fmt: skip
    return [_guarded(look) for look in every]


def report() -> tuple[str, bool]:
    """The checks as text, and whether everything that the CPU profile needs is present."""
    lines, found = [], checks()
    for check in found:
        lines.append(f"{check.state:8}{check.name:18}{check.found}")
        lines += [f"{'':26}costs: {check.cost}"] if check.cost else []
        lines += [f"{'':26}fix:   {check.mend}"] if check.mend else []
    ready = all(check.state != "missing" for check in found)
    lines.append("" if ready else "\nPROFILE=nano cannot run here until what is missing is fixed.")
    return "\n".join(lines).rstrip(), ready


def _guarded(look: Callable[[], Check]) -> Check:
    """The result of a check, or a `missing` result if it raises."""
    name = look.args[0] if isinstance(look, partial) else look.__name__
    try:
        return look()
    except UserError as error:
        found, _, mend = str(error).rpartition(": ")
        return Check(name, "missing", found or mend, mend=mend if found else SETUP)
    except Exception as error:
        return Check(
            name, "missing", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", mend=SETUP
        )


def python() -> Check:
    """Python 3.11, which all lock files are for."""
    version = sys.version.split()[0]
    fits = sys.version_info[:2] == (3, 11)
    return (
        Check("python", "ok", version) if fits else Check("python", "missing", version, mend=f"install 3.11; {SETUP}")
    )


def torch() -> Check:
    """Torch and its number of threads. Raises ImportError if it is not installed."""
    module = importlib.import_module("torch")
    return Check("torch", "ok", f"{module.__version__}, {module.get_num_threads()} threads")


def numbers() -> Check:
    """The number format that `dtype: auto` and `autocast: auto` choose here."""
    from rrvf.policies.precision import bfloat16_here

    if able := bfloat16_here():
        return Check("numbers", "ok", f"computes in bfloat16 ({able})")
    return Check("numbers", "ok", "no bfloat16 instructions: `autocast: auto` trains in float32, which is faster here")


def cpu_pair() -> Check:
    """torchvision is a CUDA build. With a CPU build of torch it needs the hook that `make setup` installs."""
    for name in ("torchvision", "open_clip"):
        importlib.import_module(name)
    return Check("torchvision", "ok", importlib.metadata.version("torchvision"))


def gpu() -> Check:
    """A CUDA device and vLLM, which the profiles gpu and paper need."""
    module = importlib.import_module("torch")
    cost = "PROFILE=gpu and PROFILE=paper cannot run; PROFILE=nano needs no GPU"
    if not module.cuda.is_available():
        return Check("gpu", "weaker", "none", cost)
    found = f"{module.cuda.device_count()} x {module.cuda.get_device_name(0)}"
    if importlib.util.find_spec("vllm") is None:
        return Check("gpu", "weaker", f"{found}, but no vLLM", cost, "run `make vllm`")
    return Check("gpu", "ok", f"{found}, vLLM {importlib.metadata.version('vllm')}")


def plotting() -> Check:
    """Whether the plotting runtime has the locked versions, on which the scores are defined."""
    from rrvf.render.zygote import plot_python

    code = "import importlib.metadata as m; [print(d.name.lower(), d.version, sep='==') for d in m.distributions()]"
    found = set(_output([plot_python(), "-c", code]).replace("_", "-").split())
    pins = [f"{name}=={pinned}" for name, pinned in runtime.pins().items()]
    if wrong := [pin for pin in pins if pin not in found]:
        return Check(
            "plotting", "missing", f"not as pinned: {', '.join(wrong)}", mend=f"remove {places.PLOT}, then {SETUP}"
        )
    return Check("plotting", "ok", pins[0])


def sandbox() -> Check:
    """The means that isolate chart scripts, and which of them the machine refuses."""
    from rrvf.render import isolation
    from rrvf.render.zygote import ACCEPT

    missing = isolation()
    if not missing:
        return Check("sandbox", "ok", "user, mount, pid and network namespaces, Landlock, seccomp")
    found = "; ".join(f"no {name} ({reason})" for name, reason in missing.items())
    accepted = set(missing) <= set(os.environ.get(ACCEPT, "").split(","))
    allow = "allow it (in a container: the options that the Dockerfile names, or --privileged)"
    mend = "" if accepted else f"{allow}, or accept it with {ACCEPT}={','.join(missing)}"
    cost = "; ".join(WEAKER.get(name, name) for name in missing)
    return Check("sandbox", "weaker" if accepted else "missing", found, cost, mend)


def landlock() -> Check:
    """Whether the kernel's Landlock also restricts signals and TCP."""
    abi = int(_output([sys.executable, "-c", "import landlock; print(landlock.abi())"], cwd=SANDBOX))
    if abi >= 6:
        return Check("landlock", "ok", f"ABI {abi}")
    cost = "below ABI 6 Landlock does not bound signals, below 4 not TCP; namespaces and seccomp still do"
    return Check("landlock", "weaker", f"ABI {abi}", cost, "a kernel of 6.12 or newer")


def draws(domain: str) -> Check:
    """A real picture from the real renderer, with a generous time limit for a busy machine. On failure, its cause."""
    from rrvf.render import Limits, render

    name = f"{domain} renderer"
    try:
        picture = render(domain, DOMAINS[domain].sample, Limits(wall_s=60.0))
    except UserError as error:
        found, _, mend = str(error).replace(": run `rrvf doctor`", "").rpartition(": ")
        found, mend = (found, mend) if "`" in mend else (str(error), SETUP)
    else:
        if picture.ok:
            return Check(name, "ok", f"{picture.width} x {picture.height} in {picture.seconds:.2f} s")
        found, mend = f"{picture.reason}: {picture.message}", SETUP
    if closed := closed_folder(Path(tempfile.gettempdir())):
        found += (
            f"; the folder for temporary files, {tempfile.gettempdir()}, lies in {closed}, which only root may enter"
        )
        mend = f"run `chmod o+x {closed}`, or set TMPDIR to a folder that everybody may enter, as /tmp"
    return Check(name, "missing", found, mend=mend)


def chromium() -> Check:
    """The browser that draws pages, and its version. Raises UserError if there is none."""
    from rrvf.chromium import find_chromium

    path = find_chromium()
    return Check("chromium", "ok", f"{path}, {_output([path, '--version', '--no-sandbox']).strip()}")


def fonts() -> Check:
    """The fonts that pages were drawn with. Other fonts give other pixels."""
    folders = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]
    names = {file.stem for folder in folders for file in folder.rglob("*.ttf")}
    if missing := [font for font in FONTS if font not in names]:
        cost = "pages are drawn with other fonts: other pixels, so web scores do not compare"
        return Check("fonts", "weaker", f"no {', '.join(missing)}", cost, "install fonts-liberation and fonts-dejavu")
    return Check("fonts", "ok", ", ".join(FONTS))


def disk() -> Check:
    """Free space for what the nano profile writes."""
    free = shutil.disk_usage(places.CHECKOUT or Path.cwd()).free / GB
    if free >= 5:
        return Check("disk", "ok", f"{free:.0f} GB free")
    return Check("disk", "weaker", f"{free:.1f} GB free", "PROFILE=nano writes up to 5 GB", "make room")


def memory() -> Check:
    """Memory and cores, compared with the machine that the nano profile was measured on."""
    total = psutil.virtual_memory().total / GB
    if total >= 7:
        return Check("memory", "ok", f"{total:.0f} GB, {os.cpu_count()} cores")
    return Check(
        "memory", "weaker", f"{total:.1f} GB", "PROFILE=nano was measured on 8 GB", "fewer workers in the profile"
    )


def assets() -> Check:
    """The assets that the download script reports as missing."""
    cost = "no unseen test set of real charts or pages; pages that link to Tailwind lose their style"
    if places.CHECKOUT is None:
        return Check("assets", "weaker", "not part of an installed package", cost, "`make assets` in a checkout")
    script = places.CHECKOUT / "reproduce" / "setup" / "assets.py"
    if found := _output([sys.executable, script, "--missing"]).splitlines():
        return Check("assets", "weaker", f"no {', '.join(found)}", cost, "run `make assets`")
    return Check("assets", "ok", "matplotlib's gallery, web packages")


def nano_policy() -> Check:
    """The shipped weights against their hashes. Raises UserError if one differs."""
    from rrvf import nano

    nano.verify()
    return Check("nano policy", "ok", f"{(nano.CHECKPOINT / nano.WEIGHTS).stat().st_size / 1e6:.1f} MB, as shipped")


def clip_weights() -> Check:
    """Whether the CLIP weights are on this machine. Loading them would start a download."""
    from huggingface_hub import try_to_load_from_cache

    from rrvf.benchmarks import clip

    named = os.environ.get("RRVF_CLIP_WEIGHTS")
    if Path(named or try_to_load_from_cache(clip.HUB_ID, clip.HUB_FILE) or "").is_file():
        return Check("clip", "ok", f"{clip.MODEL}, {clip.WEIGHTS}")
    cost = "the column CLIP of Table 3 stays empty, unless the model hub answers when it is first needed"
    return Check("clip", "weaker", f"{named or 'no weights here'}", cost, clip.MEND)


def _output(command: list, cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=60).stdout
