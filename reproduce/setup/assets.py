"""Downloads data of other projects to `.cache/assets/` and checks it by hash: matplotlib's gallery and real web pages.

    python reproduce/setup/assets.py                (`make assets`)
    python reproduce/setup/assets.py --missing      names what is missing, and downloads nothing

Everything comes from package registries. It is unpacked under a temporary name and renamed last; a finished folder is
skipped. None of it is copied into the repository, and each package keeps its own licence.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache"
ASSETS = CACHE / "assets"
MATPLOTLIB = ("3.8.4", "sha256-iqw5fV6ewViWDjHDgcX/xS3dUr2aR3F+KmlAOBZ9/+o=")
GALLERY = ASSETS / f"matplotlib-{MATPLOTLIB[0]}"
#: Name, version and the registry's `integrity` of each package. All have the MIT licence. Tailwind and Bootstrap are
#: there for pages that link to them.
PACKAGES = (
    ("tailwindcss", "2.2.19", "sha512-6Ui7JSVtXadtTUo2NtkBBacobzWiQYVjYW0ZnKaP9S1ZCKQ0w7KVNz+YSDI/j7O7KCMHbOkz94ZMQhbT9pOqjw=="),
    ("bootstrap", "3.4.1", "sha512-yN5oZVmRCwe5aKwzRj6736nSmKDX7pLYwsXiCj/EYmo16hODaBiT4En5btW/jhBF/seV+XMx3aYwukYC3A49DA=="),
    ("bootstrap", "4.6.2", "sha512-51Bbp/Uxr9aTuy6ca/8FbFloBUJZLHwnhTcnjIeRn2suQWsWzcuJhGjKDB5eppVte/8oCdOL3VuwxvZDUggwGQ=="),
    ("bootstrap", "5.3.8", "sha512-HP1SZDqaLDPwsNiqRqi5NcP0SSXciX2s9E+RyqJIIqGo+vJeN5AJVM98CXmW/Wux0nQ5L7jeWUdplCEf0Ee+tg=="),
    ("@tailwindcss/browser", "4.3.4", "sha512-RQXHqduRVgmZx6yRl2qHl1hXzchnHNELryeeH2UWMrTWBfcVSo1jzuLl+TOdMWwBSSUbzVU1A4S59JeTlLiS4Q=="),
    ("gentelella", "4.2.0", "sha512-etbwRsQv+fl5tAnmE+SCZGGWWU6H6EudoWFZEPDJ93jGtVlDOnUmG09XW/BY+V3K1n28jZJ3fJx4V3WH7MVzOQ=="),
    ("startbootstrap-sb-admin-2", "4.1.4", "sha512-Zr0JNu4tRD4EJVDwVLETKWfMniFx4Dy3qAnJ96ucqUqIZ8Ns4/H5a6Y0E44/K5lxO05EBQwi24hPxaLEz+2IhA=="),
    ("startbootstrap-sb-admin", "7.0.7", "sha512-8GcoX/qZLUVOSX+7qWHgnruioIHew6jwcDY6NMjG8sfwHhkBnpPAcUhtqP0ikJE4T0/lMyxvr8zHcmZkN6y/kQ=="),
    ("material-dashboard", "3.1.0", "sha512-/dkEhja3jybC2ky+cXvOyCu+BgjdHmxN+6Vj04p5+LtDDQZbZ8PW8qV5YwDW/KwHSs8mpYDG20p964kdc0PMQA=="),
    ("soft-ui-dashboard", "1.0.1", "sha512-cRL8/jseDodYaZFUekr3ZLvKeyxxe5H4r33C3s65ApLE03f8S2P83sc3wYDWEEz2aYt+5vlZLa81ASfQNTQjKg=="),
)  # fmt: skip


def main() -> None:
    """Download what is missing. Exits with a one-line error if that fails."""
    if sys.argv[1:] == ["--missing"]:
        for what, _, _ in missing():
            print(what)
        return
    ASSETS.mkdir(parents=True, exist_ok=True)
    with (CACHE / "assets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for what, target, bring in missing():
                print(f"assets: downloading {what}", file=sys.stderr)
                bring(target)
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            last = reason.strip().splitlines()[-1]
            sys.exit(f"assets: {last}: check the network and the disk, then run `make assets` again")


def missing() -> list[tuple]:
    """The missing assets: name, folder, and the function that fills the folder."""
    wanted = [(f"matplotlib {MATPLOTLIB[0]}'s gallery", GALLERY, gallery)]
    for name, version, integrity in PACKAGES:
        bring = lambda target, package=(name, version, integrity): npm_package(target, *package)  # noqa: E731
        wanted.append((f"{name} {version}", package_folder(name, version), bring))
    return [item for item in wanted if not item[1].is_dir()]


def package_folder(name: str, version: str) -> Path:
    """`.cache/assets/npm/NAME-VERSION`.

    The scope becomes part of the name: `@tailwindcss/browser` is `tailwindcss-browser`.
    """
    return ASSETS / "npm" / f"{name.lstrip('@').replace('/', '-')}-{version}"


def gallery(target: Path) -> None:
    """Download the example scripts of matplotlib's source archive. An installed matplotlib has none."""
    version, integrity = MATPLOTLIB
    data = fetched(source_archive(f"matplotlib=={version}"))
    check(data, integrity, f"matplotlib {version}")
    unpack(data, target, tuple(f"matplotlib-{version}/{part}/" for part in ("galleries", "LICENSE")), depth=1)


