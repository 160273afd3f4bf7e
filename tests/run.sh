#!/usr/bin/env bash
# Installs what is missing, builds, runs every test, and prints the outcome in the last line.
# Needs nothing beforehand but Debian 12 or 13 and root or sudo. CC=clang builds everything with clang.
# tests/nightly.sh has the long ones.
set -u

usage()
{
    cat <<'TXT'
usage: tests/run.sh [--only STEP]... [--list] [--help]

Steps, in order (each --only names one; alone it runs without those before it):
  install        Debian packages that are missing
  build-dev      the dev preset: debug information, every test
  build-asan     the asan preset: address and undefined behaviour sanitizers
  build-release  the release preset: what is shipped
  test-dev       ctest --preset dev: unit, sim, lint, fuzz corpora, integration,
                 instructions per request
  test-asan      the same without lint, under the sanitizers
  test-sim       the simulator: 160 seeds of 8 to 32 nodes, 6 of 48 to 64, one of 1,000
  same-sim       one seed, one history: repram-sim of all builds and of the other compiler
  flux-sim       fade/test-flux-sim.sh: a launcher as the container starts it
  browser        tests/browser/run.sh: the pages under /fade/ in chromium, on three nodes, and EventSources
  count          instructions per request of the release build (tests/bench/instructions.py)
  tidy           clang-tidy over all sources (version 14, so on Debian 12 only)
  image          Dockerfile.flux-sim, built and run without an engine (root, or sudo without asking)

Environment: CC (gcc, clang), REPRAM_SKIP (steps not to run, space separated).
The last line is 'N passed, N failed', with ', N skipped' when something was skipped, cases within a
test among them; the exit code is 0 only when nothing failed. With CI=true what was skipped has failed,
unless tests/skips.txt lists it.
TXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
top=$PWD
logs=$top/build/logs
choices=(install build-dev build-asan build-release test-dev test-asan test-sim same-sim flux-sim
    browser count tidy image)
jobs=$(nproc)
passed=0
failed=0
skipped=0

# shellcheck source=.ci/packages.sh
. "$top/.ci/packages.sh"
# shellcheck source=tests/choose.sh
. tests/choose.sh

step_install()
{
    packages_install build test || return 1
    promtool_install
}

# promtool checks the metrics page. Debian 12's package would start a server, so only the one file is
# taken out of it, and kept in the build folder.
promtool_install()
{
    command -v promtool >/dev/null 2>&1 && return 0
    [ -x build/tools/promtool ] && return 0
    mkdir -p build/tools/deb || return 1
    if (cd build/tools/deb && apt-get download -qq prometheus) &&
        dpkg -x build/tools/deb/prometheus_*.deb build/tools/deb &&
        mv build/tools/deb/usr/bin/promtool build/tools/promtool; then
        rm -rf build/tools/deb
        return 0
    fi
    rm -rf build/tools/deb
    echo "promtool could not be fetched: the test that needs it will say that it is skipped" >&2
}

# A build folder remembers its compiler; asked for another one, it starts afresh.
build()
{
    local preset=$1 cache=build/$1/CMakeCache.txt fresh=()
    if [ -n "${CC:-}" ] && [ -e "$cache" ] &&
        ! grep -q "^CMAKE_C_COMPILER:[A-Z]*=.*$(basename "$CC")\$" "$cache"; then
        fresh=(--fresh)
    fi
    cmake "${fresh[@]}" --preset "$preset" && cmake --build --preset "$preset" -j"$jobs"
}

step_build-dev() { build dev; }
step_build-asan() { build asan; }
step_build-release() { build release; }

# Most of an integration test is waiting, so more of them run at once than there are cores.
step_test-dev() { ctest --preset dev -j$((jobs * 3)) --output-junit "$logs/test-dev.xml"; }

step_test-asan()
{
    ctest --preset asan -LE lint -j$((jobs * 2 + 1)) --output-junit "$logs/test-asan.xml"
}

step_test-sim()
{
    tests/sim/sweep.sh 110 1 8-32 && tests/sim/sweep.sh 40 1001 8-32 --sealing any &&
        tests/sim/sweep.sh 6 1 48-64 &&
        tests/sim/sweep.sh 1 3 1000 --settle 5s
}

# All that the presets build, and without optimisation by whichever of the two compilers they did not
# use, if it is installed.
step_same-sim()
{
    local other=clang sims=(build/dev/repram-sim build/asan/repram-sim build/release/repram-sim)
    case ${CC:-} in *clang*) other=gcc ;; esac
    if command -v "$other" >/dev/null 2>&1; then
        cmake -S . -B build/other -G Ninja -DCMAKE_C_COMPILER="$other" -DCMAKE_BUILD_TYPE=Debug \
            -DREPRAM_TESTS=OFF && cmake --build build/other -j"$jobs" --target repram-sim || return 1
        sims+=(build/other/repram-sim)
    else
        echo "SKIPPED: no $other to compare with"
    fi
    tests/sim/same.sh "${sims[@]}"
}

step_flux-sim() { fade/test-flux-sim.sh; }
step_browser() { REPRAM_BINARY=$top/build/release/repram tests/browser/run.sh; }

step_count()
{
    /usr/bin/python3 -B tests/integration/harness.py tests/bench/instructions.py build/release
}

