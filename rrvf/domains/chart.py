"""Charts: Python with matplotlib. The paper does not give the tool's name; ours follows that of pages."""

from rrvf.domains.record import Domain, register

CHART = register(
    Domain(
        name="chart",
        tool_name="chart_render_and_compare_tool",
        tool_argument="python_code",
        fence="python",
        suffix=".py",
        blank="import matplotlib.pyplot as plt\nfig, ax = plt.subplots()",
        sample="import matplotlib.pyplot as plt\nplt.plot([1, 2])\n",
        languages=r"i?py(?:thon)?[\d.]*",
        begins=r"\s*(?:import |from [\w.]+ import |\"\"\"|''')",
        quoted=r'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*(?:"""|\Z)'
        r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*(?:'''|\Z)"
        r'|"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'|\\.|#[^\n]*",
        dedented=True,
        renderer_at="rrvf.render.chart:ChartRenderer",
        reader_at="rrvf.sources:read_script",
        traces=("official", "fixed", "july2025", "plot2code"),
        reading_at="rrvf.judge.embedded.reading:CHARTS",
        damage_at="rrvf.judge.damage:CHARTS",
        saying_at="rrvf.judge.probes:chart_saying",
        types_at="rrvf.report.chart_types:chart_types",
        generators=("charts", "wide_charts"),
        thought_at="rrvf.nano.corpus:chart_thought",
        benchmarks=("chartmimic", "plot2code"),
        of_paper=True,
    )
)
