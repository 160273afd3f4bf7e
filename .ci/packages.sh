# shellcheck shell=sh
# The one list of Debian packages, for Debian 12 (bookworm) and 13 (trixie). Sourced by fade/up.sh,
# tests/run.sh and Dockerfile.flux-sim, so it is plain POSIX shell. None of these packages is left with
# a service running: see packages_install().

# debian_is_12: package names are those of Debian 12; of 13 where not.
debian_is_12()
{
    # shellcheck disable=SC1091
    (. /etc/os-release && [ "${VERSION_ID:-12}" = 12 ])
}

# packages_of GROUP: the packages of a group, space separated.
packages_of()
{
    case $1 in
    build) # what it takes to compile build/release/repram
        printf '%s ' gcc libc6-dev cmake ninja-build pkg-config \
            libevent-dev libc-ares-dev libssl-dev libcjson-dev libxxhash-dev
        # llhttp is a set of sources on Debian 12 and a library from Debian 13 on.
        if debian_is_12; then
            printf '%s ' node-llhttp
        else
            printf '%s ' libllhttp-dev
        fi
        # A compiler asked for by CC is installed too.
        case ${CC:-} in
        *clang*)
            printf '%s ' clang
            if debian_is_12; then printf '%s ' libclang-rt-14-dev; else printf '%s ' libclang-rt-19-dev; fi
            ;;
        esac
        ;;
    runtime) # what the binary needs in the image's last stage
        printf '%s ' ca-certificates libcjson1 libxxhash0
        if debian_is_12; then
            printf '%s ' libssl3 libc-ares2 libevent-2.1-7 libevent-openssl-2.1-7
        else
            printf '%s ' libssl3t64 libcares2 libevent-2.1-7t64 libevent-openssl-2.1-7t64 \
                libllhttp9.2
        fi
        ;;
    test) # what tests/run.sh runs beyond the build
        # Format and tidy are judged by version 14 alone, which Debian 13 does not have. What checks the
        # metrics page has a package of its own there; see promtool_install() of tests/run.sh.
        if debian_is_12; then
            printf '%s ' clang-format-14 clang-tidy-14
        else
            printf '%s ' promtool
        fi
        # The other compiler's history is compared with the build's (step same-sim).
        printf '%s ' gcc clang
        printf '%s ' libcmocka-dev shellcheck pmccabe git ca-certificates \
            python3 python3-pycryptodome python3-yaml iproute2 nftables dnsmasq-base curl openssl faketime \
            util-linux procps tmux binutils valgrind nginx-light haproxy
        # The shells that complete, and what renders the manual.
        printf '%s ' zsh fish groff-base
        # For clients/javascript.
        command -v node >/dev/null 2>&1 || printf '%s ' nodejs
        ;;
    sim) printf '%s ' curl ;; # fade/test-flux-sim.sh
    bench) # tests/bench/compare.sh: the peers, and what loads them
        printf '%s ' python3 util-linux wrk nginx-light redis-server redis-tools memcached \
            webdis
        if ! debian_is_12; then printf '%s ' valkey-server; fi
        ;;
    browser) # tests/browser; a Node.js that came from elsewhere brings its own npm
        printf '%s ' chromium fonts-dejavu-core
        command -v node >/dev/null 2>&1 || printf '%s ' nodejs
        command -v npm >/dev/null 2>&1 || printf '%s ' npm
        ;;
    image)
        printf '%s ' buildah mmdebstrap crun fuse-overlayfs
        # Buildah asks for it before it does anything, with chroot isolation as well.
        if ! debian_is_12; then printf '%s ' netavark; fi
        ;;
    *)
        echo "packages_of: no group '$1'" >&2
        return 2
        ;;
    esac
}

# packages_missing GROUP...: those of the groups that are not installed.
packages_missing()
{
    for group in "$@"; do
        for package in $(packages_of "$group"); do
            case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
            *' installed') ;;
            *) printf '%s ' "$package" ;;
            esac
        done
    done
}

# packages_install GROUP...: installs what is missing, as root or through sudo. A policy-rc.d that
# forbids it keeps packages from starting services, and is removed again unless it was there before.
packages_install()
{
    missing=$(packages_missing "$@")
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "This needs Debian's packages: $missing" >&2
        return 1
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=''
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
    else
        echo "Missing packages, and this is neither root nor is there sudo. As root, run:" >&2
        echo "    apt-get install --no-install-recommends $missing" >&2
        return 1
    fi
    echo "Installing: $missing"
    # shellcheck disable=SC2086,SC2016 # lists of words; expanded by the inner shell
    $as_root env DEBIAN_FRONTEND=noninteractive sh -c '
        policy=/usr/sbin/policy-rc.d
        if [ ! -e "$policy" ]; then
            trap "rm -f $policy" EXIT
            trap "exit 130" INT TERM HUP
            printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy" || exit 1
        fi
        log=$(mktemp) || exit 1
        if apt-get update -qq >"$log" 2>&1 &&
            apt-get install -y -qq --no-install-recommends "$@" >>"$log" 2>&1; then
            rm -f "$log"
        else
            tail -n 30 "$log" >&2
            rm -f "$log"
            exit 1
        fi
    ' sh $missing
}
