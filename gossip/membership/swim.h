/*
 * swim: who is in the cluster, who is not any more, and how everybody learns of it.
 *
 * SWIM (Das, Gupta, Motivala, DSN 2002) with Lifeguard (Dadgar, Phillips, Currey, 2018) and four
 * changes: nodes take turns in probing, a probe's verdict is decoupled from the probe period, a
 * suspicion that runs out is verified by one more full probe before it becomes a death, and the
 * suspect hears of it first. Positive proof (a refused datagram, another uuid on the port) is
 * quicker than silence. docs/design/membership.md has the parameters and the state table.
 *
 * swim owns the member table, the probes, the rumours that wait to be piggybacked and the
 * candidates of discovery. It sends datagrams through the outbox. Everything else that its caller
 * must do or know comes out as events.
 */
#ifndef GOSSIP_MEMBERSHIP_SWIM_H
#define GOSSIP_MEMBERSHIP_SWIM_H

#include "core/base/siphash.h"
#include "gossip/membership/eventq.h"
#include "gossip/sealing/sealing.h"
#include "gossip/wire/counters.h"
#include "gossip/wire/member.h"
#include "gossip/wire/outbox.h"

struct swim;

struct swim_config {
    struct member_card self; /* incarnation 1 */
    char network[NAME_SIZE];
    uint64_t seed;
    uint8_t secret[SIPHASH_KEY_BYTES]; /* unpredictable: of cookies and of numbers to be repeated */
    const struct seal_ops *seal;       /* borrowed for the life of the swim; NULL: without keys */
    struct engine_counters *counters;  /* borrowed for the life of the swim; it counts into it */
    /* Fills this node's vitals; `cut_s` is the cut that a ping asked for, 0 to choose one. */
    void (*vitals)(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals);
    void *vitals_arg;
};

/* The outbox is borrowed. Never NULL. */
struct swim *swim_new(const struct swim_config *config, struct outbox *outbox, uint64_t now_us);
void swim_free(struct swim *s);

/* Another ring; the first one is `open`. As keyring_init(), and nothing is changed on an error.
 * From then on datagrams are sealed and opened by it, and others hear what this node holds. */
MUST_USE enum rc swim_set_keys(struct swim *s, const struct keyring_items *items, uint64_t now_us);
const struct sealing *swim_sealing(const struct swim *s);

/* Takes the oldest event; false when there is none. Call until then after each call that takes the
 * time. */
bool swim_next_event(struct swim *s, struct swim_event *ret_event);

uint64_t swim_deadline(const struct swim *s);

/* `clock_us` is the cluster's time, by which nodes take turns in probing; 0 while there is none. */
void swim_tick(struct swim *s, uint64_t now_us, uint64_t clock_us);

/* A packet: from a datagram (`from` set, `via` NULL) or from the link of member `via` (`from`
 * NULL). Any bytes. */
void swim_packet(struct swim *s, const struct addr *from, struct member *via, const uint8_t *data,
                 size_t len, uint64_t now_us);

/* Nobody listens at this address: positive proof against the member that we are probing there. */
void swim_refused(struct swim *s, const struct addr *addr, uint64_t now_us);

/* A link to the member ended without goodbye, or a dial to it was refused: probes it at once. */
void swim_suspect_link(struct swim *s, struct member *m, uint64_t now_us);

/*
 * A link's hello: the card of a peer, first-hand. Learns or refreshes the member (and tells
 * others), counts as a direct word from it, settles the candidate at `from` (may be NULL). RC_FULL:
 * the table is full. RC_STALE: we hold it dead or left with this or a later incarnation: it hears
 * so over the link when it has one, and will refute; *ret_member is set nevertheless. RC_EXISTS:
 * the card is our own. *ret_member is valid while the member is known (dead ones are for a day, or
 * until the table is full; one with a link is never forgotten).
 */
MUST_USE enum rc swim_meet(struct swim *s, const struct member_card *card, const struct addr *from,
                           uint64_t now_us, struct member **ret_member);

/* A link's hello was of another cluster (`version` 0) or of a version that is not spoken here.
 * SWIM_STRANGER reports it, as with datagrams, once a minute at most. */
void swim_stranger(struct swim *s, const struct addr *addr, uint8_t version, uint64_t now_us);

