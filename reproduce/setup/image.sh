#!/usr/bin/env bash
# Builds the image of the Dockerfile with docker, podman or buildah, whichever works here first.
#
#     bash reproduce/setup/image.sh [options of the engine's build]        (`make image`)
#
# BASE: the base image, best by digest (debian@sha256:...). TAG: the image's name [rrvf].
set -euo pipefail
cd "$(dirname "$0")/../.."
options=(--tag "${TAG:-rrvf}" ${BASE:+--build-arg "BASE=$BASE"} "$@")
# docker's client needs its daemon to build. podman and buildah need the docker format, because OCI has no HEALTHCHECK.
if docker info >/dev/null 2>&1; then exec docker build "${options[@]}" .; fi
if command -v podman >/dev/null; then exec podman build --format docker "${options[@]}" .; fi
if command -v buildah >/dev/null; then exec buildah build --format docker --layers "${options[@]}" .; fi
echo "image: docker with a daemon that answers, podman or buildah is needed: install one (on Debian: apt install buildah)" >&2
exit 1
