"""Downloads what nobody here made: matplotlib's gallery and real web pages, into `.cache/assets/`, checked by hash.

    python reproduce/setup/assets.py        (`make assets`)

Everything comes from package registries, is unpacked beside and renamed, and is skipped where it is there. Nothing of it
is copied into the repository: each package keeps its own licence.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

ASSETS = Path(__file__).parents[2] / ".cache" / "assets"
MATPLOTLIB = ("3.8.4", "8aac397d5e9ec158960e31c381c5ffc52ddd52bd9a47717e2a694038167dffea")
#: name, version, sha512 of the registry's archive. All MIT.
PAGES = (
    ("tailwindcss", "2.2.19", "6Ui7JSVtXadtTUo2NtkBBacobzWiQYVjYW0ZnKaP9S1ZCKQ0w7KVNz+YSDI/j7O7KCMHbOkz94ZMQhbT9pOqjw=="),
    ("gentelella", "4.2.0", "etbwRsQv+fl5tAnmE+SCZGGWWU6H6EudoWFZEPDJ93jGtVlDOnUmG09XW/BY+V3K1n28jZJ3fJx4V3WH7MVzOQ=="),
    (
        "startbootstrap-sb-admin-2",
        "4.1.4",
        "Zr0JNu4tRD4EJVDwVLETKWfMniFx4Dy3qAnJ96ucqUqIZ8Ns4/H5a6Y0E44/K5lxO05EBQwi24hPxaLEz+2IhA==",
    ),
    (
        "startbootstrap-sb-admin",
        "7.0.7",
        "8GcoX/qZLUVOSX+7qWHgnruioIHew6jwcDY6NMjG8sfwHhkBnpPAcUhtqP0ikJE4T0/lMyxvr8zHcmZkN6y/kQ==",
    ),
    (
        "material-dashboard",
        "3.1.0",
        "/dkEhja3jybC2ky+cXvOyCu+BgjdHmxN+6Vj04p5+LtDDQZbZ8PW8qV5YwDW/KwHSs8mpYDG20p964kdc0PMQA==",
    ),
    ("soft-ui-dashboard", "1.0.1", "cRL8/jseDodYaZFUekr3ZLvKeyxxe5H4r33C3s65ApLE03f8S2P83sc3wYDWEEz2aYt+5vlZLa81ASfQNTQjKg=="),
)


def main() -> None:
    try:
        gallery()
        for name, version, digest in PAGES:
            npm_package(name, version, digest)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"assets: {error}: check the network or the registry settings, then run it again")


def gallery() -> None:
    """The example scripts of matplotlib's source archive, in the version that draws the charts."""
    version, digest = MATPLOTLIB
    target = ASSETS / f"matplotlib-{version}"
    if target.is_dir():
        return
    download = ASSETS / "download"
    # The package manager knows the user's registry; an installed package has no gallery, the source archive has.
    pip = [ASSETS.parent / "tools" / "bin" / "python", "-m", "pip", "download", "--quiet", "--no-deps", "--dest", download]
    subprocess.run([*pip, "--no-binary", "matplotlib", f"matplotlib=={version}"], check=True)
    data = (download / f"matplotlib-{version}.tar.gz").read_bytes()
    check(hashlib.sha256(data).hexdigest(), digest, f"matplotlib {version}")
    keep = (f"matplotlib-{version}/galleries/", f"matplotlib-{version}/LICENSE/")
    unpack(data, target, keep, depth=1)
    shutil.rmtree(download)


def npm_package(name: str, version: str, digest: str) -> None:
    """One package of the npm registry, as published."""
    target = ASSETS / "npm" / f"{name}-{version}"
    if target.is_dir():
        return
    url = f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz"
    with urllib.request.urlopen(url, timeout=120) as answer:
        data = answer.read()
    check(base64.b64encode(hashlib.sha512(data).digest()).decode(), digest, f"{name} {version}")
    unpack(data, target, ("",), depth=0)


def check(found: str, expected: str, what: str) -> None:
    if found != expected:
        sys.exit(f"assets: {what} is not the archive that was pinned (hash {found[:12]}…): remove .cache/assets and try again")


def unpack(archive: bytes, target: Path, keep: tuple[str, ...], depth: int) -> None:
    """Members under one of `keep`, less `depth` leading folders, into `target`; it gets its name last."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.name.startswith(keep):
                member.name = "/".join(member.name.split("/")[depth:])
                tar.extract(member, partial, filter="data")
    partial.rename(target)


if __name__ == "__main__":
    main()
