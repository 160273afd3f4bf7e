#include "gossip/membership/swim.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "gossip/membership/detector.h"
#include "gossip/membership/ownaddr.h"
#include "gossip/membership/packet_in.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/pull.h"
#include "gossip/membership/refusal.h"
#include "gossip/membership/relay.h"
#include "gossip/membership/rotation.h"
#include "gossip/membership/self.h"
#include "gossip/membership/view.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    /* One of the dead is asked whether it is back. So partitions heal unattended, at the cost of a
     * datagram. */
    RECONTACT_PERIOD_US = 10000000,
    /* A tick this much later than asked for means that this process was away, not the others. */
    STALL_US = 250000,
    /* So often at most is a member asked by link: half of PROBE_TRIES_MAX, as each has a datagram
     * too, last for 4 s. */
    ASK_BY_LINK_US = 500000,
    /* Members without a link that hear of our leaving at once; the rest by their rumours. */
    LEAVE_FANOUT = 8,
};

uint64_t swim_cluster_hash(const char *network)
{
    return XXH3_64bits(network, strlen(network));
}

/* ---- Life ---- */

struct swim *swim_new(const struct swim_config *config, struct outbox *outbox, uint64_t now_us)
{
    const struct member_card *self = &config->self;
    ASSERT(!uuid_is_nil(&self->uuid) && member_card_text_ok(self->name) &&
           member_card_text_ok(self->enclave));
    ASSERT(self->addr_count <= MEMBER_ADDRS_MAX && self->version_min <= self->version_max);
    struct swim *s = mem_new(1, sizeof(*s));
    s->counters = config->counters;
    s->vitals = config->vitals;
    s->vitals_arg = config->vitals_arg;
    s->outbox = outbox;
    s->cluster = swim_cluster_hash(config->network);
    s->now_us = now_us;
    s->news_us = now_us;
    rng_init(&s->rng, config->seed);
    memcpy(s->secret, config->secret, sizeof(s->secret));
    series_init(&s->seqs, config->secret, "swim");
    const uint64_t hash_seed = series_next(&s->seqs);
    roster_init(&s->roster, s->cluster, self->host_tag & CARD_48_BITS, hash_seed);
    quiet_init(&s->quiet, hash_seed);
    const struct sealing_config sealing = {
        .ops = config->seal,
        .network = config->network,
        .self = self->uuid,
        .seed = hash_seed,
        .senders_max = WINDOWS_MAX,
    };
    sealing_init(&s->sealing, &sealing);
    budget_init(&s->unread, hash_seed);
    rumor_queue_init(&s->rumors);
    timerheap_init(&s->timers, MEMBERS_MAX);
    candidates_init(&s->candidates, hash_seed, config->secret);
    eventq_init(&s->events);
    s->self = roster_add(&s->roster, self, MEMBER_ALIVE, true, now_us);
    rumor_put(&s->rumors, s->self, ENTRY_ALIVE, NULL);
    for (uint32_t i = 0; i < self->addr_count; i++) {
        s->is_addr_configured = s->is_addr_configured || self->addrs[i].scope == SCOPE_GLOBAL;
    }
    s->refutation.due_us = NEVER;
    s->round = rng_next(&s->rng);
    s->next_probe_us = now_us + rng_below(&s->rng, ROTATION_PERIOD_US);
    s->next_recontact_us = now_us + 1 + rng_below(&s->rng, RECONTACT_PERIOD_US);
    return s;
}

void swim_free(struct swim *s)
{
    if (s == NULL) {
        return;
    }
    for (uint32_t slot = 0; slot < s->roster.seat_count; slot++) {
        struct member *m = roster_at(&s->roster, slot);
        if (m != NULL && !m->is_self) {
            view_free_member(s, m);
        }
    }
    eventq_fini(&s->events);
    candidates_fini(&s->candidates);
    rumor_queue_fini(&s->rumors);
    timerheap_fini(&s->timers);
    sealing_fini(&s->sealing);
    roster_fini(&s->roster);
    free(s);
}

bool swim_next_event(struct swim *s, struct swim_event *ret_event)
{
    return eventq_next(&s->events, ret_event);
}

/* ---- Time ---- */

static void enter(struct swim *s, uint64_t now_us)
{
    ASSERT(now_us >= s->now_us);
    s->now_us = now_us;
}

