/*
 * hello: what the two ends of a link say of themselves first. That is HELLO, and CLOCK when their
 * clock is another later.
 *
 * Who was dialed says HELLO first, with a token, and who has dialed brings the token back in its
 * own. So nobody is a member here for what it says on a link that it opened, but for reading there.
 */
#ifndef GOSSIP_HELLO_H
#define GOSSIP_HELLO_H

#include "gossip/replication/link.h"

struct engine;

/* What the HELLO on a link that was accepted has to bring back, to show that the other end reads
 * there. Nobody can tell it who has not read our HELLO on that very link. */
uint64_t hello_token(const struct engine *e, const struct link *l);

/* The link is up: the other's HELLO is to come. */
void hello_await(struct engine *e, struct link *l);

/* Says our HELLO with that token. RC_NO_MEMORY: the caller ends the link. */
MUST_USE enum rc hello_say(struct engine *e, struct link *l, uint64_t token);

/* HELLO came: says ours where this node has dialed, meets the member and opens the link, or closes
 * a surplus one. RC_MALFORMED (also where the token is not ours), RC_NO_MEMORY, RC_STRANGER,
 * RC_VERSION, RC_FULL: the caller refuses the link. RC_AGAIN: the link is a rival now, and the
 * caller keeps the frame. */
enum rc hello_take(struct engine *e, struct link *l, struct cursor *payload);

/* The member has answered a ping of ours: its HELLO is not all that speaks for it. */
void hello_answered(struct engine *e, const struct member *m);

/* The link of `m` (NULL: nobody's) ends, or brings nothing after HELLO. Where the member counts for
 * its HELLO and has answered no ping of ours, it does not count any more. */
void hello_was_all(struct engine *e, struct link *l, struct member *m);

/* This node's clock was set or has jumped: says so on all links, before any record with a stamp of
 * it. */
void hello_tell_clock(struct engine *e);

/* CLOCK came. RC_MALFORMED. */
MUST_USE enum rc hello_take_clock(struct engine *e, struct link *l, struct cursor *payload);

#endif
