#!/usr/bin/env bash
# The local test of what a Flux instance runs: a launcher with several nodes on neighbouring ports.
# Every check is printed; the exit code is 0 only when all of them hold.
set -u

usage()
{
    cat <<'TXT'
usage: fade/test-flux-sim.sh [--container | --direct] [--help]

Uses the image of Dockerfile.flux-sim where docker or podman answers, and the release build's
launcher directly where not; the two options choose one.
Environment: BASE_PORT (8081, or the next free range), NODE_COUNT (3).
TXT
}

fade=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd) || exit 1
top=${fade%/fade}
mode=
case ${1:-} in
'') ;;
--container | --direct) mode=${1#--} ;;
--help | -h)
    usage
    exit 0
    ;;
*)
    usage >&2
    exit 2
    ;;
esac

# shellcheck source=.ci/packages.sh
. "$top/.ci/packages.sh"
count=${NODE_COUNT:-3}
case $count in
'' | *[!0-9]* | 0 | 1)
    echo "test-flux-sim.sh: NODE_COUNT is '$count'; the test needs a number from 2 on" >&2
    exit 2
    ;;
esac
max_ports=$((count > 10 ? count : 10))
scratch=$(mktemp -d) || exit 1
name=repram-flux-sim-$$
engine=
launcher=
checks=0
bad=0

# ---- Finding out ----

# port_busy PORT: somebody listens on it (TCP) or has it bound (UDP), by the kernel's own tables.
port_busy()
{
    local hex
    hex=$(printf ':%04X' "$1")
    awk -v port="$hex" '$2 ~ port "$" && ($4 == "0A" || FILENAME ~ /udp/) { found = 1 }
                        END { exit !found }' /proc/net/tcp /proc/net/tcp6 /proc/net/udp \
        /proc/net/udp6 2>/dev/null
}

# free_range: BASE_PORT if it was given, else the first free range from 8081 on.
free_range()
{
    local base port
    [ -z "${BASE_PORT:-}" ] || { echo "$BASE_PORT"; return; }
    for base in $(seq 8081 100 18081); do
        for port in $(seq "$base" $((base + max_ports - 1))); do
            ! port_busy "$port" || continue 2
        done
        echo "$base"
        return
    done
    return 1
}

find_engine()
{
    local candidate
    for candidate in docker podman; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" info >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    return 1
}

# ---- Starting and stopping ----

start_container()
{
    local last=$((base + max_ports - 1)) args
    mapfile -t args < <("$top/.ci/image-args.sh")
    "$engine" build -q "${args[@]}" -f "$top/Dockerfile.flux-sim" -t repram-flux:sim "$top" \
        >/dev/null || return 1
    "$engine" run -d --name "$name" -e BASE_PORT="$base" -e MAX_PORTS="$max_ports" \
        -e NODE_COUNT="$count" -e REPRAM_MIN_TTL=1 \
        -p "$base-$last:$base-$last/tcp" -p "$base-$last:$base-$last/udp" \
        repram-flux:sim >/dev/null
}

start_direct()
{
    packages_install build || return 1
    if ! { [ -e "$top/build/release/build.ninja" ] ||
        (cd "$top" && cmake --preset release); } >"$scratch/build.log" 2>&1 ||
        ! (cd "$top" && cmake --build --preset release -j"$(nproc)") >>"$scratch/build.log" 2>&1; then
        tail -n 40 "$scratch/build.log" >&2
        return 1
    fi
    BASE_PORT=$base MAX_PORTS=$max_ports NODE_COUNT=$count REPRAM_MIN_TTL=1 \
        "$top/build/release/repram" launch >"$scratch/log" 2>&1 &
    launcher=$!
}

# "PID PORT" of every node; the pids are those of the container where there is one.
nodes()
{
    if [ -n "$engine" ]; then
        "$engine" exec -i "$name" sh -s 1 <"$fade/nodes-of.sh"
    else
        "$fade/nodes-of.sh" "$launcher"
    fi
}

kill_node()
{
    if [ -n "$engine" ]; then
        "$engine" exec "$name" sh -c "kill -9 $1"
    else
        kill -9 "$1"
    fi
}