uint64_t swim_deadline(const struct swim *s)
{
    const uint64_t due_us[] = {
        detector_deadline(s),    candidates_deadline(&s->candidates),
        relay_deadline(s),       pull_deadline(s),
        view_gossip_deadline(s), s->next_recontact_us,
        s->refutation.due_us,
    };
    uint64_t first_us = due_us[0];
    for (size_t i = 1; i < sizeof(due_us) / sizeof(due_us[0]); i++) {
        first_us = due_us[i] < first_us ? due_us[i] : first_us;
    }
    return first_us;
}

/* A live member sends datagrams from there: no link is needed to find that out. */
static bool is_heard_at(const struct swim *s, const struct addr *addr)
{
    const struct member *m = swim_find_addr(s, addr);
    return m != NULL && m->is_udp_heard;
}

static void tick_candidates(struct swim *s)
{
    struct candidate_ask ask;
    enum candidate_step step = CANDIDATE_WAIT;
    while ((step = candidates_due(&s->candidates, s->now_us, &ask)) != CANDIDATE_WAIT) {
        if (step == CANDIDATE_ASK) {
            packet_out_ask(s, &ask);
        } else if (is_heard_at(s, &ask.addr)) {
            (void)candidates_settle(&s->candidates, &ask.addr);
        } else {
            const struct swim_event event = {.kind = SWIM_CANDIDATE_DIAL, .addr = ask.addr};
            (void)eventq_put(&s->events, &event);
        }
    }
}

void swim_tick(struct swim *s, uint64_t now_us, uint64_t clock_us)
{
    const uint64_t deadline_us = swim_deadline(s);
    enter(s, now_us);
    if (deadline_us < now_us && now_us - deadline_us > STALL_US) {
        probe_stalled(s, now_us - deadline_us);
    }
    tick_candidates(s);
    detector_tick(s, clock_us);
    relay_tick(s);
    pull_tick(s);
    if (now_us >= s->next_recontact_us) {
        s->next_recontact_us = now_us + RECONTACT_PERIOD_US;
        view_recontact(s);
    }
    if (now_us >= s->refutation.due_us) {
        self_speak(s);
    }
    if (now_us >= view_gossip_deadline(s)) {
        view_gossip(s);
    }
}

/* ---- Reports to the caller ---- */

void swim_packet(struct swim *s, const struct addr *from, struct member *via, const uint8_t *data,
                 size_t len, uint64_t now_us)
{
    ASSERT((from == NULL) != (via == NULL));
    enter(s, now_us);
    packet_in_take(s, from, via, data, len);
}

void swim_refused(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    (void)candidates_refused(&s->candidates, addr, now_us);
    refusal_came(s, addr, 0);
}

void swim_suspect_link(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    if (m->heard_us != 0) {
        m->heard_us = MEMBER_HEARD_BEFORE; /* a word before this speaks for it no longer */
    }
    probe_start(s, m);
}

/* Anybody can say HELLO in a member's name: its number is raised no further by that than by
 * hearsay. One that is further counts once it comes in answer on the link. Returns whether it is.
 */
static bool bound(const struct swim *s, struct member_card *card)
{
    const struct member *m = roster_find(&s->roster, &card->uuid);
    const bool is_far = m != NULL && card->incarnation > m->incarnation &&
                        card->incarnation - m->incarnation > SWIM_RAISE_MAX;
    card->incarnation = is_far ? m->incarnation : card->incarnation;
    return is_far;
}

enum rc swim_meet(struct swim *s, const struct member_card *card, const struct addr *from,
                  uint64_t now_us, struct member **ret_member)
{
    enter(s, now_us);
    struct member *m = NULL;
    struct member_card bounded = *card;
    const bool is_far = bound(s, &bounded);
    const enum rc rc = view_alive(s, &bounded, &(struct view_teller){&card->uuid, true}, &m);
    if (from != NULL) {
        (void)candidates_settle(&s->candidates, from);
    }
    if (m == NULL) {
        return rc;
    }
    if (from != NULL && !m->is_proven) {
        packet_out_proved(s, m, from); /* it was dialled there */
    }
    view_answered(s, m);
    probe_heard(s, m, NULL, true);
    if (is_far) {
        probe_state(s, m)->is_card_wanted = true;
    }
    if (rc == RC_STALE || is_far) {
        probe_state(s, m)->is_told_soon = true;
        probe_schedule(s, m);
    }
    *ret_member = m;
    return rc;
}

void swim_stranger(struct swim *s, const struct addr *addr, uint8_t version, uint64_t now_us)
{
    enter(s, now_us);
    packet_in_stranger(s, addr, version);
}

void swim_heard(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    probe_heard(s, m, NULL, !view_is_doubted(m));
}

