"""The benchmarks' own prompts: downloaded at a pinned commit and checked, because they are not ours to copy.

    rrvf data prompts

A prompt is extracted from its file without running any code. On a machine without network, put the files at the paths
that the error message names.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from rrvf.errors import UserError, first_line
from rrvf.outputs import say, whole

_ASK_S = 20.0
#: The host that serves files of public repositories by commit.
HOST = "https://raw.githubusercontent.com"


@dataclass(frozen=True)
class Source:
    """A file of a public repository, and how to find the prompt in it. licence: the repository's."""

    repository: str
    commit: str
    path: str
    sha256: str
    text_in: Callable[[str], str]
    licence: str = "Apache-2.0"

    @property
    def url(self) -> str:
        """The raw file at the pinned commit."""
        return f"{HOST}/{self.repository}/{self.commit}/{self.path}"


def _entry(key: str, text: str) -> str:
    return json.loads(text)[key]


def _constant(part: str, text: str) -> str:
    """The string that holds `part` in a Python file; strings joined by `+` count as one."""
    found = {value for node in ast.walk(ast.parse(text)) if (value := _joined(node)) and part in value}
    return max(found, key=len)  # the whole string, not a part of the sum


def _joined(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _joined(node.left), _joined(node.right)
        return None if left is None or right is None else left + right
    return None


_CHARTMIMIC = ("ChartMimic/ChartMimic", "c9e149c6a25fe9ba57974efd73f27d37569e67a7")
_PLOT2CODE = ("TencentARC/Plot2Code", "12bd95a7e04dfcc2eb664cbeb739d924c090c503")
#: `judge`: prompt of the judge; `direct`: prompt of the policy. ChartMimic's holds {width} and {height}, in inches.
SOURCES = {
    "chartmimic-judge": Source(
        *_CHARTMIMIC, "chart2code/prompts/GPT4EvaluationAgent/gpt-4-vision-preview.json",
        "38410b6ca93249f66b04f23f768377d742efe685915bd1d87be012d092ccf08e", partial(_entry, "instruction"),
    ),
    "chartmimic-direct": Source(
        *_CHARTMIMIC, "chart2code/prompts/DirectAgent/gpt-4-vision-preview.json",
        "dafb51d44fe8e128df36bea8b76f36f84514c65338924ddb05265653ed241e14", partial(_entry, "instruction"),
    ),
    "plot2code-judge": Source(
        *_PLOT2CODE, "plot2code/eval/gpt4v_evaluations_score.py",
        "549489586e6021df137282dd75ec9ecb60038efeb314351001420a4bf7e6251e", partial(_constant, "[[rating]]"),
    ),
    "plot2code-direct": Source(
        *_PLOT2CODE, "plot2code/utils.py",
        "3f52163265a25b04c1da232e9d9c4218af5193f8952acf0892f767cc193ea8ff", partial(_constant, "surrounded by"),
    ),
}  # fmt: skip


def text(name: str, folder: Path) -> str | None:
    """The prompt `name` of SOURCES. None if its file was not downloaded.

    Raises UserError if the file is not the pinned one.
    """
    source, path = SOURCES[name], _path(name, folder)
    if not path.is_file():
        return None
    data = path.read_bytes()
    _check(data, source, path)
    return source.text_in(data.decode())


def download(folder: Path) -> list[Path]:
    """Download the missing files. Returns the paths of all.

    The UserError names the URL that could not be downloaded.
    """
    for name, source in SOURCES.items():
        path = _path(name, folder)
        if not path.is_file():
            data = _fetched(source, path)
            _check(data, source, path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as partial_file:
                partial_file.write_bytes(data)
        text(name, folder)
    return [_path(name, folder) for name in SOURCES]


def download_if_possible(folder: Path) -> None:
    """Download the missing files. A failure is printed: evaluations then use our own prompts, and record that."""
    try:
        download(folder)
    except UserError as error:
        say(str(error))


def _path(name: str, folder: Path) -> Path:
    return folder / (name + Path(SOURCES[name].path).suffix)


def _fetched(source: Source, path: Path) -> bytes:
    try:
        answer = httpx.get(source.url, timeout=_ASK_S, follow_redirects=False)
        answer.raise_for_status()
        return answer.content
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise UserError(
            f"cannot download {source.url} ({first_line(error)}): check the network, or put that file at {path}"
        ) from None


def _check(data: bytes, source: Source, path: Path) -> None:
    if (found := hashlib.sha256(data).hexdigest()) != source.sha256:
        raise UserError(
            f"{path} is not the pinned file (sha256 {found[:12]}…, not {source.sha256[:12]}…): remove it, "
            "then run `rrvf data prompts`"
        )
