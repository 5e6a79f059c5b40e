#!/bin/sh
# A small fleet of simulated devices: devices.sh BROKER. Needs the clients of Mosquitto. The exporter watches these
# devices, and a lamp that does not exist.
set -eu
broker=$1

# Runs a device again and again, as the real one would reconnect.
keep() {
    while true; do
        "$@" || echo "$1: connection lost" >&2
        sleep 1
    done
}

# Waits for commands, in a session that outlives its connection.
valve() {
    mosquitto_sub -h "$broker" -i valve -c -q 1 -k 30 -t 'cmd/valve' >/dev/null
}

# Sends a value every 10 s.
thermometer() {
    while true; do
        echo '{"temperature": 21.5}'
        sleep 10
    done | mosquitto_pub -h "$broker" -i thermometer -k 30 -t tele/thermometer/STATE -l
}

# Takes its commands for one minute out of three. They wait in its session in between.
gate() {
    mosquitto_sub -h "$broker" -i gate -c -q 1 -t 'cmd/gate' -W 60 >/dev/null 2>&1 || [ $? -eq 27 ] # timed out
    sleep 120
}

# Connects for a moment, without a session: nothing of it stays on a broker that does not remember.
water_meter() {
    mosquitto_pub -h "$broker" -i water-meter -t tele/water-meter -m '{"litres": 4711}'
    sleep 120
}

# One of several lights, which nobody watches one by one.
light() {
    mosquitto_sub -h "$broker" -i "light-$1" -k 30 -t cmd/lights >/dev/null
}

# Sends the commands. Nobody watches it.
controller() {
    while true; do
        echo open
        sleep 5
    done | mosquitto_pub -h "$broker" -i controller -q 1 -t cmd/gate -l
}

trap 'trap - INT TERM; kill 0' INT TERM
for device in valve thermometer gate water_meter controller; do
    keep "$device" &
done
for number in 1 2 3 4 5 6; do
    keep light "$number" &
done
wait
