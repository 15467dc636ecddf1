#!/bin/sh
# Starts $RRVF_CHROMIUM in a network namespace of its own with nothing in it, not even loopback, so that no request that
# slips past the router (WebSocket, WebRTC) arrives anywhere. Root steps down to a user without rights, which also keeps
# Chromium's own sandbox on; an ordinary user needs a user namespace for it.
# The profile lies in $RRVF_PROFILE, which that user can reach; the one that Playwright names stays empty.
set -e
set -- "$@" "--user-data-dir=$RRVF_PROFILE"
if [ "$(id -u)" = 0 ]; then
    chown "$RRVF_BROWSER_UID:$RRVF_BROWSER_UID" "$RRVF_PROFILE"
    exec unshare --net setpriv --reuid "$RRVF_BROWSER_UID" --regid "$RRVF_BROWSER_UID" --clear-groups --no-new-privs "$RRVF_CHROMIUM" "$@"
fi
exec unshare --map-current-user --net "$RRVF_CHROMIUM" "$@"
