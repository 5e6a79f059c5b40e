#!/bin/sh
# Stops the exporter before it is removed, not before it is upgraded.
set -e
case $1 in
remove | 0) # deb, rpm
    if [ -d /run/systemd/system ]; then
        systemctl disable --now emqx-client-monitor.service emqx-client-monitor.socket
    fi
    ;;
esac
