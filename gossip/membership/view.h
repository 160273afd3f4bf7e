/*
 * view: what this node believes of the others. Statements come in from packets, links and its own
 * failure detector. A change of the view goes to the caller as an event and to the others as a
 * rumour.
 *
 * For one member the order of statements is: a higher incarnation wins over a lower one; among
 * equal ones left over dead over suspect over alive. Only a member itself raises its incarnation:
 * to refute, to change its card, to leave. What others say of it above the incarnation held here
 * counts for the one held here, and a card raises it by SWIM_RAISE_MAX at most.
 *
 * **Hearsay is not yet so.** A new member is alive here when it answers, or when a member that has
 * answered has it in a page that we asked for. One that is named in any other way is asked while
 * few mates have answered, and forgotten when neither it nor a relay answers. It is in nobody's
 * digest, page or ring, and is passed on by rumour only once it has answered here. This node
 * declares nobody dead to others that it knows by others' pages only.
 *
 * When others report the end of a member that has a link, or that was heard just now, this node
 * asks it, and its own probe decides. Datagrams can be forged. An answer to a number that nobody
 * else has seen cannot, and is believed of a suspect that has been silent for a while.
 */
#ifndef GOSSIP_MEMBERSHIP_VIEW_H
#define GOSSIP_MEMBERSHIP_VIEW_H

#include "gossip/membership/swim_state.h"

/* A card of somebody unknown does not begin beyond this. */
#define VIEW_UNKNOWN_MAX (UINT64_C(1) << 32)

/* The author of a statement, and whether nobody else can have made it. */
struct view_teller {
    const struct uuid *uuid;
    bool is_sure; /* it came over a link, or in the answer to a question of ours */
};

/* A card, of a packet (below) or a link's hello. RC_OK: the member is alive or suspect here, or
 * only named. RC_STALE: it is held dead or left, and the card does not refute it. RC_FULL: no room
 * for one more, or not worth a question. RC_EXISTS: it is our own. *ret_member is NULL for the last
 * two. */
enum rc view_alive(struct swim *s, const struct member_card *card, const struct view_teller *teller,
                   struct member **ret_member);

/* Whether a new mate, or another member, is asked at once though only others speak of it: until
 * enough have answered for quorums and for a start. Later ones are asked when it is their turn to
 * be probed; what is said of others' enclaves comes by pages. */
bool view_asks_at_once(const struct swim *s, bool is_mate);

/* Whether something came in the member's name in the last two seconds, from it or from anybody. */
bool view_is_heard_lately(const struct swim *s, const struct member *m);

/* The member has repeated a number of ours, or speaks over a link: it is there, and counts. One
 * that was only named is alive from here on, if its own card has come. */
void view_answered(struct swim *s, struct member *m);

/* What made the member count as one that has answered does so no longer. */
void view_unanswered(struct swim *s, struct member *m);

/* Others reach a member that was only named: it is alive, but has not answered here. */
void view_reached(struct swim *s, struct member *m);

/* One that was only named has not answered: it is forgotten. */
void view_drop(struct swim *s, struct member *m);

/* Somebody accuses a member; this node itself when `by` is its own uuid. */
void view_suspect(struct swim *s, struct member *m, const struct uuid *by);

/* A ping to the member was in vain. If others accuse it, this node does so now too.
 */
void view_believe(struct swim *s, struct member *m);

/* This node holds the member, which is alive or suspect, for dead: verified. */
void view_declare_dead(struct swim *s, struct member *m);

/* The same for a member that others say has left. */
void view_declare_left(struct swim *s, struct member *m);

/* Any entry of a packet. */
void view_entry(struct swim *s, const struct entry *e, const struct view_teller *teller);

/* Forgets the dead and left whose time is over, and asks one of the dead whether it is back. */
void view_recontact(struct swim *s);

/* When there are rumours to be sent on their own; NEVER when there are none. */
uint64_t view_gossip_deadline(const struct swim *s);

/* Sends the rumours waiting to a few members. */
void view_gossip(struct swim *s);

/* Drops what swim keeps about a member that is about to go. */
void view_free_member(struct swim *s, struct member *m);

#endif
