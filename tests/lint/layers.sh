#!/bin/sh
# What a layer may use: core and gossip know no system; libevent stays in net, OpenSSL in a few files
# of it, getenv and exit in cmd. (structure.py has the order of the folders.) Run from the top of the
# tree.
set -u
status=0

# refuse TEXT PATTERN FILE...: complains about every line that matches.
refuse()
{
    text=$1
    pattern=$2
    shift 2
    if found=$(grep -snHE "$pattern" "$@" /dev/null); then
        echo "$text:"
        echo "$found" | sed 's/^/    /'
        status=1
    fi
}

# (arpa/inet.h and netinet/in.h are let through: they turn text into addresses and ask nobody.)
refuse 'core and gossip use no system' \
    '^#include <(event2/|openssl/|sys/(socket|epoll|time|types|stat)|unistd|time|pthread|signal|fcntl|netdb|poll|threads|sys/random)' \
    core/*/*.[ch] gossip/*.[ch] gossip/*/*.[ch]
refuse 'libevent is only for net' '^#include <event2/' core/*/*.[ch] gossip/*.[ch] gossip/*/*.[ch] cmd/*.[ch] cmd/*/*.[ch]
refuse 'OpenSSL is only for net' '^#include <openssl/' core/*/*.[ch] gossip/*.[ch] gossip/*/*.[ch] cmd/*.[ch] cmd/*/*.[ch]

# Few: the files about outgoing TLS, unpredictable bytes, and (later) sealing.
tls=$(grep -lE '^#include <openssl/' net/*.[ch] net/*/*.[ch] | wc -l)
if [ "$tls" -gt 6 ]; then
    echo "OpenSSL is included by $tls files of net, more than a few"
    status=1
fi

refuse 'getenv and exit are only for cmd' '(^|[^_[:alnum:]])(secure_)?(getenv|exit|_exit) ?\(' \
    core/*/*.c gossip/*.c gossip/*/*.c net/*.c net/*/*.c
# shellcheck disable=SC2046 # no name of ours has a space
refuse 'only net/sys/hostclock reads a clock' \
    '(^|[^_[:alnum:]])(clock_gettime|(evutil_)?gettimeofday|evutil_gettime_monotonic|time) ?\(' \
    $(find net cmd -name '*.[ch]' ! -path net/sys/hostclock.c)
refuse 'functions that are never right' \
    '(^|[^_[:alnum:]])(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|atof|strtok) ?\(' \
    core/*/*.[ch] gossip/*.[ch] gossip/*/*.[ch] net/*.[ch] net/*/*.[ch] cmd/*.[ch] cmd/*/*.[ch]
refuse 'tests outside tests/integration and tests/bench do not sleep' \
    '(^|[^_[:alnum:]])(u|nano)?sleep ?\(' tests/unit/*.[ch] tests/fuzz/*.[ch] tests/sim/*.[ch]

exit $status
