/*
 * sync: anti-entropy between two members over their link, in sessions; and joining.
 *
 * A session compares sums of groups, then of epochs, then settles the epochs that differ: by one
 * rateless stream of cells, by a list of ids where entries are few, or whole where one side has
 * nothing. gossip/wire/frame.h has the messages, gossip/repair/initiator and
 * gossip/repair/responder the two sides, gossip/repair/cells and gossip/repair/epoch_sender the
 * work. There is one session a link at a time: when both sides start one, that of the smaller id
 * stays. A node starts one session at a time, so that it does not fetch the same records from
 * several neighbours. A node that is new pulls all epochs from up to JOIN_PARTS_MAX members,
 * divided among them.
 *
 * Sums and ids are compared as of a cut, so that writes under way do not look like differences; why
 * overwrites that arrive meanwhile do no harm stands in gossip/repair/column.h.
 *
 * Records that came by reconciliation are not sent on as writes are. Instead the node soon sends
 * its root to its other links, and a peer that differs starts a session. So a difference crosses
 * the cluster at the pace of sessions, not of the periodic comparison.
 *
 * All work is done in sync_turn(), a few steps of under a millisecond at a time, by those links
 * that have any.
 */
#ifndef GOSSIP_REPAIR_SYNC_H
#define GOSSIP_REPAIR_SYNC_H

#include "core/store/store.h"
#include "gossip/repair/session.h"
#include "gossip/replication/mesh.h"
#include "gossip/replication/quorum.h"
#include "gossip/wire/counters.h"

struct sync;

/* Everything in the configuration is borrowed. Never NULL. */
struct sync *sync_new(const struct sync_config *config);
void sync_free(struct sync *s);

/* The link is going: its session and jobs end. Call before mesh_remove(). */
void sync_link_gone(struct sync *s, struct link *l);

/* Starts a session as of `cut_s` unless one runs on the link or ran too recently; RC_AGAIN then. */
MUST_USE enum rc sync_start(struct sync *s, struct link *l, uint64_t cut_s, uint64_t now_us);

/* A session on the link is owed for a loss. It comes SYNC_PAUSE_US after the last one, however long
 * that took. Over a bad network the usual pause may be seconds, and records that live for less
 * would miss it. */
void sync_hurry(const struct link *l);

/* A SYNC_ or JOIN frame, of a length that frame_fits(). RC_MALFORMED or RC_FULL: end the link. */
MUST_USE enum rc sync_frame(struct sync *s, struct link *l, enum frame_type type,
                            struct cursor *payload, const struct uuid *self, uint64_t now_us);

/* A record came by reconciliation; was it news? */
void sync_received(struct sync *s, bool is_news, uint64_t now_us);

/* Does some steps of the work. `now_ms` is the cluster's clock. `awaits_donor`: a member that has
 * the data may still turn up, so a join does not begin with members as new as this one. True when a
 * session was given up that some link needs anew. */
bool sync_turn(struct sync *s, uint64_t now_us, uint64_t now_ms, bool awaits_donor);

/* The link's buffers have drained: jobs that waited for room may go on. */
void sync_wake(struct sync *s, const struct link *l);

/* When sync_turn() has something to do by itself: 0 for at once, NEVER for nothing. */
uint64_t sync_deadline(const struct sync *s);

/* Whether something is waited for: a join, a session, a job that has no room. Then sync_turn() is
 * called now and then, to notice what stalls. */
bool sync_is_under_way(const struct sync *s);

/* ---- Joining ---- */

/* The node is new: from now on it pulls from members with a link until one pass is done. */
void sync_join(struct sync *s, uint64_t now_us);
bool sync_is_joining(const struct sync *s);

/* The member's clock has changed, and by the old one it may have refused to say what it has. It is
 * asked again for everything. */
void sync_ask_again(struct sync *s, const struct link *l);

/* No member of the enclave is there to pull from: the join is over. */
void sync_join_alone(struct sync *s);

void sync_check(const struct sync *s);

#endif
