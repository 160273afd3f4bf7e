#!/bin/sh
# clang-format 14 with the tree's own configuration has nothing to change.
set -u
command -v clang-format-14 >/dev/null || {
    echo 'SKIPPED: clang-format-14 is not installed'
    exit 77
}
for folder in core gossip net cmd tests; do
    if [ -z "$(find "$folder" -name '*.[ch]' -print -quit)" ]; then
        echo "there is no source in $folder: nothing to look at"
        exit 1
    fi
done
find core gossip net cmd tests -name '*.[ch]' ! -path '*/corpus/*' -print0 |
    xargs -0 clang-format-14 --dry-run --Werror
