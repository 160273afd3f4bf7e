#!/usr/bin/env bash
# Prints the build arguments that say what the image is built from, one word a line: the version that
# CMakeLists.txt gives, and the commit, with "-dirty" behind it where files differ from it. Without git
# the commit is unknown.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
version=$(sed -n 's/^project(repram VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
[ -n "$version" ] || { echo 'image-args.sh: CMakeLists.txt has no version' >&2; exit 1; }
revision=$(git rev-parse --verify HEAD 2>/dev/null) || revision=unknown
[ "$revision" = unknown ] || [ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || revision+=-dirty
printf '%s\n' --build-arg "VERSION=$version" --build-arg "REVISION=$revision"
