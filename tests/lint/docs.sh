#!/usr/bin/env bash
# What the papers name must be there: files that they link to, metrics, log lines that
# docs/troubleshooting.md quotes, and functions that ARCHITECTURE.md and docs/design speak of, and
# files there with their folder. docs/README.md lists every page, three pages every route;
# ARCHITECTURE.md stays short enough for ten minutes. (names.py has the files.)
# shellcheck disable=SC2016 # the backticks are the pages' own
set -u
status=0

complain()
{
    printf '%s\n' "$1"
    status=1
}

for page in *.md docs/*.md docs/design/*.md fade/*.md; do
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

for page in ARCHITECTURE.md docs/design/*.md; do
    while read -r file; do
        complain "$page names $file without its folder"
    done < <(grep -oE '`[a-z0-9_]+\.(c|h|js|py)`' "$page" | tr -d '\140' | sort -u)
    while read -r name; do
        grep -rqw "$name" core gossip net cmd tests --include='*.[ch]' ||
            complain "$page names $name, which is not in the code"
    done < <(grep -oE '`[a-z]+(_[a-z]+)+`' "$page" | tr -d '\140' | grep -v '^repram_' | sort -u)
done

for page in docs/*.md docs/design/*.md docs/*.yaml; do
    [ "$page" = docs/README.md ] || grep -qF "](${page#docs/})" docs/README.md ||
        complain "docs/README.md does not list $page"
done

# A route is a row of the table: {"/path", ...
while read -r path; do
    for page in docs/openapi.yaml docs/http-api.md docs/design/front-door.md; do
        grep -q -- "$path\b" "$page" || complain "$page does not name the route $path"
    done
done < <(sed -n 's,^ *{"\(/[a-z]*\)[/"].*,\1,p' net/api/api.c | sort -u)

words=$(sed '/^<!-- tree/,/^<!-- end/d' ARCHITECTURE.md | wc -w)
[ "$words" -le 2000 ] || complain "ARCHITECTURE.md has $words words beside the tree, 2000 at most"

exit $status
