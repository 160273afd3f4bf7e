/*
 * initiator: the side of a session that began it. It compares its epochs with the peer's answer,
 * and sorts those that differ: some are pushed, some listed, some streamed. Then it serves the
 * records that the peer wants.
 *
 * An epoch of which the peer has nothing is sent whole. One of which this side has nothing is
 * listed without ids, so that the peer sends it whole. All others are streamed together, unless
 * their entries are so few that listing them all is cheaper.
 */
#ifndef GOSSIP_REPAIR_INITIATOR_H
#define GOSSIP_REPAIR_INITIATOR_H

#include "gossip/repair/session.h"

/* Begins a session. RC_FULL, RC_NO_MEMORY: the link takes no more; nothing has changed. */
MUST_USE enum rc initiator_begin(const struct sync_config *config, struct link *l, uint64_t cut_s,
                                 uint64_t key, uint64_t now_us);

/* SYNC_EPOCHS, SYNC_MORE and SYNC_WANT. RC_MALFORMED. */
MUST_USE enum rc initiator_epochs(const struct sync_config *config, struct link *l,
                                  struct cursor *c);
MUST_USE enum rc initiator_more(struct link *l, struct cursor *c);
MUST_USE enum rc initiator_want(struct link *l, struct cursor *c);

/* Ends the session when all of it is settled; true when it was. */
bool initiator_finish(const struct sync_config *config, struct link *l, uint64_t now_us);

#endif
