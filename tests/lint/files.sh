#!/usr/bin/env bash
# Sizes and words: functions up to 70 lines, files up to 600 unless their first comment says why
# ("past 600 lines"), no words that promise work for later, none of the C library's functions that
# take no limit, every header opens with a comment.
set -u
status=0
mapfile -t sources < <(find core gossip net cmd tests -name '*.[ch]' ! -path '*/corpus/*' | sort)

complain()
{
    if [ -n "$2" ]; then
        printf '%s:\n' "$1"
        # shellcheck disable=SC2001 # every line gets its indent
        sed 's/^/    /' <<<"$2"
        status=1
    fi
}

complain 'functions past 70 lines' "$(awk '
    FNR == 1 { start = 0 }
    /^[A-Za-z_].*\)[[:space:]]*$/ { head = $0 }
    /^\{/ { start = FNR; name = head }
    /^\}/ { if (start && FNR - start > 70) print FILENAME ":" start ": " FNR - start, name; start = 0 }
' "${sources[@]}")"

long=
for file in "${sources[@]}"; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 600 ] && ! head -n 40 "$file" | grep -qi 'past 600 lines'; then
        long+="$file: $lines lines"$'\n'
    fi
done
complain 'files past 600 lines that do not say why' "${long%$'\n'}"

complain 'words that promise instead of doing' \
    "$(grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}")"

complain 'functions that the house style forbids' \
    "$(grep -nE '\b(strtok(_r)?|strcpy|strcat|sprintf|vsprintf|atoi|atol|atof)\(' \
        core/*/*.[ch] gossip/*.[ch] gossip/*/*.[ch] net/*.[ch] net/*/*.[ch] cmd/*.[ch] cmd/*/*.[ch])"

bare=
for file in core/*/*.h gossip/*.h gossip/*/*.h net/*.h net/*/*.h cmd/*.h cmd/*/*.h; do
    [ -e "$file" ] || continue
    head -c 2 "$file" | grep -q '^/\*' || bare+="$file"$'\n'
done
complain 'headers that do not open with a comment' "${bare%$'\n'}"

exit $status