struct addr swim_sought(const struct swim *s)
{
    return s->sought;
}

void swim_answered(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    view_answered(s, m);
}

void swim_unheard(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    view_unanswered(s, m);
}

void swim_seen_as(struct swim *s, const struct addr *addr, const struct member *witness,
                  uint64_t now_us)
{
    enter(s, now_us);
    ownaddr_seen(s, addr, witness);
}

void swim_ask(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    /* A link delivers earlier questions, however late. More of them would only queue up. */
    const bool is_by_link = m->link != 0 && !packet_out_passes(s, m);
    if (!is_by_link || probe_state(s, m)->told_us + ASK_BY_LINK_US <= now_us) {
        probe_tell(s, m);
    }
}

uint32_t swim_ask_by_link(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    const uint32_t seq = swim_next_seq(s);
    struct packet p = packet_out_ping(s, seq, m->tag);
    packet_out_send_by_link(s, m, &p);
    return seq;
}

void swim_leave(struct swim *s, uint64_t now_us)
{
    enter(s, now_us);
    if (s->self->state == MEMBER_LEFT) {
        return;
    }
    self_speak(s); /* or who holds us at a later number does not believe it */
    self_renew(s, MEMBER_LEFT, s->self->incarnation + 1);
    const uint32_t others = s->roster.order_count;
    const uint32_t start = others > 0 ? (uint32_t)rng_below(&s->rng, others) : 0;
    for (uint32_t i = 0, told = 0; i < others; i++) {
        struct member *m = roster_at(&s->roster, s->roster.order[(start + i) % others]);
        struct packet p = {.kind = PACKET_GOSSIP};
        if (m->link != 0) {
            packet_out_send_by_link(s, m, &p); /* where it is believed without a question */
        } else if (packet_out_reaches(m) && told++ < LEAVE_FANOUT) {
            packet_out_send(s, m, &p);
        }
    }
}

/* ---- Keys ---- */

static int by_id(const void *a, const void *b)
{
    const uint16_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

/* In the order of their numbers: which one comes first is nobody else's matter. */
static void name_keys(const struct swim *s, struct member_card *card)
{
    sealing_name_keys(&s->sealing, card);
    qsort(card->keys, card->key_count, sizeof(card->keys[0]), by_id);
}

enum rc swim_set_keys(struct swim *s, const struct keyring_items *items, uint64_t now_us)
{
    enter(s, now_us);
    struct member_card before, card;
    const enum rc rc = sealing_set_keys(&s->sealing, items);
    if (rc != RC_OK) {
        return rc;
    }
    const uint32_t keys = s->sealing.ring.count;
    s->candidates.asks_max = keys > CANDIDATE_ASKS_MAX ? keys : CANDIDATE_ASKS_MAX;
    member_card(s->self, &before);
    card = before;
    name_keys(s, &card);
    if (card.key_count == before.key_count &&
        memcmp(card.keys, before.keys, card.key_count * sizeof(card.keys[0])) == 0) {
        return RC_OK;
    }
    roster_set_card(&s->roster, s->self, &card);
    if (s->counter != 0) { /* others may have the card of before */
        self_renew(s, s->self->state, card.incarnation + 1);
    }
    return RC_OK;
}

const struct sealing *swim_sealing(const struct swim *s)
{
    return &s->sealing;
}

/* ---- Candidates ---- */

void swim_candidate(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    if (s->self->state != MEMBER_LEFT && !ownaddr_is(s, addr) && swim_find_addr(s, addr) == NULL) {
        (void)candidates_add(&s->candidates, addr, now_us);
    }
}

bool swim_is_own(const struct swim *s, const struct addr *addr)
{
    return ownaddr_is(s, addr);
}

void swim_candidate_failed(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    (void)candidates_settle(&s->candidates, addr);
}

bool swim_is_introduced(const struct swim *s)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (!uuid_is_nil(&s->pulls[i].from)) {
            return false;
        }
    }
    return s->roster.counts.named == 0;
}

bool swim_candidates_settled(const struct swim *s)
{
    return s->candidates.count == 0 && s->roster.counts.named == 0;
}

/* ---- The table ---- */

const struct member *swim_self(const struct swim *s)
{
    return s->self;
}

struct member *swim_next_member(const struct swim *s, uint32_t *slot)
{
    for (; *slot < s->roster.seat_count; (*slot)++) {
        struct member *m = roster_at(&s->roster, *slot);
        if (m != NULL && !m->is_ghost && m->state != MEMBER_NAMED) {
            return m;
        }
    }
    return NULL;
}

