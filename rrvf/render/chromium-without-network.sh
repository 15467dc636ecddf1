#!/bin/sh
# Starts $RRVF_CHROMIUM in a new, empty network namespace without even a loopback device, so that a request that slips
# past the router (WebSocket, WebRTC) reaches nothing. Root switches to a user without rights, which also keeps
# Chromium's own sandbox on. An ordinary user needs a user namespace for it.
# The profile lies in $RRVF_PROFILE, which that user can reach; the profile folder that Playwright names stays empty.
set -e
set -- "$@" "--user-data-dir=$RRVF_PROFILE"
if [ "$(id -u)" = 0 ]; then
    chown "$RRVF_BROWSER_UID:$RRVF_BROWSER_UID" "$RRVF_PROFILE"
    exec unshare --net setpriv --reuid "$RRVF_BROWSER_UID" --regid "$RRVF_BROWSER_UID" --clear-groups --no-new-privs "$RRVF_CHROMIUM" "$@"
fi
exec unshare --map-current-user --net "$RRVF_CHROMIUM" "$@"
