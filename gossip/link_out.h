/*
 * link_out: what goes out on the links. Writes are queued, and taken when the socket has room.
 */
#ifndef GOSSIP_LINK_OUT_H
#define GOSSIP_LINK_OUT_H

#include "gossip/replication/link.h"

struct engine;

/* Queues a write for a link. A full queue is emptied, and a reconciliation brings the rest. */
void link_out_enqueue(struct engine *e, struct link *l, const struct queued_write *w, bool is_big);

/* Takes up to about `len_max` bytes of output; a link that is closing is gone after its last. */
size_t link_out_take(struct engine *e, struct link *l, struct buf *out, size_t len_max);

#endif
