#!/usr/bin/env bash
# Builds the image of the Dockerfile with docker, podman or buildah, whichever is there first.
#
#     bash reproduce/setup/image.sh [options of the engine's build]        (`make image`)
#
# BASE: the base image, best by digest (debian@sha256:...). TAG: the image's name [rrvf].
set -euo pipefail
cd "$(dirname "$0")/../.."
options=(--tag "${TAG:-rrvf}" ${BASE:+--build-arg "BASE=$BASE"} "$@")
# The OCI format has no HEALTHCHECK.
if command -v docker >/dev/null; then exec docker build "${options[@]}" .; fi
if command -v podman >/dev/null; then exec podman build --format docker "${options[@]}" .; fi
if command -v buildah >/dev/null; then exec buildah build --format docker --layers "${options[@]}" .; fi
echo "image: docker, podman or buildah is needed: install one of them (on Debian: apt install buildah)" >&2
exit 1
