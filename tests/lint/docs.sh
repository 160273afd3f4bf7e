#!/usr/bin/env bash
# What the papers name must be there: files that they link to, metrics, log lines that
# docs/troubleshooting.md quotes, and functions that ARCHITECTURE.md speaks of. (names.py has the files.)
# shellcheck disable=SC2016 # the backticks are the pages' own
set -u
status=0

complain()
{
    printf '%s\n' "$1"
    status=1
}

for page in *.md docs/*.md fade/*.md; do
    while read -r target; do
        [ -e "$(dirname "$page")/$target" ] || complain "$page links to $target, which is not there"
    done < <(grep -oE '\]\([^)]+' "$page" | sed 's/^](//; s/#.*//' | grep -v ':' | grep .)
    while read -r metric; do
        grep -qF "$metric" docs/metrics.md ||
            complain "$page names $metric, docs/metrics.md does not"
    done < <(grep -oE '`repram_[a-z_]+[a-z]`' "$page" | tr -d '\140' | sort -u)
done

# The sources with strings that go over several lines put together.
strings=$(cat net/*.c net/*/*.c cmd/*.c cmd/*/*.c | tr '\n' ' ' | sed 's/" *"//g')
# A row of the table is: | `word` | `text` | means |
while IFS='|' read -r _ word text _; do
    word=$(tr -d '\140 ' <<<"$word")
    text=$(sed 's/^[ `]*//; s/[ `]*$//' <<<"$text")
    grep -rqF "\"$word\"" net cmd || complain "no log line is about $word"
    grep -qF "$text" <<<"$strings" || complain "no log line says '$text'"
done < <(sed -n '/^## Log lines/,$p' docs/troubleshooting.md | grep '^| `')

while read -r name; do
    grep -rqw "$name" core gossip net cmd tests --include='*.[ch]' ||
        [ -n "$(find tests -name "$name.c")" ] ||
        complain "ARCHITECTURE.md names $name, which is not in the code"
done < <(grep -oE '`([a-z_]+\.c:[a-z_]+|[a-z]+_[a-z_]+)`' ARCHITECTURE.md |
    tr -d '\140' | sed 's/.*://' | sort -u)

exit $status
