"""Pages that could affect the next page, and pages on which the effect would be visible; all without scripts."""

from __future__ import annotations

_TAILWIND = "<link rel=stylesheet href='https://cdn.tailwindcss.com/2.2.19/tailwind.min.css'>"
#: State that a document, a frame, a history, a cache or a process can keep.
MARKS = [
    "<meta name=color-scheme content=dark><p>x",
    "<meta name=color-scheme content='only dark'><meta name=theme-color content=#000><p>x",
    "<style>:root{color-scheme:dark;zoom:2}</style><p>x",
    "<style>:root{color-scheme:dark}html,body{background:#123;color:#eee}</style><p>x",
    "<html style='font-size:40px;background:black'><body style='zoom:3'><p>x",
    "<body link=#00aa00 vlink=#00aa00 text=red bgcolor=#fafa00><a href='#'>link</a>",
    "<body alink=red vlink=red link=red text=lime background=a.png topmargin=40><a href=''>x</a>",
    "<style>a:visited{color:red}</style><a href='http://page.invalid/'>x</a><a href='?'>y</a><a href='#x'>z</a>",
    "<div style='height:3000px'>x</div><input autofocus>",
    "<style>html{scroll-behavior:smooth}</style><div style='height:3000px'>x</div><input autofocus>",
    "<style>html{scroll-snap-type:y mandatory}div{height:900px;scroll-snap-align:end}</style><div>a</div><input autofocus>",
    "<!doctype html><style>html{overflow:scroll;scrollbar-gutter:stable;scroll-padding:90px}body{height:900px}</style>x",
    "<div style='width:900px;height:900px;background:linear-gradient(red,blue)'>x</div>",
    "<style>html{writing-mode:vertical-rl;direction:rtl}</style><p>x y z",
    "<style>html{transform:scale(2);filter:invert(1);mix-blend-mode:difference}</style><p>x",
    "<style>::selection{background:red}::target-text{background:red}:target{color:red}</style><p id=x>x",
    "<style>@font-face{font-family:serif;src:local('DejaVu Sans')}p{font-family:serif}</style><p>x",
    "<style>@font-face{font-family:Arial;src:local('monospace')}*{font-family:Arial}</style><p>x",
    "<style>@font-face{font-family:sans-serif;src:url(data:font/woff2;base64,d09GMgABAAA)}*{font-family:sans-serif}</style><p>x",
    "<style>@counter-style decimal{system:cyclic;symbols:X}@property --a{syntax:'*';inherits:true;initial-value:red}"
    "@layer a{p{color:red}}@namespace svg url(x);@page{size:9px}</style><ol><li>x</ol>",
    "<style>@view-transition{navigation:auto}::view-transition-group(*){animation-duration:99s}</style>"
    "<h1 style='view-transition-name:a;background:red'>x</h1>",
    "<style>@import url('https://cdn.jsdelivr.net/npm/bootstrap@5.3.8/dist/css/bootstrap.min.css');</style><p class=btn>x",
    f"{_TAILWIND}<p class='text-red-500 p-8'>x",
    "<meta name=viewport content='width=90,initial-scale=3,user-scalable=no'><meta name=text-scale content=scale><p>x",
    "<meta http-equiv=refresh content='0.01'><p>x",
    "<meta http-equiv=content-language content=ja><p>x<q>y</q>",
    "<meta http-equiv=content-security-policy content=\"style-src 'none'; img-src 'none'\"><p style=color:red>x",
    "<meta http-equiv=content-type content='text/html; charset=shift_jis'><p>\xe9",
    "<meta http-equiv=default-style content=b><link rel='alternate stylesheet' title=b href='data:text/css,p{color:red}'><p>x",
    "<meta http-equiv=accept-ch content='dpr, width'><meta http-equiv=set-cookie content='a=b'><p>x<img src=a.png>",
    "<meta http-equiv=x-dns-prefetch-control content=off><link rel=preload as=style href=a.css><link rel=prefetch href=/><p>x",
    "<script>document.cookie='a=b';localStorage.a=1;window.name='x'</script><noscript><meta name=color-scheme content=dark></noscript>x",
    "<script type=speculationrules>{'prerender':[{'source':'list','urls':['/']}]}</script><a href='/'>x</a>",
    "<base href='http://other.invalid/x/' target=_blank><a href=a>x</a><img src=a.png>",
    "<base href='?x'><img src='#'><img src='?'>x",
    "<form><input name=a value=1><input type=checkbox checked name=b><textarea name=c>1</textarea><select name=d><option>1",
    "<textarea autofocus spellcheck=true>mispeled wrods heer</textarea>",
    "<div contenteditable autofocus spellcheck=true>mispeled wrods</div>",
    "<dialog open><button autofocus>x</button></dialog><details open name=a><summary>x</summary>y</details>",
    "<select autofocus size=3><option selected>a<option>b</select>",
    "<frameset cols='50%,50%'><frame><frame src='data:text/html,<input autofocus>'></frameset>",
    "<iframe srcdoc=\"<input autofocus value=x><a href=''>x</a>\"></iframe><p>x",
    "<iframe src='data:text/html,<body bgcolor=red><input autofocus>'></iframe><iframe src=/x></iframe><object data=/y></object>x",
    "<html lang=ja><p>\u76f4 \u9aa8 \u89d2 \u6d77 \u5165 <ruby>\u6f22<rt>\u304b\u3093</ruby>",
    "<html lang=zh-Hans><p>\u76f4 \u9aa8 \u89d2 \u6d77 \u5165",
    "<html lang=ko dir=rtl><p>\u76f4 \u9aa8 \ud55c\uad6d \u0627\u0644\u0639 <bdo dir=ltr>abc</bdo>",
    "<p>\U0001f600 \u2603 \u2665\ufe0e \u2665\ufe0f \u2211 \U0001d538 \U00013000 \ua66e",
    "<html inert><body contenteditable><p>x",
    '<html translate=no lang=de style=\'quotes:"(" ")"\'><q>x</q>',
    "<p style='color:color-mix(in oklch,red,blue);background:url(big/2000x2000.png)'>x",
    "<link rel=icon href=a.ico><link rel=preconnect href=//a.invalid><link rel=manifest href=m.json><p>x",
    "<svg width=900 height=90><rect width=900 height=90 fill=red filter='blur(3px)'/></svg>",
    "<video controls autoplay muted src=a.mp4></video><audio controls></audio>",
    "<marquee>moving</marquee><progress></progress><p style='animation:a 1s infinite'>x",
    "<math><mfrac><mi>x</mi><mn>2</mn></mfrac></math><plaintext><p>x",
    "<meta http-equiv='X-UA-Compatible' content='IE=5'><meta http-equiv=content-type content='text/plain;charset=x'>x",
    "<html lang=ja style='background:red' dir=rtl><title>x</title><p style='position:fixed;bottom:0'>x",
    "<template shadowrootmode=open>x</template><p>x",
    "<p>x<!-- never closed",
    "<div style='height:100000px;width:100000px'>x</div>",
]
#: Each shows possible state of others: colours, links, focus, scroll, fields, fonts, caches, sizes, mode.
WITNESSES = [
    "<h1>New</h1><a href='#'>a link</a> <a href='http://page.invalid/'>another</a><p>text<input value=x>",
    "<!doctype html><style>a:visited{color:red}</style><a href=''>here</a><table><tr><td>cell</table><q>quoted</q>",
    "<!doctype html><style>@media(prefers-color-scheme:dark){p{color:red}}@media(min-resolution:2dppx){p{margin:9px}}"
    "p{width:50vw;height:10vh;font-size:1rem}</style><p>text</p><input type=checkbox><input type=date><select><option>a"
    "</select><textarea>mispeled wrods</textarea><progress value=.3></progress>",
    "<p>\u76f4 \u9aa8 \u89d2 \u6d77 \ud55c \u0627 \U0001f600 \u2665 \xe9 <ol><li>a<li>b</ol><q>x</q><code>x</code><h1 id=t>t</h1>",
    "<form><input name=a value=2><input type=checkbox name=b><textarea name=c>2</textarea><select name=d><option>1<option>2"
    "</select></form><img src=a.png width=20><img src='#' width=20><img src='?' width=9><img src='' alt=none>",
    f"{_TAILWIND}<div class='p-4 bg-blue-500 text-white'>x</div>",
    "<div style='height:900px;width:500px'>tall</div><input autofocus value=x><a href='?'>y</a>",
    "<iframe srcdoc='<p>in<input autofocus>' width=90 height=60></iframe><p style='font-family:serif'>serif "
    "<span style='font-family:Arial'>Arial</span> <span style='font-family:DejaVu Sans'>DejaVu</span>",
    "<h1>Title</h1><input autofocus><img src='a/40x30/b.png'><q lang=''>quoted</q>",
]
