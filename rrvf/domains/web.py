"""Web pages: HTML in Chromium. The tool's name is the one in the paper's overview figure."""

from rrvf.domains.record import Domain, register

WEB = register(
    Domain(
        name="web",
        tool_name="html_render_and_compare_tool",
        tool_argument="html_code",
        fence="html",
        suffix=".html",
        blank="<!DOCTYPE html>\n<html><body></body></html>",
        sample="<p>A page</p>",
        languages=r"x?html?[\d.]*",
        begins=r"\s*<",
        quoted=r"<!--.*?(?:-->|\Z)|<(?P<tag>pre|script|style|textarea)\b.*?(?:</(?P=tag)|\Z)",
        document=(r"<!doctype html|<html\b", r"</html\s*>"),
        renderer_at="rrvf.render.web:WebRenderer",
        reader_at="rrvf.render.web_encoding:read_page",
        traces=("blocks",),
        reading_at="rrvf.judge.embedded.reading:PAGES",
        damage_at="rrvf.judge.damage:PAGES",
        saying_at="rrvf.judge.probes:page_saying",
        generators=("pages", "long_pages"),
        thought_at="rrvf.nano.corpus:page_thought",
        own_size=False,
        benchmarks=("websight",),
        of_paper=True,
    )
)
