"""Published answers of other models: fetched at their pins, scored by the harness, compared with published scores."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace

import pytest

from reproduce import answers

pytestmark = pytest.mark.usefixtures("lent")

TRUE = "import matplotlib.pyplot as plt\nplt.plot([1, 2], color='red')\nplt.title('A')\n"
LIKE = TRUE.replace("'A'", "'B'")


def an_answer(code: str) -> str:
    return f"Here it is.\n```python\n{code}```\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Two repositories in the real format: three true scripts, and one model's answers with published scores."""
    said = {"line_1": an_answer(TRUE), "line_2": an_answer(LIKE), "line_3": an_answer("plt.plot(")}
    whole = {"choices": [{"message": {"content": said["line_1"]}}]}  # an endpoint's whole completion
    lines = [json.dumps(whole), said["line_2"], said["line_3"]]
    answered = [{"file": f"./dataset/ori_500/{name}.pdf", "response": x} for name, x in zip(said, lines, strict=True)]
    f1 = {"line_1": (1, 1, 1, 1), "line_2": (0.5, 1, 1, 1), "line_3": (0, 0, 0, 0)}
    scored = [
        {"orginial": f"./dataset/ori_500/{name}.py"} | {key: {"f1": v} for key, v in zip(answers.PUBLISHED.values(), f, strict=True)}
        for name, f in f1.items()
    ]  # fmt: skip
    stem = "chart2code_some-model_DirectAgent_results"
    commits = {
        "TRUTH": a_repository(tmp_path / "host" / answers.TRUTH.repository, "dataset/ori_500", {f"{name}.py": TRUE for name in said}),
        "ANSWERS": a_repository(
            tmp_path / "host" / answers.ANSWERS.repository, "results/direct",
            {f"{stem}.json": as_lines(answered), f"{stem}_code4evaluation.json": as_lines(scored)},
        ),
    }  # fmt: skip
    for name, commit in commits.items():
        monkeypatch.setattr(answers, name, replace(getattr(answers, name), commit=commit))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rrvf.study.RUNS", tmp_path / "runs")
    monkeypatch.setenv("RRVF_DATA", str(tmp_path / "data"))
    return f"file://{tmp_path}/host"


def as_lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def a_repository(place, folder: str, files: dict[str, str]) -> str:
    """Make a repository with one commit and return the commit."""
    (place / folder).mkdir(parents=True)
    for name, text in files.items():
        (place / folder / name).write_text(text)

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ("git", *who, *words), cwd=place, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet"), git("add", "."), git("commit", "--quiet", "-m", "all")
    return git("rev-parse", "HEAD")


def test_published_answers_are_scored_beside_their_published_numbers(host, capsys):
    assert answers.main(["--model", "some-model", "--host", host]) == 0
    told = capsys.readouterr()
    assert "2 of 3 answers ran" in told.out and "rrvf score --replies data/public/some-model.jsonl" in told.err
    rows = {line.split(" | ")[0].strip("| "): line for line in told.out.splitlines()}
    assert rows["layout"].endswith("| 100.00 | 100.00 | 2 of 2 |")
    assert rows["text"].endswith("| 50.00 | 75.00 | 1 of 2 |")  # the title of one of the two differs


def test_answers_that_are_not_there_are_one_line(host, capsys):
    assert answers.main(["--model", "nobody", "--host", host]) == 2
    assert "name one of some-model" in capsys.readouterr().err


def test_without_a_network_nothing_is_left_behind(host, tmp_path, capsys):
    assert answers.main(["--host", f"file://{tmp_path}/nowhere"]) == 2
    assert "cannot fetch the public answers" in capsys.readouterr().err
    assert not (tmp_path / "data" / "public" / "truth").exists()


def test_both_sources_are_pinned_to_a_whole_commit():
    assert [len(source.commit) for source in (answers.TRUTH, answers.ANSWERS)] == [40, 40]
