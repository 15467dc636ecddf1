"""Tables from synthetic runs: what is printed, what is refused, and that every format contains it."""

from __future__ import annotations

import csv
import io
import re
from itertools import pairwise

import pandas as pd
import pytest
from rich.console import Console
from test_report_runs import PROVENANCE, write_run

from reproduce.publish import show_tables
from rrvf.errors import UserError
from rrvf.profile import EvalSet, PolicyConfig, Profile, SFTConfigSection, load_profile
from rrvf.report.grid import in_short, lay_out
from rrvf.report.picture import table_picture
from rrvf.report.runs import find_runs, find_seeds
from rrvf.report.tables import build_tables
from rrvf.report.writers import comma_separated, latex, markdown, print_tables, write_tables
from rrvf.study import REPOSITORY

CHARTS = EvalSet(benchmark="chartmimic", dataset="c", table=1, title="Generated charts", domain="chart")
PAGES = EvalSet(benchmark="websight", dataset="p", table=3, title="Generated pages", domain="web")


def a_profile(model: str = "nano") -> Profile:
    return Profile(
        name="nano",
        policy=PolicyConfig(model=model),
        grpo=load_profile("nano").grpo,
        sft={"chart": SFTConfigSection(domain="chart", train_set="t", steps=1, batch=1)},
        evaluations={"charts": CHARTS, "pages": PAGES},
    )


@pytest.fixture
def results(tmp_path):
    for i, (policy, rate, quality) in enumerate([("reference", 1.0, 0.98), ("base", 0.7, 0.5), ("rrvf", 0.95, 0.6)]):
        write_run(tmp_path / "eval" / "charts" / policy, exec_rate=rate, quality=quality, seed=i)
    write_run(tmp_path / "eval" / "pages" / "base", "websight", n=30)
    return tmp_path


@pytest.fixture
def tables(results):
    return build_tables(find_runs(results), a_profile())


def printed(block) -> dict:
    return {row.label: row.cells for row in lay_out(block)}


def test_heads_do_not_run_into_each_other():
    figure = table_picture(build_tables(find_runs(REPOSITORY / "results" / "nano"), load_profile("nano"))[2])
    rows: dict[float, list[tuple[float, float]]] = {}
    for text in (t for t in figure.texts if t.get_weight() == "bold"):
        box = text.get_window_extent()
        rows.setdefault(text.get_position()[1], []).append((box.x0, box.x1))
    between = 0.2 * figure.dpi
    assert all(a[1] + between < b[0] for row in rows.values() for a, b in pairwise(sorted(row)))


def with_seeds(results, rates, **provenance):
    """The tables with an additional run of RRVF for each further seed."""
    for seed, rate in enumerate(rates, 1):
        made = PROVENANCE.model_copy(update={"seed": seed, **provenance})
        write_run(results / "seeds" / str(seed) / "eval" / "charts" / "rrvf", exec_rate=rate, provenance=made)
    return build_tables(find_runs(results), a_profile(), seeds=find_seeds(results))[0].blocks[1]


def test_under_a_row_stand_the_mean_and_the_range_of_its_seeds(results):
    block = with_seeds(results, [0.8, 0.9])
    cell = printed(block)["mean and range of 3 seeds"][0]
    assert (cell.text, cell.interval, cell.mark) == ("88.33", "[80.0, 95.0]", "")
    assert "Seeds: 0, 1, 2 for rrvf;" in block.footer[1]


def test_a_reproduction_shows_the_three_tables_with_the_rows_of_its_seeds(results, capsys):
    with_seeds(results, [0.8, 0.9])
    show_tables(a_profile(), results)
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert [line[:8] for line in shown if line.startswith("Table ")] == ["Table 1:", "Table 2:", "Table 3:"]
    assert any(line.startswith("RRVF [without code labels] 95.00") for line in shown)
    assert any(line.startswith("mean and range of 3 seeds 88.33") for line in shown)