# Stops the launcher and prints how it ended; it takes 8 s at most where the machine is not busy.
stop()
{
    local end=$((SECONDS + 80))
    if [ -n "$engine" ]; then
        "$engine" stop -t 10 "$name" >/dev/null
        "$engine" inspect -f '{{.State.ExitCode}}' "$name"
        return
    fi
    kill -TERM "$launcher" 2>/dev/null
    while kill -0 "$launcher" 2>/dev/null && [ "$SECONDS" -lt "$end" ]; do
        sleep 0.1
    done
}

cleanup()
{
    if [ -n "$engine" ]; then
        "$engine" rm -f "$name" >/dev/null 2>&1
    elif [ -n "$launcher" ] && kill -0 "$launcher" 2>/dev/null; then
        kill -TERM "$launcher"
        stop
        kill -9 "$launcher" 2>/dev/null
    fi
    rm -rf "$scratch"
}

# ---- Checking ----

ask() { curl -sS --max-time 10 "$@" 2>/dev/null; }
url() { printf 'http://127.0.0.1:%s%s' "$1" "$2"; }

# text FIELD and number FIELD: a top-level field of the JSON on standard input, and a newline.
text() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | awk 'NR == 1'; }
number() { sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | awk 'NR == 1'; }

# check TEXT COMMAND...: one line, and one more to the count.
check()
{
    local what=$1
    shift
    checks=$((checks + 1))
    if "$@"; then
        echo "ok      $what"
    else
        echo "FAILED  $what"
        bad=$((bad + 1))
        return 1
    fi
}

