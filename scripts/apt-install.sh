#!/bin/sh
# Install the Debian or Ubuntu packages that a list names and this host lacks. Without root, or without apt, it
# says what is missing and goes on: the kit runs with less, and `containerlab doctor` tells what that costs.
set -eu
list=$1
command -v dpkg-query >/dev/null || { echo "no dpkg here: packages of $list are yours to install"; exit 0; }
missing=
for package in $(grep -v '^#' "$list"); do
    dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" -ne 0 ]; then
    echo "not installed, and only root can:$missing"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $missing
