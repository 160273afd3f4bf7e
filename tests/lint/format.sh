#!/bin/sh
# clang-format 14 with the tree's own configuration has nothing to change.
set -u
command -v clang-format-14 >/dev/null || {
    echo 'SKIPPED: clang-format-14 is not installed'
    exit 77
}
find core gossip net cmd tests -name '*.[ch]' ! -path '*/corpus/*' -print0 |
    xargs -0 clang-format-14 --dry-run --Werror
