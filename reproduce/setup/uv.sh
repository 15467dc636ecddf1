# Sourced: sets UV (the installer, in a small environment of its own) and FIND_LINKS (folders of wheels pip knows of).
: "${PYTHON:=$(command -v python3.11 || command -v python3 || true)}"
if [ -z "$PYTHON" ] || ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 is needed: install it, or name it with PYTHON=/path/to/python3.11" >&2
    exit 1
fi
tools=.cache/tools
if [ ! -x "$tools/bin/uv" ]; then
    rm -rf "$tools"
    "$PYTHON" -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 || {
        echo "setup: the package registry cannot be reached: check the network or the proxy settings" >&2
        exit 1
    }
fi
UV=$tools/bin/uv
FIND_LINKS=()
for folder in ${PIP_FIND_LINKS:-} $("$PYTHON" -m pip config get global.find-links 2>/dev/null || true); do
    FIND_LINKS+=(--find-links "$folder")
done
