/*
 * link_out: what goes out on the links, when the socket has room: the writes that wait are read
 * from the store only then.
 */
#ifndef GOSSIP_LINK_OUT_H
#define GOSSIP_LINK_OUT_H

#include "gossip/replication/link.h"

struct engine;

/* Takes up to about `len_max` bytes of output; a link that is closing is gone after its last. */
size_t link_out_take(struct engine *e, struct link *l, struct buf *out, struct blobrefs *refs,
                     size_t len_max);

#endif
