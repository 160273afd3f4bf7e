/*
 * pull: mends what rumours missed (loss, partitions, being new), by asking a member for entries
 * that our table lacks. Both sides see that their digests differ, so both pull, and neither needs
 * to push.
 *
 * The asker sends the sums of ranges of its table, and gets the members of those ranges whose sums
 * differ, by pages. One request brings one page: the asker sets the pace, and nobody can be made to
 * send more than one datagram per datagram received. Each request asks for about one page. It
 * reaches farther after a page with room left, and less far, with finer sums, after one that was
 * full before its end. Entries that are under way elsewhere are not sent twice, and few members are
 * sent because their neighbours differ.
 */
#ifndef GOSSIP_MEMBERSHIP_PULL_H
#define GOSSIP_MEMBERSHIP_PULL_H

#include "gossip/membership/packet_out.h"

/* The first answer of a member: a newborn pulls from the first few at once. */
void pull_first(struct swim *s, struct member *m);

/* Others' pages may have more than this node knows: for a while views are pulled as soon as they
 * differ. */
void pull_expect(struct swim *s);

/* A member has come, or has come back, and may not be the only one. Some others hear our digest
 * now. Those that lack the member pull, and do the same: cards by pages are not rumoured on. */
void pull_news(struct swim *s);

/* A member's digest, to be compared with ours. For a moment after each change views differ anyway,
 * so a difference is looked at once more, by a ping, before a view is pulled. */
void pull_compare(struct swim *s, struct member *m, uint64_t digest);

/* A PULL of a member that has proved that it receives. */
void pull_answer(struct swim *s, const struct packet_out_asked *asked);

/* The member wants the cookie sent back before it answers the request `seq`. */
void pull_again(struct swim *s, struct member *m, uint32_t seq, uint64_t cookie);

/* Whether a page with this number is the answer to a pull from the member. */
bool pull_has_asked(const struct swim *s, const struct member *m, uint32_t seq);

/* A CARDS page of a member was read: ask for the next. */
void pull_page(struct swim *s, struct member *m, uint32_t seq, uint32_t next);

uint64_t pull_deadline(const struct swim *s);
void pull_tick(struct swim *s);

#endif
