"""SVG: any drawing as one XML document, drawn by Chromium as a picture. Our addition: the paper has no SVG."""

from rrvf.domains.record import Domain, register

SVG = register(
    Domain(
        name="svg",
        tool_name="svg_render_and_compare_tool",
        tool_argument="svg_code",
        fence="xml",
        suffix=".svg",
        blank='<svg xmlns="http://www.w3.org/2000/svg" width="300" height="150"></svg>',
        sample='<svg xmlns="http://www.w3.org/2000/svg" width="300" height="150">'
        '<circle cx="99" cy="75" r="50"/></svg>',
        languages="svg|xml",
        begins=r"\s*<",
        quoted=r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)",
        document=(r"<svg\b", r"</svg\s*>"),
        renderer_at="rrvf.render.svg:SvgRenderer",
        reader_at="rrvf.render.web_encoding:read_page",
        reading_at="rrvf.judge.embedded.reading:DRAWINGS",
        damage_at="rrvf.judge.damage:PAGES",
        saying_at="rrvf.judge.probes:page_saying",
    )
)
