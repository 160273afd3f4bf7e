/*
 * bulk_read: what else waits in a plain socket, read past its bufferevent into its input buffer.
 *
 * libevent 2.1 reads 4 KiB at a time, whatever it is told, and each takes three system calls. This
 * is for connections on which much is coming, after a read callback: 10 MiB take 660 calls instead
 * of 7,900. Not for TLS. The HTTP server reads by itself (net/http_input).
 */
#ifndef NET_BULK_READ_H
#define NET_BULK_READ_H

#include <stdbool.h>
#include <stddef.h>

struct bufferevent;

enum {
    /* A read callback that finds less than libevent takes at a time has found all there was. */
    BULK_READ_SIGN = 4096,
    /* Of one connection in one turn of the loop, so that a bulk transfer starves nobody. */
    BULK_READ_TURN_MAX = 64 * 1024,
};

/* Returns the bytes that were added to the input, at most about a quarter of BULK_READ_TURN_MAX. 0:
 * nothing waits; an end or an error is left for the bufferevent to tell. */
size_t bulk_read(struct bufferevent *bev);

#endif
