#!/bin/sh
# Stops the exporter before it is removed, not before it is upgraded. Where no systemd runs, as while an image is built, it
# is still enabled by links that would stay behind.
set -e
case $1 in
remove | 0) # deb, rpm
    if [ -d /run/systemd/system ]; then
        systemctl stop emqx-client-monitor.socket emqx-client-monitor.service || true
    fi
    if command -v systemctl >/dev/null; then
        systemctl disable emqx-client-monitor.socket emqx-client-monitor.service || true
    fi
    ;;
esac