step_tidy() { tests/lint/tidy.sh build/dev; }

step_image()
{
    if [ "$(id -u)" = 0 ]; then
        tests/image/run.sh
    elif sudo -n true 2>/dev/null; then
        sudo -n tests/image/run.sh
    else
        echo "SKIPPED: building an image needs root"
        return 77
    fi
}

# attribute FILE NAME: a number from the first element of a JUnit file, 0 when it has none.
attribute()
{
    local value
    value=$(tr '\n' ' ' <"$1" | sed -n "s/^[^>]*>* *<testsuite [^>]*[ \t]$2=\"\([0-9]*\)\".*/\1/p")
    echo "${value:-0}"
}

# Counts a step: its tests where ctest ran them, itself otherwise.
count()
{
    local step=$1 status=$2 xml=$logs/$1.xml tests
    if [ -s "$xml" ]; then
        tests=$(attribute "$xml" tests)
        local bad missing
        bad=$(attribute "$xml" failures)
        missing=$(($(attribute "$xml" skipped) + $(attribute "$xml" disabled)))
        [ "$status" = 0 ] || [ "$bad" -gt 0 ] || bad=1
        passed=$((passed + tests - bad - missing))
        failed=$((failed + bad))
        skipped=$((skipped + missing))
    elif [ "$status" = 0 ]; then
        passed=$((passed + 1))
    elif [ "$status" = 77 ]; then
        skipped=$((skipped + 1))
    else
        failed=$((failed + 1))
    fi
}

# Says what was skipped and why, counts cases that were skipped within a test, and takes for failed
# what may not be skipped here.
count_skips()
{
    local step=$1 status=$2 files=("$logs/$1.log") lines within refused
    [ -s "$logs/$step.xml" ] && files+=("$logs/$step.xml")
    [ "$status" = 77 ] || grep -q 'SKIPPED\|output was removed' "${files[@]}" || return 0
    mapfile -t lines < <(/usr/bin/python3 -B tests/skips.py "$step" "$status" "${files[@]}")
    [ ${#lines[@]} -gt 0 ] || lines=('1 1' '    FAILED: tests/skips.py does not say what was skipped')
    read -r within refused <<<"${lines[0]}"
    [ ${#lines[@]} -eq 1 ] || printf '%s\n' "${lines[@]:1}"
    skipped=$((skipped + within - refused))
    failed=$((failed + refused))
}

run_step()
{
    local step=$1 log=$logs/$1.log began=$SECONDS status
    printf '%-14s ' "$step"
    rm -f "$logs/$step.xml"
    ("step_$step") >"$log" 2>&1 </dev/null
    status=$?
    count "$step" "$status"
    case $status in
    0) printf 'ok       %4d s\n' $((SECONDS - began)) ;;
    77) printf 'skipped  %4d s\n' $((SECONDS - began)) ;;
    *)
        printf 'FAILED   %4d s, exit code %d, the end of %s:\n' $((SECONDS - began)) "$status" \
            "${log#"$top"/}"
        tail -n 80 "$log" | sed 's/^/    /'
        ;;
    esac
    count_skips "$step" "$status"
    case $status in 0 | 77) ;; *) broken_logs+=("$(evidence "$step")") ;; esac
    return "$status"
}

# evidence STEP: the file that says what failed.
evidence()
{
    if [ -s "$logs/$1.xml" ] && [ "$(attribute "$logs/$1.xml" failures)" -gt 0 ]; then
        echo "$logs/$1.xml"
    else
        echo "$logs/$1.log"
    fi
}

# A step that is not wanted is skipped like one that cannot run.
leave_out()
{
    printf '%-14s skipped\n' "$1"
    rm -f "$logs/$1.xml"
    echo 'SKIPPED: asked for by REPRAM_SKIP' >"$logs/$1.log"
    count "$1" 77
    count_skips "$1" 77
}

while [ $# -gt 0 ]; do
    choose "$@"
    shift "$taken"
done

mkdir -p "$logs" || exit 1
[ -w "$logs" ] || {
    echo "run.sh: $logs is somebody else's, or cannot be written" >&2
    exit 1
}
declare -A broken=()
broken_logs=()
for step in "${choices[@]}"; do
    is_chosen "$step" || continue
    case " ${REPRAM_SKIP:-} " in
    *" $step "*)
        leave_out "$step"
        continue
        ;;
    esac
    # A failed build cannot be tested: it is reported once, and counts as failed.
    needs=
    case $step in
    test-dev | tidy) needs=build-dev ;;
    test-asan) needs=build-asan ;;
    flux-sim | test-sim | same-sim | browser | count) needs=build-release ;;
    esac
    if [ -n "$needs" ] && [ -n "${broken[$needs]:-}" ]; then
        printf '%-14s FAILED: %s failed\n' "$step" "$needs"
        failed=$((failed + 1))
        continue
    fi
    run_step "$step"
    case $? in 0 | 77) ;; *) broken[$step]=1 ;; esac
    [ -z "${broken[install]:-}" ] || break
done

# Once more at the end, which is where people look.
if [ ${#broken_logs[@]} -gt 0 ]; then
    echo
    /usr/bin/python3 -B tests/failed.py "${broken_logs[@]}"
fi
echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ]