@pytest.mark.parametrize("other", [{"judge": "another"}, {"protocol": "another"}, {"prompt_hash": "1"}])
def test_a_seed_that_was_measured_otherwise_is_not_counted(results, other):
    assert not any("seeds" in label for label in printed(with_seeds(results, [0.8], **other)))


def test_one_seed_says_so(tables):
    assert any(line.startswith("Only one seed") for line in tables[0].blocks[1].footer)
    assert not any(line.startswith("Only one seed") for line in tables[2].blocks[1].footer)  # no row of it is trained


def test_the_papers_block_prints_the_paper(tables):
    cells = printed(tables[0].blocks[0])["(2024/03) DeepSeek-VL-7B"]
    assert [c.text for c in cells] == ["41.3*", "15.3*", "26.6*", "19.7*", "14.5*", "20.4*", "19.7*"]


def test_ours_stand_in_a_block_of_their_own_and_say_what_they_are(tables):
    ours = tables[0].blocks[1]
    assert "stand-in" in ours.title and "nano" in ours.title
    assert [c.label for c in ours.columns][5] == "Judge score"
    assert not any("the paper:" in label for label in printed(ours))


def test_a_real_model_stands_beside_the_papers_row(results):
    ours = build_tables(find_runs(results), a_profile("Qwen/Qwen2.5-VL-7B-Instruct"))[0].blocks[1]
    cells = printed(ours)["the paper: RRVF (Ours) [without text labels]"]
    assert cells[0].text == "97.83"
    assert "stand-in" not in ours.title


def test_every_value_of_ours_has_an_interval_around_it(tables):
    row = next(line.row for line in tables[0].blocks[1].lines if line.row.model.startswith("RRVF"))
    assert row.intervals.keys() == row.values.keys()
    assert all(low <= row.values[k] <= high for k, (low, high) in row.intervals.items())


def test_a_missing_run_is_a_row_of_dashes(tables):
    cells = printed(tables[0].blocks[1])["SFT [with code labels] (not run)"]
    assert {c.text for c in cells} == {"–"}


def test_web_has_no_sft_row_where_none_is_trained(tables):
    assert not any("SFT" in label for label in printed(tables[2].blocks[1]))


def test_missing_clip_weights_print_as_not_available(tables):
    block = tables[2].blocks[1]
    assert printed(block)["Base (rrvf-nano)"][0].text == "n/a"
    assert any("no CLIP weights" in line for line in block.footer)


def test_calibration_rows_take_no_mark_and_no_delta(tables):
    line = tables[0].blocks[1].lines[0]
    assert line.row.model.startswith("Reference") and not line.row.ranked and line.delta is None
    assert not any(c.mark for c in printed(tables[0].blocks[1])["Reference code (ceiling)"])


def test_the_best_of_ours_is_marked(tables):
    rows = printed(tables[0].blocks[1])
    assert rows["RRVF [without code labels]"][0].mark == "best" and rows["Base (rrvf-nano)"][0].mark == "second"


def test_a_table_with_many_judge_errors_is_refused(tmp_path):
    write_run(tmp_path / "charts" / "base", n=100, judge_errors=2)
    with pytest.raises(UserError, match=r"2 of 100"):
        build_tables(find_runs(tmp_path))
    block = build_tables(find_runs(tmp_path), allow_judge_errors=True)[0].blocks[1]
    assert "Base (2 judge errors)" in printed(block)


def test_one_judge_error_in_a_hundred_is_printed(tmp_path):
    write_run(tmp_path / "charts" / "base", n=100, judge_errors=1)
    assert build_tables(find_runs(tmp_path))


def test_rows_made_by_different_judges_are_named(tmp_path):
    write_run(tmp_path / "charts" / "base")
    write_run(tmp_path / "charts" / "rrvf", provenance=PROVENANCE.model_copy(update={"judge": "another"}))
    footer = build_tables(find_runs(tmp_path))[0].blocks[1].footer[0]
    assert "judge differs" in footer and "another for rrvf" in footer


