/*
 * replaced: members that are gone, and where another has answered since.
 *
 * A node that is killed and started again has a new uuid, and the old one is not coming back: for
 * people the two are one row, not two. What proves it is an answer from the old one's address: the
 * other has shown that it receives there. What cards say is no proof, or anybody could make members
 * disappear. Addresses of host scope count for members of this host only.
 *
 * It stays so when the other is gone too, and is over when the member itself is back.
 */
#ifndef GOSSIP_MEMBERSHIP_REPLACED_H
#define GOSSIP_MEMBERSHIP_REPLACED_H

#include "gossip/membership/swim_state.h"

/* The member has shown that it receives where it is now thought to be, and was not there before. */
void replaced_by(struct swim *s, const struct member *m);

/* The member is gone as of now: is another there already, or this node? */
void replaced_gone(struct swim *s, struct member *m);

#endif
