#!/usr/bin/env bash
# Builds Dockerfile.flux-sim for real and runs it, without a container engine: buildah with chroot
# isolation on a base image that mmdebstrap makes. Needs root. Exits 77 where that cannot be done.
# Chroot isolation has no PID namespace of its own; what PID 1 owes is tests/integration/test_pid1.py.
set -u
if [ $# -gt 0 ]; then
    echo 'usage: tests/image/run.sh'
    echo
    echo 'Builds Dockerfile.flux-sim and runs it, without a container engine. Needs root, installs what is'
    echo 'missing, and works in build/image. Exits with 77 where that cannot be done.'
    [ "$1" = --help ] || [ "$1" = -h ]
    exit $((2 * $?))
fi
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
top=$PWD
export work=$top/build/image # for the hook of mmdebstrap and for inside.sh
base=docker.io/library/debian:bookworm-slim
image=localhost/repram-flux:test

# shellcheck source=.ci/packages.sh
. "$top/.ci/packages.sh"

skip()
{
    echo "SKIPPED: $1"
    exit 77
}

fail()
{
    echo "FAILED: $1" >&2
    exit 1
}

# Storage of our own: nothing of the machine's is used or left behind. vfs works on any file system.
bud() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver vfs "$@"; }

# for_12 FILE: package sources as this machine has them, but of Debian 12 instead of its own release.
for_12()
{
    local release
    # shellcheck disable=SC1091
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
    sed "s/\\b$release\\b/bookworm/g; s/-keyring\\.pgp\\b/-keyring.gpg/" "$1"
}

# The base image. Its apt is set up as this machine's is, with the same mirror; authentication files
# are not copied.
make_base()
{
    local sources=() container hook file
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        [ -s "$file" ] || continue
        for_12 "$file" >"$work/${file##*/}" && sources+=("$work/${file##*/}")
    done
    # shellcheck disable=SC2016 # expanded by mmdebstrap's shell
    hook='for d in sources.list sources.list.d apt.conf.d trusted.gpg.d keyrings; do
              [ ! -e "/etc/apt/$d" ] || cp -rL "/etc/apt/$d" "$1/etc/apt/"
          done
          [ ! -e "$work/sources.list" ] || cp "$work/sources.list" "$1/etc/apt/"
          [ ! -e "$work/debian.sources" ] || cp "$work/debian.sources" "$1/etc/apt/sources.list.d/"'
    if [ ! -s "$work/rootfs.tar" ]; then
        mmdebstrap --quiet --variant=minbase --include=ca-certificates --customize-hook="$hook" \
            bookworm "$work/rootfs.part" "${sources[@]}" --format=tar &&
            mv "$work/rootfs.part" "$work/rootfs.tar" || return 1
    fi
    bud inspect --type image "$base" >/dev/null 2>&1 && return 0
    container=$(bud from scratch) && bud add -q "$container" "$work/rootfs.tar" / &&
        bud commit -q --format docker "$container" "$base" && bud rm "$container"
}

# The configuration that an engine would act on.
check_configuration()
{
    bud inspect --type image "$image" | /usr/bin/python3 -c '
import json, sys
config = json.load(sys.stdin)["Docker"]["config"]
wanted = {
    "Entrypoint": ["/usr/local/bin/repram"],
    "Cmd": ["launch"],
    "User": "10001:10001",
    "StopSignal": "SIGTERM",
}
for name, value in wanted.items():
    assert config.get(name) == value, f"{name} is {config.get(name)}, not {value}"
test = config["Healthcheck"]["Test"]
assert test == ["CMD", "/usr/local/bin/repram", "health", "--all"], f"health check is {test}"
ports = {f"{port}/{kind}" for port in range(8081, 8091) for kind in ("tcp", "udp")}
labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
args = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
assert set(args) == {"VERSION", "REVISION"}, args
for name, value in args.items():
    assert labels.get(name.lower()) == value, f"{name} is {labels}, not {value}"
assert labels["source"].startswith("https://"), labels
exposed = set(config["ExposedPorts"])
assert ports <= exposed or {"8081-8090/tcp", "8081-8090/udp"} <= exposed, f"exposed: {exposed}"
print("ok: entry point, user, stop signal, health check, labels and ports")
' "${args[@]}"
}

# Nothing that compiles is left, every library is found, and the binary answers.
check_content()
{
    local container=$1 root tools
    root=$(bud mount "$container") || return 1
    tools=$(find "$root/usr/bin" "$root/usr/local" -name '*gcc*' -o -name 'cc' -o -name 'cmake' \
        -o -name 'ninja' -o -name 'clang*' -o -name 'ld')
    echo "size: $(du -sxm "$root" | cut -f1) MB"
    bud umount "$container" >/dev/null
    [ -z "$tools" ] || { echo "FAILED: build tools in the image: $tools" >&2; return 1; }
    echo 'ok: no compiler in the image'
    # shellcheck disable=SC2016 # expanded in the container
    bud run --isolation chroot "$container" -- sh -c \
        '! ldd /usr/local/bin/repram | grep "not found" && [ "$(id -u)" = 10001 ] && repram version' |
        tee "$work/version" && grep -qw -- "${args[1]#VERSION=}" "$work/version"
}

cleanup()
{
    local container
    for container in $(bud containers -q 2>/dev/null); do
        bud rm "$container" >/dev/null 2>&1
    done
    # The base is kept for the next run, the image is not.
    bud rmi "$image" >/dev/null 2>&1
    bud rmi --prune >/dev/null 2>&1
}

[ "$(id -u)" = 0 ] || skip 'building an image needs root'
packages_install image || skip 'buildah and mmdebstrap could not be installed'
unshare -n -m -p -f true 2>/dev/null || skip 'namespaces are not allowed here'
mkdir -p "$work" || exit 1
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# Buildah has limits of its own, and raises what a machine may not allow to be raised. None has less.
limits=(--ulimit nofile=4096:4096 --ulimit nproc=4096:4096)
make_base || fail "the base image could not be made"
mapfile -t args < <(.ci/image-args.sh) # what it is built from
bud bud -q --isolation chroot "${limits[@]}" "${args[@]}" --pull-never --format docker \
    -f Dockerfile.flux-sim -t "$image" . >/dev/null ||
    fail 'Dockerfile.flux-sim does not build'
echo 'ok: Dockerfile.flux-sim builds'
check_configuration || exit 1
container=$(bud from --pull-never "${limits[@]}" "$image") || fail 'no container of the image'
check_content "$container" || fail 'the content of the image'

# A network, a process table and a loopback of its own: nothing is reached but this container.
export container
export -f bud
unshare -n -m -p -f --kill-child --mount-proc "$top/tests/image/inside.sh" || fail 'the running image'
echo 'ok: the image'
