#!/usr/bin/env bash
# clang-tidy 14 over every source that the given build folder compiles. usage: tidy.sh BUILD [FILE...]
set -u
command -v clang-tidy-14 >/dev/null || {
    echo 'SKIPPED: clang-tidy-14 is not installed'
    exit 77
}
build=${1:?usage: tidy.sh BUILD [FILE...]}
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
[ -s "$build/compile_commands.json" ] || { echo "there is no build in $build" >&2; exit 1; }
if [ $# -eq 0 ]; then
    mapfile -t files < <(/usr/bin/python3 - "$build/compile_commands.json" <<'PY'
import json, os, sys
top = os.getcwd() + "/"
paths = {entry["file"] for entry in json.load(open(sys.argv[1]))}
print("\n".join(sorted(p[len(top):] for p in paths if p.startswith(top) and "/build/" not in p)))
PY
    )
else
    files=("$@")
fi
[ ${#files[@]} -gt 0 ] || { echo "$build compiles no source of this tree" >&2; exit 1; }
# One file a run: the analyzer of clang 14 takes va_start() for missing in every file but the first.
# The sources come from the database of a gcc build; the compiler gives the warnings, not this lint.
printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy-14 --quiet -p "$build" \
        --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument \
        2> >(grep -Ev '^[0-9]+ warnings? (generated|treated as errors?)' >&2)
