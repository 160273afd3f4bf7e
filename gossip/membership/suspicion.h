/*
 * suspicion: how long a suspect has to refute, and who accuses it.
 *
 * Lifeguard (Dadgar, Phillips, Currey, 2018, section IV): the time starts at a maximum and shrinks
 * with the logarithm of independent accusations down to a minimum. Both grow with the logarithm of
 * the cluster's size and with the observer's own ill health. A suspicion by positive proof (refused
 * datagrams) has a short fixed window instead.
 *
 * It is arithmetic on times. gossip/membership/probe does what follows when the time is over.
 */
#ifndef GOSSIP_MEMBERSHIP_SUSPICION_H
#define GOSSIP_MEMBERSHIP_SUSPICION_H

#include "core/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    /* The minimum is a random 1.0 to 1.5 of these, times max(1, log10 N): one probe period, so that
     * the suspect is probed meanwhile; random, so that not all observers act at once. */
    SUSPICION_UNIT_US = 500000,
    SUSPICION_SPREAD_PERCENT = 50,
    /* Without a second accuser: long enough for several rounds of retries at heavy loss. */
    SUSPICION_MAX_FACTOR = 6,
    /* More accusers than this do not shorten it further (Lifeguard's K). */
    SUSPICION_CONFIRMATIONS_MAX = 3,
    /* A node that only heard of the suspicion waits this much longer. So normally the accusers
     * verify it, and not the whole cluster at once. */
    SUSPICION_HEARSAY_FACTOR = 2,
    /* After positive proof: enough for a process that is being replaced to say that it lives. */
    SUSPICION_PROOF_US = 400000,
};

struct suspicion {
    uint64_t started_us;
    uint64_t min_us, max_us;
    uint32_t confirmations_wanted; /* accusers beyond the first that bring it to the minimum */
    uint32_t accuser_count;
    struct uuid accusers[SUSPICION_CONFIRMATIONS_MAX + 1];
    bool is_by_link;       /* when it began, only a link reached the member */
    bool is_first_hand;    /* this node itself is an accuser */
    uint64_t proof_due_us; /* end of the short window; 0 without proof */
};

/* Starts one without an accuser. `members` counts alive and suspect, this node included; `scale`
 * is local health plus 1; `random` is any 64 random bits. */
void suspicion_start(struct suspicion *s, uint32_t members, uint32_t scale, uint64_t random,
                     uint64_t now_us);

/* Adds an accuser. True when it is a new one that counts: worth passing on. */
bool suspicion_accuse(struct suspicion *s, const struct uuid *accuser);

/* The window is a short one from now on, unless it is one already. */
void suspicion_prove(struct suspicion *s, uint64_t now_us);

/* When the suspect's time is over. */
uint64_t suspicion_deadline(const struct suspicion *s);

/* Moves everything into the future by a pause of the observer. */
void suspicion_delay(struct suspicion *s, uint64_t by_us);

#endif
