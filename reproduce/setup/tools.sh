# Sourced by the other scripts in this folder: messages, the right Python, the installer (uv).
UV=.cache/tools/bin/uv
log=.cache/setup.log

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 1; }

# Sets PYTHON and installs UV if it is missing. Sets MIRROR, LINKS (folders of wheels) and EXTRA (further indexes) from pip's
# settings, as arguments for uv, which does not read those settings.
tools() {
    find_python
    [ "$(cat .cache/tools/stamp 2>/dev/null)" = "$(sha256sum <reproduce/setup/uv.lock)" ] && "$UV" --version >/dev/null 2>&1 || install_uv
    local settings url folder file
    settings=$({ "$PYTHON" -m pip config list || .cache/tools/bin/pip config list; } 2>/dev/null || true)
    MIRROR=() LINKS=() EXTRA=$(setting extra-index-url)
    for url in $(setting index-url); do MIRROR=(--default-index "$url"); done
    for folder in $(setting find-links); do LINKS+=(--find-links "$folder"); done
    for file in $(setting cert); do export SSL_CERT_FILE=${SSL_CERT_FILE:-$file}; done
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3 /usr/bin/python3.11 /usr/local/bin/python3.11}; do
        PYTHON=$("$candidate" -c 'import sys; sys.version_info[:2] == (3, 11) and print(sys.executable)' 2>/dev/null) || true
        [ -z "$PYTHON" ] || return 0
    done
    fail "Python 3.11 is needed: install it, or name it: make setup PYTHON=/path/to/python3.11"
}

install_uv() {
    rm -rf .cache/tools
    "$PYTHON" -m venv .cache/tools >"$log" 2>&1 || why "$PYTHON cannot make an environment (on Debian: apt install python3.11-venv)"
    .cache/tools/bin/pip install --quiet --disable-pip-version-check --retries 2 --require-hashes \
        -r reproduce/setup/uv.lock >"$log" 2>&1 || why "cannot install uv"
    sha256sum <reproduce/setup/uv.lock >.cache/tools/stamp
}

setting() { sed -nE "s/^[^=]*\.$1='(.*)'\$/\1/p" <<<"$settings" | sed 's/\\n/ /g'; }

# Exits with one line: $1 and the reason from the failed command's log.
why() {
    grep -qiE 'no space left|disk quota' "$log" && fail "the disk is full: make room and run it again"
    grep -qiE 'dns error|resol|connect|unreachable|timed out' "$log" &&
        fail "$1: the package registry cannot be reached: check the network and pip's settings, then run it again ($log)"
    fail "$1: $(grep -im1 error "$log" || tail -n1 "$log") ($log)"
}
