"""Code as HTML with syntax colours; policy output stays text.

highlighted("import numpy as np", "python")    # <i class="k">import</i> numpy <i class="k">as</i> np
"""

from __future__ import annotations

from functools import cache, lru_cache
from html import escape

from markupsafe import Markup
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, _TokenType
from pygments.util import ClassNotFound

from rrvf.report.html import visible

#: CSS classes of token kinds. One letter each, because a page holds thousands of programs.
_CLASSES = (
    ("k", (Keyword, Operator.Word)),
    ("s", (String,)),
    ("n", (Number,)),
    ("c", (Comment,)),
    ("f", (Name.Builtin, Name.Function, Name.Class, Name.Tag)),
    ("a", (Name.Attribute, Name.Decorator)),
    ("g", (Generic.Inserted,)),
    ("d", (Generic.Deleted,)),
    ("c", (Generic.Subheading,)),
)


@lru_cache(64)  # policies often give the same answer, and the reference policy answers the true code
def highlighted(code: str, language: str) -> Markup:
    """`code` as safe HTML. Long code is cut and hidden characters are written out, as in `visible`.

    language: a domain's fence, or `diff`.
    """
    parts: list[str] = []
    open_class = ""
    for token, text in _lexer(language).get_tokens(visible(code)):
        css = _class(token)
        if css != open_class:
            parts += ["</i>" * bool(open_class), f'<i class="{css}">' * bool(css)]
            open_class = css
        parts.append(escape(text, quote=False))  # safe between tags; escaped quotes would be a tenth of a page
    parts.append("</i>" * bool(open_class))
    return Markup("".join(parts))


@cache
def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return get_lexer_by_name("text", stripnl=False, ensurenl=False)


@cache
def _class(token: _TokenType) -> str:
    return next((name for name, kinds in _CLASSES if any(token in kind for kind in kinds)), "")
