/*
 * initiator: the side of a session that began it: compares the epochs that the peer answered, sorts
 * those that differ into what is pushed, listed and streamed, and serves what the peer wants.
 *
 * Sorting: an epoch of which the peer has nothing is sent whole; one of which this side has nothing
 * is listed with no ids, so that the peer sends it whole; all others are streamed together, unless
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