/* Bytes came over the member's link: a direct word from it, as good as an ack. */
void swim_heard(struct swim *s, struct member *m, uint64_t now_us);

/* Of the addresses that discovery has named, the last where a member answered a datagram; port 0:
 * none has. */
struct addr swim_sought(const struct swim *s);

/* It has answered swim_ask_by_link(). */
void swim_answered(struct swim *s, struct member *m, uint64_t now_us);

/* All that spoke for the member since it was last dead was a link, which is gone or brings nothing:
 * it has not answered. */
void swim_unheard(struct swim *s, struct member *m, uint64_t now_us);

/* How a member that this node has dialled sees this node's address. It becomes a global address of
 * our card once members on two hosts have seen it; one host is enough while no more are known. It
 * does not where one is configured, nor when it is loopback. */
void swim_seen_as(struct swim *s, const struct addr *addr, const struct member *witness,
                  uint64_t now_us);

/* Pings the member now, outside of the probes' round: its vitals are wanted soon. */
void swim_ask(struct swim *s, struct member *m, uint64_t now_us);

/* Pings the member by its link alone, which it has; returns the number that its answer repeats. */
uint32_t swim_ask_by_link(struct swim *s, struct member *m, uint64_t now_us);

/* Announces that this node leaves: at once to those with a link and up to 8 others, then by
 * piggyback and in all its answers. */
void swim_leave(struct swim *s, uint64_t now_us);

/* ---- Candidates of discovery ---- */
/* A hint. Own addresses, addresses of live members and repeated hints under way cost nothing. */
void swim_candidate(struct swim *s, const struct addr *addr, uint64_t now_us);

/* The address is this very node's, as its card says or as it has turned out. */
bool swim_is_own(const struct swim *s, const struct addr *addr);

/* The dial of SWIM_CANDIDATE_DIAL failed or reached ourselves: the candidate is settled. */
void swim_candidate_failed(struct swim *s, const struct addr *addr, uint64_t now_us);

/* No table of another member is being pulled, and nobody named is being asked. */
bool swim_is_introduced(const struct swim *s);

/* No candidate is under way, and nobody named is being asked. */
bool swim_candidates_settled(const struct swim *s);

/* ---- The table ---- */
const struct member *swim_self(const struct swim *s);

/* The member at or after slot *slot, of any state but named, itself included; NULL at the end. */
struct member *swim_next_member(const struct swim *s, uint32_t *slot);

/* Any alive or suspect member but this node; NULL when alone. */
struct member *swim_any_member(struct swim *s);

/* NULL when unknown. */
struct member *swim_find(const struct swim *s, const struct uuid *uuid);

/* Alive or suspect member with this address among its own or where it last answered; or self. NULL
 * when none. */
struct member *swim_find_addr(const struct swim *s, const struct addr *addr);

/* Without those that are replaced, which nobody is shown. Walks those that are gone. */
struct swim_counts swim_shown_counts(const struct swim *s);

/* Whether another that is known, and not replaced, has the member's name. Walks all members. */
bool swim_shares_name(const struct swim *s, const struct member *m);

/* The address to use for the member now: where it last answered, else host scope with an equal host
 * tag, else global. False when it has none. `attempt` 0, 1, 2... goes through the alternatives and
 * wraps. */
bool swim_addr_of(const struct swim *s, const struct member *m, uint32_t attempt,
                  struct addr *ret_addr);

/* Whether the member may be dialed at the address now: not often where nobody has ever answered.
 * The other counts it. */
bool swim_may_dial(struct swim *s, const struct member *m, const struct addr *addr,
                   uint64_t now_us);
void swim_dialed(struct swim *s, const struct member *m, const struct addr *addr, uint64_t now_us);

/* Somebody has said HELLO on a link with this address, whichever side dialed. */
void swim_host_answers(struct swim *s, const struct addr *addr);

struct swim_counts swim_counts(const struct swim *s);

/* Order-free sum over (uuid, incarnation) of the alive and suspect, itself included: equal views,
 * equal digests. */
uint64_t swim_digest(const struct swim *s);

/* The cluster's hash, of its name: in every long header and every hello. */
uint64_t swim_cluster_hash(const char *network);

void swim_check(const struct swim *s);

#endif
