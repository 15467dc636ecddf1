# Sourced by install.sh: finds a Chromium that starts, and the fonts that determine a page's pixels.
# It looks on this machine first, then tries apt (as root), then Playwright. The path is stored in .cache/chromium.

starts() { timeout 120 "$1" --headless --no-sandbox --disable-gpu --dump-dom about:blank >/dev/null 2>&1; }
present() {
    browser=$(.venv/bin/python -m rrvf.chromium 2>/dev/null) && starts "$browser" && echo "$browser" >.cache/chromium
}
fonts() { [ -n "$(find /usr/share/fonts /usr/local/share/fonts -iname "$1*" -print -quit 2>/dev/null)" ]; }
apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "installing $*"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } >"$log" 2>&1
}
playwright() {
    say "downloading Playwright's Chromium"
    # As root, the browser runs as a user who cannot read /root.
    if [ "$(id -u)" = 0 ]; then
        PLAYWRIGHT_BROWSERS_PATH=/opt/ms-playwright .venv/bin/playwright install --with-deps chromium-headless-shell >"$log" 2>&1
    else
        .venv/bin/playwright install chromium-headless-shell >"$log" 2>&1
    fi
}

known=$(cat .cache/chromium 2>/dev/null || true)
if [ ! -x "$known" ] || [ "${RRVF_CHROMIUM:-$known}" != "$known" ]; then
    fonts LiberationSans && fonts DejaVuSans || apt fonts-liberation fonts-dejavu ||
        say "the fonts Liberation and DejaVu are missing: pages will be drawn with others (install fonts-liberation and fonts-dejavu)"
    present || { apt chromium-headless-shell && present; } || { playwright && present; } ||
        fail "no Chromium that starts: install chromium-headless-shell, or set RRVF_CHROMIUM to the path of one ($log)"
fi
