/*
 * swim_state: the state that swim's own parts share. Nobody else includes it.
 *
 *   swim       the public functions: time, packets in, hints in
 *   packet_out packets out: headers, piggyback, by datagram or by link
 *   self       what this node says of itself
 *   view       what is believed of members, and what follows from it
 *   hearsay    which words of others are
 *   packet_in  packets in
 *   detector   whose probe begins when, and what its failure means
 *   probe      the pings of one, and the answers
 *   refusal    its evidence that is quicker than silence
 *   relay      pings on behalf of others
 *   pull       whole views, page by page, where digests differ
 *   ownaddr    how others see this node
 *
 * with roster, rotation, rumor, suspicion, candidates, eventq, quiet, sealing, packet and timerheap
 * as parts that know no swim.
 */
#ifndef GOSSIP_MEMBERSHIP_SWIM_STATE_H
#define GOSSIP_MEMBERSHIP_SWIM_STATE_H

#include "core/base/rng.h"
#include "core/base/series.h"
#include "core/base/timerheap.h"
#include "gossip/membership/candidates.h"
#include "gossip/membership/eventq.h"
#include "gossip/membership/roster.h"
#include "gossip/membership/rumor.h"
#include "gossip/membership/suspicion.h"
#include "gossip/sealing/sealing.h"
#include "gossip/wire/counters.h"
#include "gossip/wire/packet.h"
#include "gossip/wire/quiet.h"

enum {
    /* A card may raise an incarnation by so much. Members raise it by one at a time, or as far as
     * false cards have. So a member that was away for long is still believed, and forged cards do
     * not come to the end of the numbers. */
    SWIM_RAISE_MAX = 65536,
    PROBE_TRIES_MAX = 16,  /* pings of one probe that are remembered, by datagram and by link */
    PROBE_RELAYS_KEPT = 8, /* of those asked for a probe, who owe a word */
    RELAYS_MAX = 64,       /* pings on behalf of others under way at once */
    PULLS_MAX = 3,         /* views being pulled at once: what a newborn starts with */
    PROVEN_KEPT = 64,      /* members to tell news, while few among all can be */
    OWNADDRS_MAX = 2,      /* addresses learned from others: a LAN's and a NAT's */
};

struct probe_try {
    uint32_t seq;
    uint32_t mark; /* its packet's; 0: it was not sealed */
    uint64_t sent_us;
    struct addr to;   /* port 0: by link, or not sent */
    bool is_repeated; /* with a cookie, which is done once */
    bool is_acked;    /* by datagram: the same answer again is a recording */
};

/* What the failure detector keeps of a member, from the first probe until a while after everything
 * is over. See probe_state(). */
struct swim_probe_state {
    struct timer timer;       /* set while a probe is open, a suspicion runs, or is_told_soon */
    struct member *idle_next; /* in the list of those that may be idle */
    bool is_idle_listed;
    uint64_t idle_us; /* since when it stands there */
    uint64_t used_us; /* last ping */
    struct uuid by;   /* who declared it suspect (first) or dead; nil when nobody knows */

    /* The open probe. */
    bool is_open;
    bool is_verify;     /* its failure turns the suspect into a dead one */
    bool is_judge;      /* others say that it is gone: its failure makes it so, suspect or not */
    bool is_said_left;  /* namely left, not dead */
    bool is_again;      /* the one before it was lost, of a member that was never met */
    bool is_link_asked; /* the link has been tried */
    bool is_asked;      /* a ping has gone, either way */
    bool is_withheld;   /* or might not, as too many went there */
    bool is_relay_asked;
    bool is_refused;     /* somewhere, which alone is no proof */
    uint32_t ping_count; /* of this probe */
    uint64_t verdict_us; /* when it fails */
    uint64_t retry_us;   /* when the next ping goes */
    uint64_t relay_us;   /* when others are asked to try (again); NEVER: not any more */
    uint64_t pace_us;    /* between the last ping and the next */
    uint32_t relay_seq;  /* in the requests to others */
    uint32_t relays[PROBE_RELAYS_KEPT]; /* tags of the last, until they have said something; 0 */
    uint32_t relay_count;
    struct uuid hearsay; /* who is said to accuse it; that counts once a ping is in vain */

    /* Its pings, the last PROBE_TRIES_MAX of them, kept after its end for late answers. */
    struct probe_try tries[PROBE_TRIES_MAX];
    uint32_t try_count;
    uint64_t cookie; /* that it sent us, to be sent back; 0: none */

    /* Positive proof so far. */
    struct addr proof_addr; /* port 0: none */
    uint64_t proof_us;

    uint64_t ask_us;    /* when somebody new is asked; 0: it need not be */
    uint64_t verify_us; /* before then its end is not verified: others have their turn */

    struct suspicion suspicion; /* while it is suspect */
    bool is_card_wanted;        /* from itself: that of others is far ahead of what is held */
    bool is_told_soon;          /* tell it what is held about it, by link too */
    uint64_t told_us;           /* 0: not lately */
};