def test_two_protocols_of_one_table_stand_side_by_side(tmp_path):
    for name in ("official", "july2025"):
        write_run(tmp_path / name / "base", provenance=PROVENANCE.model_copy(update={"protocol": name}))
    blocks = build_tables(find_runs(tmp_path))[0].blocks[1:]
    assert [f"protocol {n}" in b.footer[0] for n, b in zip(("july2025", "official"), blocks, strict=True)] == [
        True,
        True,
    ]


def test_write_tables_leaves_four_files_a_table(results, tmp_path):
    paths = write_tables(results, tmp_path / "out", a_profile())
    assert len(paths) == 12 and all(p.stat().st_size > 500 for p in paths)
    assert (tmp_path / "out" / "table1.png").read_bytes().startswith(b"\x89PNG")


def test_csv_keeps_full_precision_and_provenance(tables):
    text = comma_separated(tables[0])
    rows = list(csv.DictReader(io.StringIO("\n".join(s for s in text.splitlines() if not s.startswith("# ")))))
    ours = next(r for r in rows if r["model"].startswith("RRVF [") and r["metric"] == "overall")
    line = next(x for x in tables[0].blocks[1].lines if x.row.model.startswith("RRVF"))
    assert float(ours["value"]) == line.row.values["overall"]
    assert "# Generated charts: protocol synthetic, judge synthetic-judge, prompt 000000000000" in text


def test_pandas_reads_the_row_of_a_policy_behind_an_address(tmp_path):
    write_run(tmp_path / "charts" / "v1#mine")
    text = comma_separated(build_tables(find_runs(tmp_path))[0])
    rows = pd.read_csv(io.StringIO(text), comment="#").set_index(["model", "metric"])
    assert rows.loc[("v1#mine", "exec_rate"), "value"] == pytest.approx(70)


def test_latex_rows_have_as_many_cells_as_their_tabular(tables):
    for table in tables:
        text = latex(table)
        for spec, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
            rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
            assert rows and {len(re.split(r"(?<!\\)&", line)) for line in rows} == {len(spec)}
        assert text.count("{") == text.count("}")


HOSTILE = "x|<script>alert(1)</script>_*`$&%\\[b]"


def test_names_from_outside_cannot_break_out(tmp_path):
    write_run(tmp_path / "charts" / "base")
    write_run(tmp_path / "charts" / "other")
    run = find_runs(tmp_path)
    object.__setattr__(run[1].summary, "policy", HOSTILE)
    table = build_tables(run)[0]
    text = markdown(table)
    assert "<script>" not in text and r"x\|&lt;script" in text
    assert r"x|<script>alert(1)</script>\_*`\$\&\%\textbackslash{}{[}b{]}" in latex(table)
    print_tables([table], Console(file=io.StringIO()))


def test_markdown_rows_are_as_wide_as_their_heads(tables):
    for table in tables:
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in markdown(table).splitlines() if line.startswith("|")]
        assert len(set(widths)) == len({len(b.columns) for b in table.blocks})


def test_the_terminal_shows_values_with_their_intervals(tables):
    out = io.StringIO()
    print_tables(tables, Console(file=out))
    assert "97.83" in out.getvalue() and "[86.3, 98.3]" in out.getvalue()


def test_a_short_block_has_a_line_a_policy_and_the_same_marks(tables):
    whole = tables[0].blocks[1]
    short = in_short(whole, ("exec_rate", "judge"))
    assert [c.key for c in short.columns] == ["exec_rate", "judge"]
    rows = {row.label: row.cells[0] for row in lay_out(whole) if row.kind == "row"}
    found = {row.label: row.cells[0] for row in lay_out(short)}
    assert found.keys() == rows.keys() and len(found) < len(lay_out(whole))
    assert all((c.mark, c.interval) == (rows[label].mark, rows[label].interval) for label, c in found.items())
    assert found["Base (rrvf-nano)"].text == f"{float(rows['Base (rrvf-nano)'].text):.1f}"
