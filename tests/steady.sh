#!/usr/bin/env bash
# Which tests hang on the machine: all of them, again and again, under conditions that must not matter.
set -u

usage()
{
    cat <<'TXT'
usage: tests/steady.sh [--unit N] [--rest N] [--only CONDITION]... [--tests REGEX] [--list] [--help]

Runs the unit tests 20 times and the rest of ctest (simulator, fuzz corpora, integration) 5 times in
each condition (each --only names one), and says which test failed in which how often:
  quiet          nothing beside
  busy           two busy loops a core beside, of lower priority
  small-buffers  TCP sockets with 4 to 8 KiB of buffers
  large-buffers  TCP sockets with 16 to 64 MiB of buffers
  one-cpu        everything on the first processor

  --unit N       how often the unit tests run; 20, 0 leaves them out
  --rest N       how often the rest runs; 5, 0 leaves it out
  --tests REGEX  only tests of that name, as ctest -R takes it

Needs the dev build. Logs of runs that failed are in build/steady. The last line is
'N runs, N tests failed in some'; the exit code is 0 only when none did.
TXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
choices=(quiet busy small-buffers large-buffers one-cpu)
logs=$PWD/build/steady
unit_runs=20
rest_runs=5
regex=.
runs=0

# shellcheck source=tests/choose.sh
. tests/choose.sh

while [ $# -gt 0 ]; do
    case $1 in
    --unit | --rest)
        case ${2:-} in
        '' | *[!0-9]*)
            echo "steady.sh: $1 takes a number" >&2
            exit 2
            ;;
        esac
        if [ "$1" = --unit ]; then unit_runs=$2; else rest_runs=$2; fi
        shift
        ;;
    --tests)
        regex=${2:?}
        shift
        ;;
    *)
        choose "$@"
        shift "$((taken - 1))"
        ;;
    esac
    shift
done
[ -x build/dev/repram ] || {
    echo "steady.sh: build/dev/repram is not there: cmake --preset dev && cmake --build --preset dev" >&2
    exit 2
}

loops=()
stop_loops()
{
    local pid
    for pid in "${loops[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    loops=()
}
trap stop_loops EXIT
trap 'exit 130' INT TERM HUP

start_loops()
{
    local i
    for ((i = 0; i < 2 * $(nproc); i++)); do
        nice -n 10 sh -c 'while :; do :; done' &
        loops+=($!)
    done
}

# with_buffers SIZES COMMAND...: in a network namespace whose TCP sockets have buffers of these sizes
# (least, usual and most bytes). A new namespace has the machine's, so tests that make some are told.
with_buffers()
{
    local sizes=$1 as_root=()
    shift
    [ "$(id -u)" = 0 ] || as_root=(--map-root-user)
    # shellcheck disable=SC2016 # expanded by the inner shell
    REPRAM_TEST_TCP_BUFFERS=$sizes unshare --net "${as_root[@]}" sh -c '
        ip link set lo up && echo "$REPRAM_TEST_TCP_BUFFERS" >/proc/sys/net/ipv4/tcp_wmem &&
            echo "$REPRAM_TEST_TCP_BUFFERS" >/proc/sys/net/ipv4/tcp_rmem && exec "$@"' sh "$@"
}

# in_condition NAME COMMAND...
in_condition()
{
    local name=$1
    shift
    case $name in
    small-buffers) with_buffers '4096 4096 8192' "$@" ;;
    large-buffers) with_buffers '4096 16777216 67108864' "$@" ;;
    one-cpu) taskset -c 0 "$@" ;;
    *) "$@" ;;
    esac
}

# run_tests CONDITION PART RUN SELECTION...: one run of ctest; the names of what failed go to the
# condition's list.
run_tests()
{
    local condition=$1 part=$2 run=$3 xml=$logs/last.xml names name
    shift 3
    rm -f "$xml"
    in_condition "$condition" ctest --preset dev -j"$(nproc)" -R "$regex" "$@" \
        --output-junit "$xml" >"$logs/last.log" 2>&1 || cp "$logs/last.log" \
        "$logs/$condition-$part-$run.log"
    runs=$((runs + 1))
    if [ ! -s "$xml" ]; then
        names=ctest
        tail -n 5 "$logs/last.log" >&2
    else
        names=$(tr '\n' ' ' <"$xml" | grep -o '<testcase [^>]*status="fail"' |
            sed 's/^<testcase name="\([^"]*\)".*/\1/' | tr '\n' ' ')
    fi
    for name in $names; do
        echo "$condition $name" >>"$logs/failed"
    done
    printf '%-14s %-5s run %2d: %s\n' "$condition" "$part" "$run" "${names:-ok}"
}

rm -rf "$logs" && mkdir -p "$logs" && : >"$logs/failed" || exit 1
for condition in "${choices[@]}"; do
    is_chosen "$condition" || continue
    [ "$condition" != busy ] || start_loops
    for ((run = 1; run <= unit_runs; run++)); do
        run_tests "$condition" unit "$run" -L unit
    done
    # What counts instructions or reads sources needs no second look.
    for ((run = 1; run <= rest_runs; run++)); do
        run_tests "$condition" rest "$run" -LE 'unit|lint|count'
    done
    stop_loops
done

echo
printf '%-14s %-40s %s\n' CONDITION TEST 'FAILED RUNS'
sort "$logs/failed" | uniq -c | while read -r count condition test; do
    printf '%-14s %-40s %s\n' "$condition" "$test" "$count"
done
bad=$(cut -d' ' -f2- "$logs/failed" | sort -u | grep -c .)
echo "$runs runs, $bad tests failed in some"
[ "$bad" = 0 ]
