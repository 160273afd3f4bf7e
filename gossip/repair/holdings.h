/*
 * holdings: the memory that the links hold together, and which of them ends where it is too much.
 *
 * Each link has bounds of its own (gossip/replication/link, gossip/repair/session), but there may
 * be thousands. Together they hold an eighth of what the store may, or 16 MiB where that is more.
 * Past that the heaviest link of the place (mesh_same_place) ends whose links hold most together:
 * so strangers who take much each lose their own first. A member that has lost its link makes a new
 * one and reconciles. Honest ones of equal size do not come to that by reconciling: the streams
 * that are taken in at a time hold half of it at most, as their tables are smaller where it is
 * little. What is sent has as many cells as the peer asks for, so several much larger peers may
 * come to it.
 *
 * Left out: values that are under way, which count in the store, and the columns of ids of the few
 * sessions that are worked on at a time.
 */
#ifndef GOSSIP_REPAIR_HOLDINGS_H
#define GOSSIP_REPAIR_HOLDINGS_H

#include "gossip/replication/mesh.h"

enum {
    HOLDINGS_BYTES_MIN = 16 << 20,
    HOLDINGS_PART = 8,            /* of the store's bytes */
    HOLDINGS_STREAMS_PART = 2,    /* of what links may hold, for streams that are taken in */
    HOLDINGS_ALL_US = 500 * 1000, /* so often all links are counted: queues grow by themselves */
};

struct holdings {
    uint64_t bytes, bytes_max;
    uint64_t all_at_us;
};

void holdings_init(struct holdings *h, uint64_t store_bytes_max);

/* How many cells a table of a stream may have, that all streams that are taken in at a time hold
 * their part at most; no more than CELLS_WANTED_MAX. */
uint32_t holdings_cells_max(const struct holdings *h);

/* Something came on the link, or it may hold more for another reason. */
void holdings_count(struct holdings *h, const struct mesh *m, struct link *l, uint64_t now_us);

/* The link is about to go. */
void holdings_drop(struct holdings *h, const struct link *l);

/* The link that is to end; NULL while they hold no more than they may. Past that it costs a sort
 * of all links. */
struct link *holdings_excess(const struct holdings *h, const struct mesh *m);

#endif
