#!/usr/bin/env bash
# A cluster from a clean clone: installs what is missing, builds, starts three nodes, prints their
# URLs, and stays until Ctrl-C. The second start only starts.
set -u

usage()
{
    cat <<'TXT'
usage: fade/up.sh [flags of 'repram launch']
       fade/up.sh status | stop | --help

Starts NODE_COUNT nodes (3) on ports from BASE_PORT (8081) up and stays in the foreground; Ctrl-C
stops them. Settings are environment variables, as docs/configuration.md lists them:

    NODE_COUNT=5 REPRAM_MIN_TTL=1 fade/up.sh

  status  shows the nodes that this script has started, from another terminal. Exit code 0 when all
          of them are healthy, 1 when one is not or is missing, 3 when none runs
  stop    stops them as Ctrl-C would, and returns when they have ended; none is no failure
TXT
}

command=start
case ${1:-} in
status | stop)
    command=$1
    [ $# -eq 1 ] || { usage >&2; exit 2; }
    ;;
--help | -h)
    usage
    exit 0
    ;;
esac

fade=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd) || exit 1
top=${fade%/fade}
repram=$top/build/release/repram

# ---- What runs already ----

# The launchers that this script has become: they are called by its path, and behind that the settings
# by which their nodes are found. The command line can be read of a process with a secret too.
launchers()
{
    local process words
    for process in /proc/[0-9]*; do
        mapfile -d '' words 2>/dev/null <"$process/cmdline" || continue
        [[ ${words[1]:-} == launch && ${words[0]} == "$fade/up.sh "* ]] && echo "${process#/proc/}"
    done
}

# settings_of LAUNCHER: NAME=value a line, of those. Nothing while this script has not become it yet.
settings_of()
{
    local words=()
    mapfile -d '' words 2>/dev/null <"/proc/$1/cmdline"
    [[ ${words[0]:-} == "$fade/up.sh "* ]] && tr ' ' '\n' <<<"${words[0]#"$fade/up.sh "}"
}

wanted_of() { settings_of "$1" | sed -n 's/^NODE_COUNT=//p'; }

# nodes_of LAUNCHER: "PID PORT" a line. With a secret a node shows its sockets to root alone; then those of
# its ports that are healthy, without a PID.
nodes_of()
{
    local nodes settings
    nodes=$("$fade/nodes-of.sh" "$1")
    if [ -z "$nodes" ] && [ ! -r "/proc/$1/environ" ]; then
        mapfile -t settings < <(settings_of "$1")
        nodes=$(env -i "${settings[@]}" "$repram" health --all --json 2>/dev/null |
            tr '{' '\n' | sed -n '/"health":"healthy"/s/.*"server":"[^"]*:\([0-9]*\)".*/- \1/p')
    fi
    [ -z "$nodes" ] || echo "$nodes"
}

status()
{
    local launcher nodes count wanted servers state=3
    for launcher in $(launchers); do
        [ "$state" != 3 ] || state=0
        echo "launcher $launcher"
        nodes=$(nodes_of "$launcher")
        count=$(grep -c . <<<"$nodes")
        wanted=$(wanted_of "$launcher")
        # One that has crashed listens on no port until it is started again.
        [ "$count" = "$wanted" ] || {
            echo "$count of ${wanted:-?} nodes listen"
            state=1
        }
        # By http, whatever the caller's environment says of https: everybody is answered so.
        servers=$(awk 'NF { printf "%shttp://127.0.0.1:%s", n++ ? "," : "", $2 }' <<<"$nodes")
        [ -n "$servers" ] && "$repram" health --all --server "$servers" || state=1
    done
    [ "$state" != 3 ] || echo 'none is running'
    return "$state"
}

# One that has ended and that nobody has waited for does not run.
runs() { kill -0 "$1" 2>/dev/null && ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

# The launcher gives its nodes eight seconds, and ends then.
stop()
{
    local running launcher end=$((SECONDS + 30))
    running=$(launchers)
    [ -n "$running" ] || echo 'none is running'
    for launcher in $running; do
        kill -TERM "$launcher" 2>/dev/null
    done
    for launcher in $running; do
        while runs "$launcher"; do
            [ "$SECONDS" -lt "$end" ] || {
                echo "up.sh: launcher $launcher is still running" >&2
                return 1
            }
            sleep 0.1
        done
        echo "stopped launcher $launcher"
    done
}

if [ "$command" != start ]; then
    "$command"
    exit
fi

# ---- Starting ----

# The caller's folder is restored for the launcher: relative paths in its flags are the caller's.
came_from=$PWD
cd "$top" || exit 1

# shellcheck source=.ci/packages.sh
. "$top/.ci/packages.sh"
packages_install build || exit 1

mkdir -p build/logs || exit 1
log=build/logs/up-build.log
[ -x build/release/repram ] || echo 'Building (the first time takes a minute) ...'
[ -e build/release/build.ninja ] || cmake --preset release >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    echo "up.sh: configuring failed; all of it is in $top/$log" >&2
    exit 1
}
cmake --build --preset release -j"$(nproc)" >"$log" 2>&1 || {
    tail -n 40 "$log" >&2
    echo "up.sh: the build failed; all of it is in $top/$log" >&2
    exit 1
}
# announce LAUNCHER: waits for its nodes to know each other, then says where they are.
announce()
{
    local launcher=$1 wanted='' nodes='' ports=() end=$((SECONDS + 60))
    until [ -n "$wanted" ] && [ "$(grep -c . <<<"$nodes")" -ge "$wanted" ]; do
        kill -0 "$launcher" 2>/dev/null && [ "$SECONDS" -lt "$end" ] || return 0
        sleep 0.1
        wanted=$(wanted_of "$launcher")
        nodes=$(nodes_of "$launcher")
    done
    mapfile -t ports < <(cut -d' ' -f2 <<<"$nodes")
    "$repram" wait --server "http://127.0.0.1:${ports[0]}" --members "$wanted" --timeout 30s \
        >/dev/null 2>&1 || return 0
    echo
    printf '  %-6s %-8s %s\n' node pid URL
    local n=0 pid port
    while read -r pid port; do
        n=$((n + 1))
        printf '  %-6s %-8s http://localhost:%s/\n' "$n" "$pid" "$port"
    done <<<"$nodes"
    cat <<TXT

  Write on one node, read on another; the entry is gone after its time:
    curl -X PUT --data 'hello' 'http://localhost:${ports[0]}/data/greeting?ttl=300'
    curl -i http://localhost:${ports[-1]}/data/greeting
  The message board and the cluster, in a browser (open two of them):
    http://localhost:${ports[0]}/fade/
    http://localhost:${ports[-1]}/fade/network
  Ctrl-C, or 'fade/up.sh stop' elsewhere, stops the nodes, and with them everything they hold.

TXT
}

cd "$came_from" || exit 1
# This process becomes the launcher, so that Ctrl-C and the exit code are its own. By then no
# process waits for the one that announces.
(announce $$ &)
# A secret may be a pipe, which can be read once: that is the launcher's.
named=$(env -u REPRAM_CLUSTER_SECRET -u REPRAM_CLUSTER_SECRET_FILE -u REPRAM_ACL_FILE "$repram" launch "$@" --print-config 2>/dev/null | awk -F'\t' '
    $2 != "" && $1 ~ /^(BASE_PORT|MAX_PORTS|NODE_COUNT|REPRAM_NETWORK|REPRAM_BIND|REPRAM_HTTP_PORT)$/ {
        printf " %s=%s", $1, $2 }')
exec -a "$fade/up.sh$named" "$repram" launch "$@"
