#!/bin/sh
# Restarts the exporter after an upgrade. An installation starts nothing: there is no broker to query yet. An exporter that
# does not start, as with a configuration that it rejects, is for its user to mend: the package is installed all the same.
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    systemctl try-restart emqx-client-monitor.service || true
fi
