#!/usr/bin/env bash
# Finds tests whose verdict depends on the machine: runs all, again and again, under conditions that
# must not matter.
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
  --tests REGEX  only tests of that name, as ctest -R takes it; a part that has none is left out

Needs the dev build. All of it takes about three hours on two cores: a run of the unit tests half a
minute, one of the rest five. Logs of runs that failed are in build/steady, until the next start. The
last line is 'N runs, N tests failed in some'; the exit code is 0 only when none did.
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
        # Each looks after us, so that none outlives a script that was killed.
        # shellcheck disable=SC2016 # expanded by the inner shell
        nice -n 10 sh -c 'while [ -d "/proc/$1" ]; do
            i=0
            while [ "$i" -lt 100000 ]; do i=$((i + 1)); done
        done' sh $$ &
        loops+=($!)
    done
}

# with_buffers SIZES COMMAND...: in a network namespace whose TCP sockets have buffers of these sizes
# (least, usual and most bytes). A new namespace has the machine's sizes, so tests that make one set
# them again.
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

# first_cpu: the first processor that we may run on; in a container that need not be 0.
first_cpu() { taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/'; }

# in_condition NAME COMMAND...
in_condition()
{
    local name=$1
    shift
    case $name in
    small-buffers) with_buffers '4096 4096 8192' "$@" ;;
    large-buffers) with_buffers '4096 16777216 67108864' "$@" ;;
    one-cpu) taskset -c "$(first_cpu)" "$@" ;;
    *) "$@" ;;
    esac
}

# part NAME: the arguments of ctest that choose the tests of a part. Most of an integration test is
# waiting, so more of them run at once than there are cores. Tests that count instructions or read
# sources need no second run.
part()
{
    if [ "$1" = unit ]; then
        printf '%s\n' -R "$regex" -L unit "-j$(nproc)"
    else
        printf '%s\n' -R "$regex" -LE 'unit|lint|count' "-j$(($(nproc) * 2))"
    fi
}

# size_of PART: how many tests it has.
size_of()
{
    local selection
    mapfile -t selection < <(part "$1")
    ctest --preset dev -N "${selection[@]}" | sed -n 's/^Total Tests: //p'
}

# run_tests CONDITION PART RUN: one run of ctest; the names of what failed go to the condition's list.
run_tests()
{
    local condition=$1 part=$2 run=$3 xml=$logs/last.xml names='' name selection began=$SECONDS
    mapfile -t selection < <(part "$part")
    rm -f "$xml"
    if ! in_condition "$condition" ctest --preset dev "${selection[@]}" --output-junit "$xml" \
        >"$logs/last.log" 2>&1; then
        cp "$logs/last.log" "$logs/$condition-$part-$run.log"
        [ ! -s "$xml" ] || names=$(tr '\n' ' ' <"$xml" | grep -o '<testcase [^>]*status="fail"' |
            sed 's/^<testcase name="\([^"]*\)".*/\1/' | tr '\n' ' ')
        # It did not run, or not all of what it should have.
        [ -n "$names" ] || { names=ctest && tail -n 5 "$logs/last.log" >&2; }
    fi
    runs=$((runs + 1))
    for name in $names; do
        echo "$condition $name" >>"$logs/failed"
    done
    printf '%-14s %-5s run %2d: %5d s: %s\n' "$condition" "$part" "$run" $((SECONDS - began)) \
        "${names:-ok}"
}

[ "$(size_of unit)" -gt 0 ] || unit_runs=0
[ "$(size_of rest)" -gt 0 ] || rest_runs=0
[ $((unit_runs + rest_runs)) -gt 0 ] || {
    echo "steady.sh: there is nothing to run" >&2
    exit 2
}
rm -rf "$logs" && mkdir -p "$logs" && : >"$logs/failed" || exit 1
for condition in "${choices[@]}"; do
    is_chosen "$condition" || continue
    [ "$condition" != busy ] || start_loops
    for ((run = 1; run <= unit_runs; run++)); do
        run_tests "$condition" unit "$run"
    done
    for ((run = 1; run <= rest_runs; run++)); do
        run_tests "$condition" rest "$run"
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
