/*
 * responder: the side of a session that the peer began. It answers the peer's groups with our
 * epochs where the sums differ, then works on what the peer lists and streams.
 *
 * Left out: which of two sessions begun at once stays (gossip/repair/sync).
 */
#ifndef GOSSIP_REPAIR_RESPONDER_H
#define GOSSIP_REPAIR_RESPONDER_H

#include "gossip/repair/session.h"

/* SYNC_GROUPS. `is_refused`: our own session stays, so the answer to the peer's is that nothing
 * differs. RC_MALFORMED, RC_FULL. */
MUST_USE enum rc responder_groups(const struct sync_config *config, struct link *l,
                                  struct cursor *c, bool is_refused);

/* SYNC_SCOPE: a stream that begins with more than `first_max` cells is held until it has its turn.
 * RC_MALFORMED, RC_FULL, RC_NO_MEMORY. */
MUST_USE enum rc responder_scope(const struct sync_config *config, struct link *l, struct cursor *c,
                                 uint32_t first_max);

/* SYNC_LIST and SYNC_CELLS: RC_MALFORMED. SYNC_DONE. */
MUST_USE enum rc responder_list(struct link *l, struct cursor *c);
MUST_USE enum rc responder_cells(struct link *l, struct cursor *c);
void responder_done(const struct sync_config *config, struct link *l, struct cursor *c);

#endif
