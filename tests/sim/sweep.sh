#!/usr/bin/env bash
# Random faults by the seed, one history a seed, and a count: nothing may be broken.
set -u

usage()
{
    cat <<'TXT'
usage: tests/sim/sweep.sh COUNT [FIRST [NODES [OPTION...]]]

Runs repram-sim with --scenario swarm for COUNT seeds from FIRST (1) on, on NODES nodes (8-64: each
seed draws its own number), for half a virtual minute of faults and the rest after it. Any option of
repram-sim may follow and wins over these. Each seed that breaks an invariant, aborts or takes too
long is shown with the command that repeats it. The last line is 'N seeds, N failed'. The exit code is 0
when none failed, 1 when some did, and 64 for wrong arguments or when the simulator is not built.

Environment: SIM (build/release/repram-sim), JOBS (as many as there are cores), SEED_CPU_SECONDS
(10800): what a seed may take of the processor, so that other programs' load costs none of it. The
longest take a twentieth; the limit is only there to end what would never end.
TXT
}

case ${1:-} in
-h | --help)
    usage
    exit
    ;;
esac
for number in "${1:-}" "${2:-1}"; do
    case $number in
    '' | *[!0-9]* | ??????????*)
        usage >&2
        exit 64
        ;;
    esac
done
[ "$((10#$1))" -gt 0 ] || {
    echo "sweep.sh: COUNT is 1 or more" >&2
    exit 64
}
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
count=$((10#$1))
first=$((10#${2:-1}))
nodes=${3:-8-64}
shift $(($# < 3 ? $# : 3))
sim=${SIM:-build/release/repram-sim}
[ -x "$sim" ] || {
    echo "sweep.sh: $sim is not there: cmake --preset release && cmake --build --preset release" >&2
    exit 64
}

# One seed: silent when all is well, else what was broken and how to see it again.
one()
{
    local seed=$1 out status
    shift
    out=$(ulimit -St "${SEED_CPU_SECONDS:-10800}" && exec "$@" --seed "$seed" 2>&1)
    status=$?
    [ "$status" = 0 ] && return 0
    printf '%s\n' "$out" | grep '^broken: \|[Aa]ssert' | sed -n '1,4p;5,${/ was /p}'
    [ "$status" = 152 ] && echo "seed $seed took more than ${SEED_CPU_SECONDS:-10800} s of the processor"
    echo "FAILED ($status): $* --seed $seed"
    return 0
}
export -f one

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
# The options come first, so that those asked for win.
seq "$first" $((first + count - 1)) |
    xargs -P "${JOBS:-$(nproc)}" -I '{}' bash -c 'one "$@"' sweep '{}' "$sim" --nodes "$nodes" \
        --minutes 0.5 --scenario swarm --writes 5 "$@" | tee "$out"
failed=$(grep -c '^FAILED' "$out")
echo "$count seeds, $failed failed"
[ "$failed" = 0 ]
