#!/usr/bin/env bash
# The pages under /fade/, in Debian's chromium, on nodes of a release or dev build.
set -u

usage()
{
    cat <<'TXT'
usage: tests/browser/run.sh [--logic | --restarts | --figures | --pictures FOLDER] [--help]

Without an option: the rules of the scripts (node's own test runner), then the pages in two browsers
on three nodes, twelve tabs of one browser, how the pages look (axe-core, contrast, both themes),
EventSources that survive two restarts of their node, and docs/openapi.yaml: linted, and a client
generated from it. --logic stops before the browsers. --restarts is the EventSources alone, 50 of them
and 20 restarts. --figures measures instead: time to the other
screen, weight, requests, scrolling. --pictures takes screenshots of both pages, phone and desktop.
Environment: REPRAM_BINARY (build/release/repram, or else build/dev/repram).
Exits with 77 and a SKIPPED: line where there is no browser to be had.
TXT
}

tests=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd) || exit 1
top=${tests%/tests/browser}
what='test'
pictures=
case ${1:-} in
'') ;;
--logic | --restarts | --figures) what=${1#--} ;;
--pictures)
    what=pictures
    pictures=$(realpath "${2:?a folder is missing}") || exit 2
    ;;
--help | -h)
    usage
    exit 0
    ;;
*)
    usage >&2
    exit 2
    ;;
esac

skip()
{
    echo "SKIPPED: $1"
    exit 77
}

# shellcheck source=.ci/packages.sh
. "$top/.ci/packages.sh"
packages_install browser || skip "chromium, Node.js or npm is not here and cannot be installed"

node --test "$tests/logic.test.mjs" || exit 1
[ "$what" != logic ] || exit 0

binary=${REPRAM_BINARY:-$top/build/release/repram}
[ -x "$binary" ] || binary=$top/build/dev/repram
[ -x "$binary" ] || { echo "run.sh: there is no $binary; build it first" >&2; exit 1; }
export REPRAM_BINARY=$binary

# The browser's driver is kept in the build folder, as the lock file says it.
modules=$top/build/browser
if ! cmp -s "$tests/package-lock.json" "$modules/package-lock.json" ||
    [ ! -f "$modules/node_modules/.package-lock.json" ]; then # npm writes it last
    mkdir -p "$modules" && cp "$tests/package.json" "$tests/package-lock.json" "$modules/" || exit 1
    if ! npm ci --prefix "$modules" --no-audit --no-fund --loglevel=error; then
        rm -f "$modules/package-lock.json"
        skip "what the tests need cannot be fetched by npm"
    fi
fi

# A network of its own, where that is allowed: any port is free, and nothing can leave the machine.
inside=()
# shellcheck disable=SC2016 # expanded by the inner shell
if unshare --net true 2>/dev/null; then
    inside=(unshare --net sh -c 'ip link set lo up && exec "$@"' sh)
fi
case $what in
test) # one after the other: both measure their waits on a machine of their own
    set -o pipefail
    failed=()
    for file in board access tabs network looks client restarts openapi; do
        "${inside[@]}" node --test "$tests/$file.test.mjs" | tee "$modules/$file.tap" || failed+=("$modules/$file.tap")
    done
    [ "${#failed[@]}" = 0 ] && exit 0
    # Once more at the end, where who is shown the last lines of a long log finds it.
    sed -n '/^ *not ok/,/^ *\.\.\.$/p' "${failed[@]}"
    exit 1
    ;;
restarts)
    RESTARTS=20 SOURCES=45 PAGE_SOURCES=5 "${inside[@]}" node --test "$tests/restarts.test.mjs"
    ;;
figures) "${inside[@]}" node "$tests/figures.mjs" ;;
pictures) "${inside[@]}" node "$tests/pictures.mjs" "$pictures" ;;
esac