struct member *swim_any_member(struct swim *s)
{
    return roster_random(&s->roster, &s->rng);
}

struct member *swim_find(const struct swim *s, const struct uuid *uuid)
{
    struct member *m = roster_find(&s->roster, uuid);
    return m != NULL && !m->is_ghost ? m : NULL;
}

struct member *swim_find_addr(const struct swim *s, const struct addr *addr)
{
    struct member *best = NULL;
    uint32_t walk = 0;
    for (struct member *m = roster_next_at(&s->roster, addr, &walk); m != NULL;
         m = roster_next_at(&s->roster, addr, &walk)) {
        if (best == NULL || m->is_self || (!best->is_self && m->heard_us > best->heard_us)) {
            best = m;
        }
    }
    return best;
}

struct swim_counts swim_shown_counts(const struct swim *s)
{
    struct swim_counts counts = s->roster.counts;
    for (uint32_t i = 0; i < s->roster.gone_count; i++) {
        const struct member *m = roster_gone_at(&s->roster, i);
        if (!m->is_ghost && member_is_replaced(m)) {
            counts.dead -= m->state == MEMBER_DEAD;
            counts.left -= m->state == MEMBER_LEFT;
        }
    }
    return counts;
}

bool swim_shares_name(const struct swim *s, const struct member *m)
{
    const struct member *other = NULL;
    for (uint32_t slot = 0; (other = swim_next_member(s, &slot)) != NULL; slot++) {
        if (other != m && strcmp(member_name(other), member_name(m)) == 0 &&
            !member_is_replaced(other)) {
            return true;
        }
    }
    return false;
}

bool swim_addr_of(const struct swim *s, const struct member *m, uint32_t attempt,
                  struct addr *ret_addr)
{
    return roster_addr_of(&s->roster, m, attempt, ret_addr);
}

bool swim_may_dial(struct swim *s, const struct member *m, const struct addr *addr, uint64_t now_us)
{
    return m->is_proven || quiet_may_dial(&s->quiet, addr, now_us);
}

void swim_dialed(struct swim *s, const struct member *m, const struct addr *addr, uint64_t now_us)
{
    if (!m->is_proven) {
        quiet_dialed(&s->quiet, addr, now_us);
    }
}

void swim_host_answers(struct swim *s, const struct addr *addr)
{
    quiet_answered(&s->quiet, addr);
}

struct swim_counts swim_counts(const struct swim *s)
{
    return s->roster.counts;
}

uint64_t swim_digest(const struct swim *s)
{
    return s->roster.digest;
}

void swim_check(const struct swim *s)
{
    roster_check(&s->roster);
    rumor_queue_check(&s->rumors);
    timerheap_check(&s->timers);
    candidates_check(&s->candidates);
    sealing_check(&s->sealing);
    ASSERT(s->self->is_self && s->self->probe == NULL);
    ASSERT(s->self->state == MEMBER_ALIVE || s->self->state == MEMBER_LEFT);
    ASSERT(s->health <= HEALTH_MAX && s->relay_count <= RELAYS_MAX);
    uint32_t answered = 0, answered_mates = 0;
    for (uint32_t slot = 0; slot < s->roster.seat_count; slot++) {
        const struct member *m = roster_at(&s->roster, slot);
        if (m == NULL || m->is_self) {
            continue;
        }
        const struct swim_probe_state *st = m->probe;
        answered += m->has_answered;
        answered_mates += m->has_answered && m->is_mate;
        ASSERT(!m->has_answered || m->state != MEMBER_NAMED);
        /* A member that is only named is being asked, and is forgotten at the end of that. */
        ASSERT(m->state != MEMBER_NAMED || s->self->state == MEMBER_LEFT ||
               (st != NULL && (st->is_open || st->ask_us != 0)));
        /* A node that is leaving follows up no suspicion. */
        ASSERT(st != NULL || m->state != MEMBER_SUSPECT || s->self->state == MEMBER_LEFT);
        if (st == NULL) {
            continue;
        }
        ASSERT(st->timer.owner == m);
        ASSERT(!st->is_open || member_is_live(m) || m->state == MEMBER_NAMED);
        ASSERT(!st->is_verify || (st->is_open && m->state == MEMBER_SUSPECT));
        ASSERT(st->timer.at != 0 || st->is_idle_listed);
        ASSERT(st->timer.at != 0 || s->self->state == MEMBER_LEFT ||
               (!st->is_open && m->state != MEMBER_SUSPECT));
    }
    ASSERT(answered == s->answered && answered_mates == s->answered_mates);
}
