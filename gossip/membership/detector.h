/*
 * detector: the failure detector: whose probe begins when, what an open one does next, and what its
 * failure means.
 *
 * Each period one member is probed, in turn. No answer makes the member a suspect (or one more
 * accuser of it). When the suspicion runs out, one more full probe must fail before the member is
 * declared dead.
 *
 *   alive --- no answer ------------------------> suspect (long window)
 *   alive --- refused twice, 100 ms apart ------> suspect (400 ms)
 *   suspect - window over ----------------------> suspect, being verified
 *   verified: no answer, or refused after proof > dead
 *   any ----- its own higher incarnation -------> alive
 *
 *   named --- no answer ------------------------> forgotten
 *   never met, no answer twice, few members ----> dead here, and no word to others
 *
 * Refusals, and answers by another uuid, are refusal's; pings and answers are probe's.
 */
#ifndef GOSSIP_MEMBERSHIP_DETECTOR_H
#define GOSSIP_MEMBERSHIP_DETECTOR_H

#include "gossip/membership/swim_state.h"

/* Time passes: one more member is probed when its round has come, and each due timer is served.
 * `clock_us` as in swim_tick(). */
void detector_tick(struct swim *s, uint64_t clock_us);
uint64_t detector_deadline(const struct swim *s);

/* The open probe has failed, by silence or by positive proof. True when it was the last one that
 * the member had: it is gone now. */
bool detector_lost(struct swim *s, struct member *m, bool is_proven);

#endif
