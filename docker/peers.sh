#!/bin/sh
# Installs the Debian packages of real peers (SIPp, baresip, tshark …) that the tests drive. Needs root and apt-get;
# without them it says so and goes on: the tests that need a peer are then skipped, and pytest prints how many.
missing=""
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "peers: not installed:$missing (needs root and apt-get); tests that need them are skipped"
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null
