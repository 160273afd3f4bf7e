#!/usr/bin/env bash
# This node beside nginx, Redis, memcached and Webdis: see compare.py, which has the options. Installs
# their packages where they are missing (no service is left running), builds the release preset, and
# measures in namespaces of its own, so that everything it starts ends with it.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
case " $* " in *' --help '* | *' -h '*) exec /usr/bin/python3 -B tests/bench/compare.py --help ;; esac
# shellcheck source=.ci/packages.sh
. .ci/packages.sh
packages_install build bench
cmake --preset release >/dev/null
cmake --build --preset release -j"$(nproc)" >&2
exec /usr/bin/python3 -B tests/integration/harness.py "$PWD/tests/bench/compare.py" "$@"
