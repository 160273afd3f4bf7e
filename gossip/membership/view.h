/*
 * view: what this node believes of the others. Statements come in from packets (hearsay), links and
 * its own failure detector. A change of the view goes to the caller as an event and to the others
 * as a rumour.
 *
 * For one member the order of statements is: a higher incarnation wins over a lower one; among
 * equal ones left over dead over suspect over alive.
 *
 * **Hearsay is not yet so.** A new member is alive here when it answers, or when a member that has
 * answered has it in a page that we asked for. One that is named in any other way is asked while
 * few mates have answered, and forgotten when neither it nor a relay answers. It is in nobody's
 * digest, page or ring, and is passed on by rumour only once it has answered here. This node
 * declares nobody dead to others that it knows by others' pages only.
 */
#ifndef GOSSIP_MEMBERSHIP_VIEW_H
#define GOSSIP_MEMBERSHIP_VIEW_H

#include "gossip/membership/swim_state.h"

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

/* Whether a card with this incarnation and so many addresses may change what is held of a known
 * member. */
bool view_is_news(const struct member *m, uint64_t incarnation, uint32_t addr_count,
                  const struct view_teller *teller);

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

/* Whether it is there as others say, or as a HELLO in its name did, and has answered nothing. */
bool view_is_doubted(const struct member *m);

/* Others reach a member that was only named: it is alive, but has not answered here. */
void view_reached(struct swim *s, struct member *m);

/* One that was only named has not answered: it is forgotten. */
void view_drop(struct swim *s, struct member *m);

/* Somebody accuses a member; this node itself when `by` is its own uuid. */
void view_suspect(struct swim *s, struct member *m, const struct uuid *by);

/* A member is dead or has left, says `by`; NULL where nobody is named. */
void view_bury(struct swim *s, struct member *m, enum member_state state, uint64_t incarnation,
               const struct uuid *by);

/* Keeps in mind that somebody who is not known has been gone for so long. */
void view_add_gone(struct swim *s, const struct member_card *card, enum member_state state,
                   uint64_t age_us);

/* This node holds the member, which is alive or suspect, for dead: verified. */
void view_declare_dead(struct swim *s, struct member *m);

/* The same for a member that others say has left. */
void view_declare_left(struct swim *s, struct member *m);

/* Forgets the dead and left whose time is over, and asks one of the dead whether it is back. */
void view_recontact(struct swim *s);

/* When there are rumours to be sent on their own; NEVER when there are none. */
uint64_t view_gossip_deadline(const struct swim *s);

/* Sends the rumours waiting to a few members. */
void view_gossip(struct swim *s);

/* Drops what swim keeps about a member that is about to go. */
void view_free_member(struct swim *s, struct member *m);

#endif