def source_archive(requirement: str) -> str:
    """The URL of a package's source archive in the user's registry. From uv, because pip would begin to build it."""
    settings = run([CACHE / "tools/bin/pip", "config", "list"])
    for certificates in re.findall(r"\.cert='(.*)'$", settings, re.MULTILINE):
        os.environ.setdefault("SSL_CERT_FILE", certificates)  # uv and Python read this variable
    mirror = [f"--default-index={url}" for url in re.findall(r"\.index-url='(.*)'$", settings, re.MULTILINE)]
    uv = [CACHE / "tools/bin/uv", "pip", "compile", "--quiet", "--no-deps", "--python-version=3.11", *mirror]
    return tomllib.loads(run([*uv, "--format=pylock.toml", "-"], requirement))["packages"][0]["sdist"]["url"]


def npm_package(target: Path, name: str, version: str, integrity: str) -> None:
    """Download one package of the npm registry, directly or, if that fails, by npm with the user's settings."""
    try:
        data = fetched(f"https://registry.npmjs.org/{name}/-/{name.split('/')[-1]}-{version}.tgz")
    except OSError:
        if not shutil.which("npm"):
            raise
        data = packed(f"{name}@{version}")
    check(data, integrity, f"{name} {version}")
    unpack(data, target, ("",), depth=0)


def packed(package: str) -> bytes:
    """The package's archive by `npm pack`, which is much slower but uses the user's mirror."""
    with tempfile.TemporaryDirectory(dir=ASSETS) as folder:
        run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, package])
        return next(Path(folder).glob("*.tgz")).read_bytes()


def fetched(url: str) -> bytes:
    """The bytes at `url`. Raises OSError if there is no answer for 20 seconds."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return answer.read()


def run(command: list, given: str = "") -> str:
    """The standard output of a command. Raises CalledProcessError if it fails."""
    return subprocess.run(command, check=True, input=given, capture_output=True, text=True).stdout


def check(data: bytes, integrity: str, what: str) -> None:
    """Raises OSError unless `data` has this hash, in npm's format: algorithm, dash, base64."""
    algorithm, _, wanted = integrity.partition("-")
    found = base64.b64encode(hashlib.new(algorithm, data).digest()).decode()
    if found != wanted:
        raise OSError(f"{what} is not the archive that was pinned ({algorithm} {found[:12]}…)")


def unpack(archive: bytes, target: Path, keep: tuple[str, ...], depth: int) -> None:
    """Unpack members under one of `keep`, without `depth` leading folders, to `target`, which is renamed last."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # Python 3.11.2 (Debian 12) has no filters yet. The archives were checked by their hash.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        for member in tar:
            if member.name.startswith(keep):
                member.name = "/".join(member.name.split("/")[depth:])
                tar.extract(member, partial)
    partial.rename(target)


if __name__ == "__main__":
    main()
