#!/usr/bin/env bash
# One seed gives one history, whatever compiled it: runs a few stories with every repram-sim that it
# is given, and compares the hashes of what happened. usage: same.sh SIM SIM...
set -u
[ $# -ge 2 ] || {
    echo "usage: same.sh SIM SIM..." >&2
    exit 64
}
failed=0
while read -r story; do
    want=
    for sim in "$@"; do
        # shellcheck disable=SC2086
        hash=$("$sim" $story --json | grep -o '"history":"[0-9a-f]*"')
        printf '%s  %s %s\n' "${hash:-none}" "$sim" "$story"
        [ -n "$hash" ] && [ "$hash" = "${want:-$hash}" ] || failed=$((failed + 1))
        want=${want:-$hash}
    done
done <<'STORIES'
--nodes 8 --minutes 0.5 --scenario swarm --seeds 1-4
--nodes 16 --minutes 0.3 --scenario churn,loss,burst-loss --seed 7
--nodes 12 --minutes 0.3 --scenario hostile,blind,loner --seeds 5-8
--nodes 8 --minutes 0.3 --scenario watch,memory,kill --seeds 5-8
--nodes 24 --minutes 0.3 --scenario clock,replay,corrupt,reorder --seed 7
--nodes 100 --minutes 0.1 --scenario kill --loss 0.1 --enclave-size 10 --contacts chain --seed 7
--nodes 64 --minutes 0.1 --scenario crash --formed --seed 7
--nodes 12 --minutes 0.3 --scenario swarm,hostile,replay --sealing any --seeds 1-6
STORIES
echo "$failed histories differ"
[ "$failed" = 0 ]
