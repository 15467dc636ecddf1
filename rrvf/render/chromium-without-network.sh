#!/bin/sh
# Starts $RRVF_CHROMIUM in a network namespace of its own with nothing in it, not even loopback, so that no request that
# slips past the router (WebSocket, WebRTC) arrives anywhere. Root steps down to a user without rights, which also keeps
# Chromium's own sandbox on; an ordinary user needs a user namespace for it.
set -e
if [ "$(id -u)" = 0 ]; then
    for argument in "$@"; do
        case $argument in --user-data-dir=*) chown -R "$RRVF_BROWSER_UID:$RRVF_BROWSER_UID" "${argument#*=}" ;; esac
    done
    exec unshare --net setpriv --reuid "$RRVF_BROWSER_UID" --regid "$RRVF_BROWSER_UID" --clear-groups --no-new-privs "$RRVF_CHROMIUM" "$@"
fi
exec unshare --map-current-user --net "$RRVF_CHROMIUM" "$@"
