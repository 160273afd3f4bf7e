/*
 * pending: the client writes that wait for their quorum, by the id of their exchange.
 *
 * Open addressing with linear probing; removal shifts back, so there are no tombstones and a
 * look-up costs the same after a billion writes. Bounded by PENDING_MAX.
 */
#ifndef NET_API_PENDING_H
#define NET_API_PENDING_H

#include "core/base/rc.h"
#include "core/store/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Far more than connections that a node may have at its default limits: each waits for one write.
 */
enum { PENDING_MAX = 1 << 16 };

struct pending_put {
    uint64_t id;
    struct version version;
    uint64_t ttl_ms;    /* as stored */
    uint64_t expiry_ms; /* on the cluster's clock */
    bool is_used;
};

struct pending {
    struct pending_put *slots;
    size_t slot_count; /* a power of two */
    size_t count;
};

void pending_init(struct pending *p);
void pending_fini(struct pending *p);

/* Remembers a write; the id must not be there. RC_FULL at PENDING_MAX. */
MUST_USE enum rc pending_add(struct pending *p, const struct pending_put *put);

/* Takes the write with this id out; false when there is none. `ret_put` may be NULL. */
bool pending_take(struct pending *p, uint64_t id, struct pending_put *ret_put);

#endif
