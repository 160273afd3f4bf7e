#!/usr/bin/env bash
# The second half of run.sh, inside namespaces of its own: starts the image as an engine would,
# asks it, stops it. Expects $work, $container and bud() in the environment.
set -u
: "${work:?}" "${container:?}"
ip link set lo up || exit 1
cd / || exit 1

# Waits until a command holds; 20 s are long where the machine is not busy.
await()
{
    local what=$1 end=$((SECONDS + 200))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            echo "FAILED: $what" >&2
            tail -n 20 "$work/log" >&2
            return 1
        fi
        read -rt 0.1 <> <(:)
    done
    echo "ok: $what"
}

inside() { bud run --isolation chroot "$container" -- "$@"; }
ask() { curl -fsS --max-time 5 "$@"; }
ready() { ask -o "$work/readyz" "http://127.0.0.1:$1/readyz"; }
sees_two() { ask "http://127.0.0.1:$1/health" | grep -q '"active_peers": *2'; }
gone() { ! kill -0 "$1"; }

# chroot isolation runs the entry point only when the command names it.
inside /usr/local/bin/repram launch >"$work/log" 2>&1 &
engine=$!

for port in 8081 8082 8083; do
    await "node $port sees two peers" sees_two "$port" || exit 1
    await "node $port is ready" ready "$port" || exit 1
done
await 'the health check of the image' inside /usr/local/bin/repram health --all || exit 1
# A node that is stopped cannot serve. Docker gives the check five seconds.
check() { inside timeout 5 /usr/local/bin/repram health --all; }
fails() { ! "$@"; }
node=$(pgrep -n -f '^repram node ') || exit 1
kill -STOP "$node"
await 'the health check fails while a node is stopped' fails check || exit 1
kill -CONT "$node"
await 'the health check holds when it goes on' check || exit 1

ask -X PUT --data-binary 'from the image' 'http://127.0.0.1:8081/data/image-test' || exit 1
for port in 8081 8082 8083; do
    await "port $port has the entry" \
        sh -c "curl -fsS http://127.0.0.1:$port/data/image-test | grep -qx 'from the image'" || exit 1
done

# buildah does not pass signals on, so the launcher itself gets it: the oldest of its name.
launcher=$(pgrep -o -f '^/usr/local/bin/repram launch') || exit 1
kill -TERM "$launcher"
await 'the launcher ends on SIGTERM' gone "$launcher" || exit 1
wait "$engine"
status=$?
[ "$status" = 0 ] || { echo "FAILED: the launcher ended with $status" >&2; exit 1; }
! pgrep -f '^(/usr/local/bin/)?repram ' || { echo 'FAILED: processes are left' >&2; exit 1; }
echo 'ok: nothing is left running'
