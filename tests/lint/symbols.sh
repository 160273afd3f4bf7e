#!/bin/sh
# core and gossip are sans-IO: their libraries may ask the C library for memory, strings and
# arithmetic, and own no mutable globals. usage: symbols.sh LIBRARY...
set -u
status=0
denied='^(socket|socketpair|connect|accept4?|bind|listen|send(to|msg|file)?|recv(from|msg)?|getaddrinfo'
denied=$denied'|open(at|64)?|fopen(64)?|read|p?write(v)?|close|unlink|stat|mkdir|rename|poll|epoll_.*|select'
denied=$denied'|(clock_)?(gettime|nanosleep)|time|gettimeofday|localtime(_r)?|gmtime(_r)?|usleep|sleep'
denied=$denied'|(secure_)?getenv|setenv|fork|exec.*|kill|signal|sigaction|raise'
denied=$denied'|pthread_.*|thrd_.*|s?rand(om)?(_r)?|getrandom|getentropy|arc4random.*'
denied=$denied'|printf|puts|putchar|vprintf|stdout|stdin|exit|_exit|atexit'
denied=$denied'|event_.*|evbuffer_.*|bufferevent_.*|evutil_.*|evdns_.*|evhttp_.*'
denied=$denied'|EVP_.*|SSL_.*|RAND_.*|HMAC.*|cJSON_.*|llhttp_.*)$'

for library in "$@"; do
    used=$(nm -u "$library" | awk 'NF == 2 { print $2 }' | sort -u | grep -E "$denied")
    if [ -n "$used" ]; then
        echo "$library uses what only net and cmd may use:"
        echo "$used" | sed 's/^/    /'
        status=1
    fi
    # B, D, C: variables that can change. The sanitizers' own bookkeeping is not ours.
    mutable=$(nm "$library" | awk 'NF == 3 && $2 ~ /^[BbDdCGgSs]$/ { print $2, $3 }' |
        grep -vE ' (__|\.L|_*asan|_*ubsan|_*odr|_*sancov|__gcov|\.data)' | sort -u)
    # Tables of pointers are constant, yet a position-independent build keeps them in .data.rel.ro,
    # which nm also calls d.
    for name in $(echo "$mutable" | awk '{ print $2 }'); do
        if ! objdump -t "$library" | grep -E "[[:space:]]$name\$" | grep -qF '.data.rel.ro'; then
            echo "$library has a mutable global: $name"
            status=1
        fi
    done
done
exit $status
