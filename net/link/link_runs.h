/*
 * link_runs: what is to be written to a link, as the runs of one system call: bytes, and pieces of
 * blobs between them.
 *
 * It borrows all of it. Left out: the call (net/crypto/stream).
 */
#ifndef NET_LINK_LINK_RUNS_H
#define NET_LINK_LINK_RUNS_H

#include "core/store/blobrefs.h"

#include <sys/socket.h>

struct evbuffer;

enum { LINK_RUNS_MAX = 2 * BLOBREFS_MAX + 1 };

struct link_runs {
    struct iovec run[LINK_RUNS_MAX];
    struct blob *blob[LINK_RUNS_MAX]; /* that the run is of; NULL: bytes */
    size_t count;
};

/* `len` bytes at `data`, and the pieces of `refs` where they stand between them; NULL: none. */
void link_runs_list(struct link_runs *runs, const uint8_t *data, size_t len,
                    const struct blobrefs *refs);

/* Appends all but the first `taken` bytes to `out`: bytes are copied, and pieces hold their blob
 * until they have left. RC_NO_MEMORY: some of it is missing. */
MUST_USE enum rc link_runs_queue(const struct link_runs *runs, size_t taken, struct evbuffer *out);

#endif
