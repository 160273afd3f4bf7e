#!/bin/sh
# Shell scripts pass shellcheck, Python files compile, JSON and YAML files parse.
set -u
status=0
if command -v shellcheck >/dev/null; then
    find tests fade .ci deploy \( -name '*.sh' -o -path .ci/run \) -print0 |
        xargs -0 shellcheck -x || status=1
else
    echo 'SKIPPED: shellcheck is not installed'
    exit 77
fi
find tests fade deploy -name '*.py' -print0 | xargs -0 -r /usr/bin/python3 -c '
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path, encoding="utf-8").read(), path)
' || status=1
/usr/bin/python3 - <<'PY' || status=1
import json, pathlib, yaml
for top in ("deploy", "docs", "fade", "tests/browser", ".github"):
    for path in sorted(pathlib.Path(top).rglob("*")):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix in (".yml", ".yaml"):
            list(yaml.safe_load_all(path.read_text()))
PY
exit $status
