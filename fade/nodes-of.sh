#!/bin/sh
# The nodes of a launcher, read from /proc alone, so that it also runs inside the image
# (`docker exec -i NAME sh -s 1 <nodes-of.sh`).
case ${1:-} in
'' | *[!0-9]*)
    echo 'usage: fade/nodes-of.sh PID'
    echo
    echo 'Prints "PID PORT" for each child of that process, a launcher, that listens on a port.'
    [ "${1:-}" = --help ] || [ "${1:-}" = -h ]
    exit $((2 * $?))
    ;;
esac
for status in /proc/[0-9]*/status; do
    grep -q "^PPid:[[:space:]]*$1\$" "$status" 2>/dev/null || continue
    pid=${status#/proc/}
    pid=${pid%/status}
    inodes=
    for fd in "/proc/$pid/fd/"*; do
        link=$(readlink "$fd" 2>/dev/null)
        case $link in socket:*) inodes="$inodes ${link#socket:}" ;; esac
    done
    # Columns: 2 local address:port in hex, 4 state (0A is LISTEN), 10 the socket's inode.
    port=$(cat "/proc/$pid/net/tcp" "/proc/$pid/net/tcp6" 2>/dev/null | awk -v inodes="$inodes" '
        $4 == "0A" && index(inodes, "[" $10 "]") { n = split($2, part, ":"); print part[n]; exit }')
    [ -z "$port" ] || echo "$pid $((0x$port))"
done | sort -n -k 2
