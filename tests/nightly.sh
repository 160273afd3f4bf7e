#!/usr/bin/env bash
# Tests that take too long for every push: sweeps and measurements. .github/workflows/nightly.yml
# calls it.
set -u

usage()
{
    cat <<'TXT'
usage: tests/nightly.sh [--only STEP]... [--list] [--help]

Builds the release preset, and the dev preset for `steady`, `memory` and `figures`, then in this order
(each --only names one):
  sweep      the simulator with random faults: COUNT seeds of 3 to 16 nodes, 300 of 8 to 64, a
             tenth of COUNT sealed, of 3 to 24, 10 of 1,000 in enclaves of 16, and 3 of 1,000 in
             one; each that fails is named with the
             command that repeats it
  steady     tests/steady.sh: unit tests 20 times, the rest 5 times, in each condition
  mutate     tests/mutate.py: MUTANTS small changes of the sources, under the sanitizers; fails when
             the tests see fewer of them than the target of a folder
  coverage   tests/coverage.py: lines and branches that the tests run, by folder; fails when it is
             fewer than 90 % of the lines of core or of gossip
  memory     the stories of tests/unit/test_no_memory_*.c with each call of the allocator failing
             in turn, where other tests let one in several fail
  fuzz       tests/fuzz/fuzz_engine.c with clang's libFuzzer for FUZZ_SECONDS; what fails, and
             the inputs that reached something new, are in build/nightly
  restarts   tests/browser/run.sh --restarts: 50 EventSources over 20 restarts of their node
  compare    tests/bench/compare.sh: beside nginx, Redis, memcached and Webdis
  calibrate  tests/bench/calibrate.py: real nodes beside simulated ones
  figures    tests/sim/scale.py --check: the figures of all pages that name their command, up to 300
             nodes, with other seeds; fails when one moves by more than its margin
  scale      tests/sim/scale.py: docs/scale.md's tables and charts, up to 3,000 nodes
On two cores with nothing beside, sweep takes about an hour, steady three, coverage a quarter, compare ten
minutes, calibrate and figures half an hour each and mutate at most five; .github/workflows/nightly.yml
gives them jobs of their own.

Environment: COUNT (10000), FIRST (the first seed; the date's by default, so that each night has
others), MUTANTS (200), FUZZ_SECONDS (7200). Logs are in build/nightly. The last line is
'N passed, N failed'; the exit code is 0 only when nothing failed.
TXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
choices=(sweep steady mutate coverage memory fuzz restarts compare calibrate figures scale)
logs=$PWD/build/nightly
count=${COUNT:-10000}
first=${FIRST:-$(($(date +%s) / 86400 % 100000 * 40000))}
mutants=${MUTANTS:-200}
fuzz_seconds=${FUZZ_SECONDS:-7200}
passed=0
failed=0

# shellcheck source=tests/choose.sh
. tests/choose.sh

step_sweep()
{
    local status=0
    tests/sim/sweep.sh "$count" "$first" 3-16 --walk 8 || status=1
    tests/sim/sweep.sh 300 "$first" 8-64 || status=1
    tests/sim/sweep.sh "$((count / 10))" "$first" 3-24 --sealing any || status=1
    tests/sim/sweep.sh 10 "$first" 1000 --enclave-size 16 || status=1
    tests/sim/sweep.sh 3 "$first" 1000 --settle 5s || status=1
    return "$status"
}

step_steady() { tests/steady.sh; }

# Integration tests take minutes each. What is known after five hours is printed then.
step_mutate()
{
    timeout --preserve-status -s TERM 5h tests/mutate.py --sanitize --judge --count "$mutants" \
        --seed "$first" --json build/nightly/mutate.json
}

step_coverage() { tests/coverage.py; }

step_memory() { REPRAM_ALLOC_ALL=1 ctest --preset dev -R unit.test_no_memory; }

# The first folder takes what is found; the corpus is only read.
step_fuzz()
{
    CC=clang ./tests/run.sh --only install && cmake --preset fuzz &&
        cmake --build --preset fuzz --target fuzz_engine || return 1
    mkdir -p "$logs/engine" "$logs/failed"
    build/fuzz/tests/fuzz/fuzz_engine -max_total_time="$fuzz_seconds" -len_control=0 -max_len=800 \
        -print_final_stats=1 -artifact_prefix="$logs/failed/" "$logs/engine" \
        tests/fuzz/corpus/engine
}

step_restarts() { tests/browser/run.sh --restarts; }

step_compare() { tests/bench/compare.sh --json build/compare.json | tee build/compare.txt; }
step_calibrate() { tests/bench/calibrate.py --json docs/scale/calibration.json; }

# Before `scale`, which makes some of them anew.
step_figures() { tests/sim/scale.py --check --max-nodes 300 --first-seed "$first" --limit 1800; }

# 10,000 nodes take more memory than the machines that run this have.
step_scale() { tests/sim/scale.py --max-nodes 3000 --limit 1800; }

while [ $# -gt 0 ]; do
    choose "$@"
    shift "$taken"
done

for number in "$count" "$first" "$mutants" "$fuzz_seconds"; do
    case $number in
    '' | *[!0-9]*)
        echo "nightly.sh: COUNT, FIRST, MUTANTS and FUZZ_SECONDS are numbers, not \"$number\"" >&2
        exit 2
        ;;
    esac
done

builds=(--only install --only build-release)
if is_chosen steady || is_chosen memory || is_chosen figures; then builds+=(--only build-dev); fi
./tests/run.sh "${builds[@]}" || exit 1
mkdir -p "$logs" || exit 1
for step in "${choices[@]}"; do
    is_chosen "$step" || continue
    began=$SECONDS
    echo "== $step"
    # A pipe's status is that of its first command here.
    (set -o pipefail && "step_$step") 2>&1 | tee "$logs/$step.log"
    if [ "${PIPESTATUS[0]}" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $step"
    fi
    echo "== $step: $((SECONDS - began)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