# within SECONDS COMMAND...: the command holds, now or later. A busy machine gets ten times as long.
within()
{
    local end=$((SECONDS + 10 * $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

have_nodes() { [ "$(nodes | wc -l)" = "$count" ]; }
in_range() { [ "$1" -ge "$base" ] && [ "$1" -lt $((base + max_ports)) ]; }
uuid_of() { ask "$(url "$1" /health)" | text uuid; }

healthy()
{
    local answer
    answer=$(ask "$(url "$1" /health)")
    [ "$(text status <<<"$answer")" = healthy ] && [ "$(number port <<<"$answer")" = "$1" ] &&
        [ -n "$(text uuid <<<"$answer")" ]
}

ready() { [ "$(ask -o /dev/null -w '%{http_code}' "$(url "$1" /readyz)")" = 200 ]; }

# Every other node is alive in its eyes, and the ports that are held are exactly ours.
sees_all()
{
    local claimed
    [ "$(ask "$(url "$1" /health)" | number active_peers)" = $((count - 1)) ] || return 1
    claimed=$(ask "$(url "$1" /peers)" | sed -n 's/.*"claimed_ports": *\[\([0-9, ]*\)\].*/\1/p')
    [ "$(tr -d ' ' <<<"$claimed" | tr , '\n' | sort -n | tr '\n' ' ')" = "$(printf '%s ' "${ports[@]}")" ]
}

# A dead member may still be listed, as dead: what counts is that it is alive to nobody.
not_alive()
{
    ! ask "$(url "$1" /peers)" | tr '{' '\n' | grep "\"$2\"" | grep -qE '"state": *"(alive|suspect)"'
}

# put PORT KEY VALUE TTL prints the status.
put()
{
    ask -o /dev/null -w '%{http_code}' -X PUT --data-binary "$3" "$(url "$1" "/data/$2?ttl=$4")"
}
holds() { [ "$(ask -f "$(url "$1" "/data/$2")")" = "$3" ]; }
status_is() { [ "$(ask -o /dev/null -w '%{http_code}' "$(url "$1" "/data/$2")")" = "$3" ]; }
ttl_stored() { ask -D - -o /dev/null "$(url "$1" "/data/$2")" | grep -qix "x-original-ttl: $3"$'\r'; }

check_start()
{
    check "$count nodes hold a port each" within 15 have_nodes || return 1
    mapfile -t ports < <(nodes | cut -d' ' -f2)
    local port
    for port in "${ports[@]}"; do
        check "port $port is in $base-$((base + max_ports - 1))" in_range "$port"
        check "port $port is healthy" within 10 healthy "$port"
        check "port $port is ready" within 10 ready "$port"
        check "port $port sees the $((count - 1)) others" within 10 sees_all "$port"
    done
    check 'every node has an identity of its own' distinct_uuids
}

distinct_uuids()
{
    local port
    [ "$(for port in "${ports[@]}"; do uuid_of "$port"; done | sort -u | wc -l)" = "$count" ]
}

check_replication()
{
    local from to
    for from in "${ports[@]}"; do
        check "port $from takes a write" [ "$(put "$from" "from-$from" "value of $from" 600)" = 201 ]
        for to in "${ports[@]}"; do
            check "what $from took is on $to" within 2 holds "$to" "from-$from" "value of $from"
        done
    done
}

check_expiry()
{
    local port
    check 'a write for 3 s is taken' [ "$(put "${ports[0]}" brief 'soon gone' 3)" = 201 ]
    check 'it keeps the 3 s it asked for' ttl_stored "${ports[0]}" brief 3
    for port in "${ports[@]}"; do
        check "it is on $port" within 1 status_is "$port" brief 200
    done
    for port in "${ports[@]}"; do
        check "it is gone from $port" within 5 status_is "$port" brief 404
    done
}

check_crash()
{
    local pid port uuid other
    read -r pid port < <(nodes | tail -n 1)
    uuid=$(uuid_of "$port")
    check "node $port can be killed" kill_node "$pid" || return 1
    for other in "${ports[@]}"; do
        [ "$other" != "$port" ] || continue
        check "$other notices that $port is gone" within 5 not_alive "$other" "$uuid"
    done
    check 'the launcher starts another one' within 15 have_nodes || return 1
    mapfile -t ports < <(nodes | cut -d' ' -f2)
    for other in "${ports[@]}"; do
        check "$other is ready, and sees $((count - 1)) others" within 10 ready_and_sees "$other"
        for from in "${writers[@]}"; do
            check "$other holds what $from took before" \
                within 5 holds "$other" "from-$from" "value of $from"
        done
    done
    check 'it is a new node' [ "$(uuid_of "${ports[-1]}")" != "$uuid" ]
}

ready_and_sees() { ready "$1" && sees_all "$1"; }

check_stop()
{
    local status
    if [ -n "$engine" ]; then
        status=$(stop)
    else
        stop
        if kill -0 "$launcher" 2>/dev/null; then
            status='still running'
        else
            wait "$launcher"
            status=$?
        fi
    fi
    check "told to stop, the launcher ends with 0 (it said: $status)" [ "$status" = 0 ]
    local port
    for port in "${ports[@]}"; do
        check "port $port is free again" free "$port"
    done
}

free() { ! port_busy "$1"; }

packages_install sim || exit 1
if [ "$mode" != direct ]; then
    engine=$(find_engine) || engine=
    if [ "$mode" = container ] && [ -z "$engine" ]; then
        echo 'test-flux-sim.sh: neither docker nor podman answers' >&2
        rm -rf "$scratch"
        exit 1
    fi
fi
base=$(free_range) || { echo 'test-flux-sim.sh: no range of ports is free' >&2; exit 1; }
trap cleanup EXIT
trap 'exit 130' INT TERM HUP
if [ -n "$engine" ]; then
    echo "In a container of $engine, $count nodes on ports from $base:"
    start_container || { echo 'FAILED  the container starts'; exit 1; }
else
    echo "The release build's launcher, $count nodes on ports from $base:"
    start_direct || { echo 'FAILED  the release build'; exit 1; }
fi
ports=()
if check_start; then
    writers=("${ports[@]}")
    check_replication
    check_expiry
    check_crash
    check_stop
fi

if [ "$bad" -gt 0 ]; then
    echo "$bad of $checks checks FAILED"
    if [ -n "$engine" ]; then "$engine" logs --tail 40 "$name"; else tail -n 40 "$scratch/log"; fi >&2
    exit 1
fi
echo "all $checks checks hold"