struct relay {
    uint32_t seq; /* ours, in the ping; 0: free */
    uint32_t their_seq;
    struct uuid requester;
    struct uuid target;
    struct addr to;    /* where the ping went; port 0: by link only */
    uint32_t link_seq; /* of the ping by link; 0: none */
    bool is_paid;      /* by a datagram as long as what comes of it */
    uint64_t due_us;   /* when the requester hears that nothing came */
};

struct pull {
    struct uuid from; /* nil: free */
    uint32_t seq;     /* of the last request, in its answer */
    uint32_t next;    /* the first tag not yet asked for */
    uint64_t left;    /* how many tags there are from there to the end */
    uint64_t span;    /* how many were asked for last */
    uint32_t tries;
    uint64_t due_us;
};

struct ownaddr {
    struct addr addr; /* port 0: free */
    uint64_t seen_us;
};

/* An address that members on one host only have seen so far. */
struct ownaddr_said {
    struct addr addr;
    uint64_t host_tag; /* of the last that said so */
};

struct swim {
    struct engine_counters *counters;
    void (*vitals)(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals);
    void *vitals_arg;
    struct outbox *outbox;

    uint64_t cluster;
    uint64_t now_us;
    struct rng rng;
    struct member *self;
    bool is_addr_configured;
    struct ownaddr ownaddrs[OWNADDRS_MAX];
    struct ownaddr_said ownaddr_said;

    struct roster roster;
    struct rumor_queue rumors;
    struct timerheap timers;               /* of members */
    struct member *idle_first, *idle_last; /* whose detector's state may be idle, oldest first */
    struct candidates candidates;
    struct eventq events;
    struct relay relays[RELAYS_MAX];
    uint32_t relay_count;
    struct pull pulls[PULLS_MAX];
    struct addr sought;                /* see swim_sought() */
    uint32_t answered, answered_mates; /* members that have answered since they last were gone */
    uint64_t ask_us;                   /* when those asked were last counted from */
    uint32_t ask_count;
    uint64_t verify_us;        /* when those whose end is verified were last counted from */
    uint32_t verify_counts[2]; /* of those that have never answered here, and of those that have */
    uint64_t doubted_us; /* when the silence of relays last counted against our health; 0 never */
    uint64_t dial_us;    /* when dials to such were last counted from */
    uint32_t dial_count;
    uint32_t first_pulls;    /* started as a newborn */
    struct uuid differs;     /* whose digest differed last; nil: nobody's since the last look */
    struct uuid asked_again; /* whose digest is being looked at once more; nil: nobody's */
    uint64_t next_pull_us;
    uint64_t news_us; /* when news last came, or was to be expected of pulls */
    uint32_t offers;  /* so many members are still to hear our digest, because of news */
    uint64_t next_offer_us;
    uint64_t agreed; /* our incarnation when a digest last equalled ours */

    uint16_t proven[PROVEN_KEPT]; /* slots of those that proved last that they receive, a ring */
    uint32_t proven_count;
    uint8_t secret[SIPHASH_KEY_BYTES];
    struct series seqs; /* of sequence numbers */
    struct quiet quiet;
    struct sealing sealing;
    struct budget unread; /* datagrams that did not open, and were answered */
    uint64_t knocks_us;   /* since when `knocks` are counted */
    uint32_t knocks;
    bool is_naming;      /* the packet being taken names somebody who is being asked */
    uint32_t paid_bytes; /* of such packets: so many may go to those named */
    uint64_t paid_us;    /* when the last of them came */

    uint64_t counter;    /* of packets sent */
    uint64_t refuted_us; /* when a refutation last counted against our health; 0 never */
    struct refutation {
        uint64_t due_us;      /* not before; NEVER while nothing is to be refuted */
        uint64_t since_us;    /* when the last one went out; 0 never */
        uint64_t incarnation; /* that we take then */
        struct uuid by;       /* who said so, and hears it first; nil: nobody */
    } refutation;
    uint32_t health;    /* Lifeguard's local health multiplier: 0 is well */
    uint32_t misses;    /* probes opened since a datagram came from anybody */
    uint64_t missed_us; /* when the last of them was counted */
    bool has_listener;  /* packet_out_listener() last found somebody with a link */
    uint64_t round;     /* of the rotation */
    uint64_t next_probe_us;
    uint64_t last_gossip_us;
    uint64_t last_urgent_us; /* the same, of a round for news that does not wait */
    bool has_urgent;         /* such news has not gone out yet */
    uint64_t next_recontact_us;
    uint32_t recontact_next;
    uint64_t told_stranger_us, told_version_us, told_key_us; /* 0: not yet */
};

/* A sequence number: never 0, never a candidate's, and unpredictable from those before, because
 * whatever repeats it is taken for an answer. */
static inline uint32_t swim_next_seq(struct swim *s)
{
    return 1 + (uint32_t)(series_next(&s->seqs) % INT32_MAX);
}

#endif
