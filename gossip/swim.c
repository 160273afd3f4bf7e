#include "gossip/swim.h"

#include "core/assert.h"
#include "core/mem.h"
#include "gossip/courier.h"
#include "gossip/ownaddr.h"
#include "gossip/probe.h"
#include "gossip/pull.h"
#include "gossip/relay.h"
#include "gossip/view.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    /* One of the dead is asked whether it is back: partitions heal unattended, at the cost of a
     * datagram. */
    RECONTACT_PERIOD_US = 10000000,
    /* A tick this much later than asked for means that this process was away, not the others. */
    STALL_US = 250000,
    STRANGER_PERIOD_US = 60000000,
    /* Members that hear of our leaving at once; the rest by their rumours. */
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
    ASSERT(!uuid_is_nil(&self->uuid) && card_text_ok(self->name) && card_text_ok(self->enclave));
    ASSERT(self->addr_count <= MEMBER_ADDRS_MAX && self->incarnation < INCARNATION_MAX);
    struct swim *s = mem_new(1, sizeof(*s));
    s->counters = config->counters;
    s->vitals = config->vitals;
    s->vitals_arg = config->vitals_arg;
    s->outbox = outbox;
    s->cluster = swim_cluster_hash(config->network);
    s->now_us = now_us;
    rng_init(&s->rng, config->seed);
    const uint64_t hash_seed = rng_next(&s->rng);
    roster_init(&s->roster, s->cluster, self->host_tag, hash_seed);
    rumor_queue_init(&s->rumors);
    timerheap_init(&s->timers, MEMBERS_MAX);
    candidates_init(&s->candidates, hash_seed);
    eventq_init(&s->events);
    s->self = roster_add(&s->roster, self, MEMBER_ALIVE, true, &s->rng, now_us);
    s->self_rumor.subject = s->self;
    rumor_put(&s->rumors, &s->self_rumor, ENTRY_ALIVE, NULL);
    for (uint32_t i = 0; i < self->addr_count; i++) {
        s->is_addr_configured = s->is_addr_configured || self->addrs[i].scope == SCOPE_GLOBAL;
    }
    s->next_probe_us = now_us + rng_below(&s->rng, SUSPICION_UNIT_US);
    s->next_recontact_us = now_us + RECONTACT_PERIOD_US;
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
    timerheap_fini(&s->timers);
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
        probe_deadline(s), candidates_deadline(&s->candidates), relay_deadline(s),
        pull_deadline(s),  view_gossip_deadline(s),             s->next_recontact_us,
    };
    uint64_t first_us = due_us[0];
    for (size_t i = 1; i < sizeof(due_us) / sizeof(due_us[0]); i++) {
        first_us = due_us[i] < first_us ? due_us[i] : first_us;
    }
    return first_us;
}

static void tick_candidates(struct swim *s)
{
    struct addr addr;
    uint32_t seq = 0;
    enum candidate_step step = CANDIDATE_WAIT;
    while ((step = candidates_due(&s->candidates, s->now_us, &addr, &seq)) != CANDIDATE_WAIT) {
        if (step == CANDIDATE_ASK) {
            struct packet p = courier_ping(s, seq, 0);
            courier_send_at(s, NULL, &addr, &p);
        } else {
            const struct swim_event event = {.kind = SWIM_CANDIDATE_DIAL, .addr = addr};
            (void)eventq_put(&s->events, &event);
        }
    }
}

void swim_tick(struct swim *s, uint64_t now_us)
{
    const uint64_t deadline_us = swim_deadline(s);
    enter(s, now_us);
    if (deadline_us < now_us && now_us - deadline_us > STALL_US) {
        probe_stalled(s, now_us - deadline_us);
    }
    tick_candidates(s);
    probe_tick(s);
    relay_tick(s);
    pull_tick(s);
    if (now_us >= s->next_recontact_us) {
        s->next_recontact_us = now_us + RECONTACT_PERIOD_US;
        view_recontact(s);
    }
    if (now_us >= view_gossip_deadline(s)) {
        view_gossip(s);
    }
}

/* ---- Packets in ---- */

static void meet_stranger(struct swim *s, const struct addr *from)
{
    s->counters->datagrams_stranger++;
    if (from == NULL ||
        (s->has_told_stranger && s->now_us - s->told_stranger_us < STRANGER_PERIOD_US)) {
        return;
    }
    s->has_told_stranger = true;
    s->told_stranger_us = s->now_us;
    const struct swim_event event = {.kind = SWIM_STRANGER, .addr = *from};
    (void)eventq_put(&s->events, &event);
}

static void take_vitals(struct swim *s, struct member *m, const struct packet *p, uint32_t rtt_us)
{
    m->flags = p->vitals.flags;
    if (member_is_live(m)) {
        const struct swim_event event = {
            .kind = SWIM_VITALS,
            .member = m,
            .vitals = p->vitals,
            .vitals_at_us = s->now_us,
            .rtt_us = rtt_us,
        };
        (void)eventq_put(&s->events, &event);
    }
    if (s->self->state != MEMBER_LEFT) {
        pull_compare(s, m, p->member_digest);
    }
}

/* A newcomer's pings are long; whoever has no global address yet needs to hear of one too. */
static bool wants_seen_as(const struct member *sender, const struct packet *p)
{
    bool has_global = sender == NULL;
    for (uint32_t i = 0; sender != NULL && i < sender->card.addr_count; i++) {
        has_global = has_global || sender->card.addrs[i].scope == SCOPE_GLOBAL;
    }
    return p->is_long || !has_global;
}

static void take_ping(struct swim *s, struct member *sender, const struct addr *from,
                      const struct packet *p)
{
    struct packet reply = {.kind = PACKET_WRONG, .seq = p->seq};
    if (p->target_tag == 0 || p->target_tag == s->self->tag) {
        reply.kind = PACKET_ACK;
        reply.member_digest = s->roster.digest;
        s->vitals(s->vitals_arg, p->vitals.cut_s, s->now_us, &reply.vitals);
        if (from != NULL && !addr_is_loopback(from) && wants_seen_as(sender, p)) {
            reply.has_seen_as = true;
            reply.seen_as = *from;
        }
    }
    courier_reply(s, sender, from, &reply);
    if (sender != NULL) {
        take_vitals(s, sender, p, 0);
    }
}

static void take_ack(struct swim *s, struct member *sender, const struct addr *from,
                     const struct packet *p)
{
    struct addr asked;
    const bool is_candidate = candidates_settle_seq(&s->candidates, p->seq, &asked);
    const uint32_t rtt_us = probe_acked(s, sender, p->seq, from != NULL);
    if (is_candidate && from != NULL) {
        roster_set_last_addr(&s->roster, sender, &asked);
    }
    if (p->has_seen_as && (is_candidate || rtt_us > 0)) {
        ownaddr_seen(s, &p->seen_as);
    }
    relay_acked(s, sender, p->seq);
    take_vitals(s, sender, p, rtt_us);
}

static void take_kind(struct swim *s, struct member *sender, const struct addr *from,
                      const struct packet *p)
{
    struct member *m = NULL;
    switch (p->kind) {
    case PACKET_PING:
        take_ping(s, sender, from, p);
        break;
    case PACKET_ACK:
        take_ack(s, sender, from, p);
        break;
    case PACKET_WRONG:
        if (from != NULL && p->seq != 0) {
            probe_refused(s, from, p->seq);
        }
        break;
    case PACKET_PING_REQ:
        relay_request(s, sender, p);
        break;
    case PACKET_RELAYED:
        m = roster_find(&s->roster, &p->target);
        if (m != NULL && !m->is_self) {
            probe_relayed(s, m, p->seq, p->is_answered);
        }
        break;
    case PACKET_GOSSIP:
        break;
    case PACKET_PULL:
        pull_answer(s, sender, from, p->slot);
        break;
    case PACKET_CARDS:
        pull_page(s, sender, p->slot);
        break;
    }
}

static void take_entries(struct swim *s, const struct uuid *sender, enum view_source source,
                         const struct packet *p)
{
    struct cursor c = cursor_reader(p->entries, p->entries_len);
    struct entry entry;
    while (cursor_left(&c) > 0) {
        entry_read(&c, &entry);
        view_entry(s, &entry, sender, source);
    }
}

/* A packet of our cluster that is not our own. `sender` is NULL when a short header's tag is nobody
 * here: then nothing it says is believed, and an answer will make it introduce itself. */
static void take_packet(struct swim *s, struct member *sender, const struct addr *from,
                        const struct packet *p)
{
    if (!p->is_long && sender == NULL) {
        if (p->kind == PACKET_PING && from != NULL) {
            take_ping(s, NULL, from, p);
        }
        return;
    }
    const struct uuid uuid = p->is_long ? p->uuid : sender->card.uuid;
    enum view_source source = VIEW_RUMOR;
    if (p->kind == PACKET_CARDS) {
        source = sender != NULL ? pull_source(s, sender) : VIEW_PULL;
    }
    take_entries(s, &uuid, source, p);
    sender = roster_find(&s->roster, &uuid);
    if (sender != NULL && roster_is_ghost(sender)) {
        sender = NULL;
    }
    if (sender != NULL) {
        sender->knows_us = p->knows_you;
        probe_heard(s, sender, from);
        if (from != NULL) {
            (void)candidates_settle(&s->candidates, from);
        }
        take_kind(s, sender, from, p);
    } else if (p->kind == PACKET_PING) {
        take_ping(s, NULL, from, p);
    }
}

/* Our own packet came back: a candidate is ourselves. */
static void take_own(struct swim *s, const struct packet *p)
{
    struct addr addr;
    if (p->kind == PACKET_PING && candidates_settle_seq(&s->candidates, p->seq, &addr)) {
        candidates_add_own(&s->candidates, &addr);
    }
}

void swim_packet(struct swim *s, const struct addr *from, struct member *via, const uint8_t *data,
                 size_t len, uint64_t now_us)
{
    ASSERT((from == NULL) != (via == NULL));
    enter(s, now_us);
    struct packet p;
    const enum rc rc = packet_read(data, len, &p);
    s->counters->datagrams_in += from != NULL;
    if (rc == RC_OK && p.is_long && p.cluster != s->cluster) {
        meet_stranger(s, from);
    } else if (rc == RC_VERSION) {
        s->counters->datagrams_stranger++;
    } else if (rc != RC_OK || (via != NULL && p.tag != via->tag) ||
               (via != NULL && p.is_long && !uuid_equal(&p.uuid, &via->card.uuid))) {
        s->counters->datagrams_malformed++;
    } else if (p.is_long ? uuid_equal(&p.uuid, &s->self->card.uuid) : p.tag == s->self->tag) {
        take_own(s, &p);
    } else {
        struct member *sender = via != NULL ? via
                                : p.is_long ? roster_find(&s->roster, &p.uuid)
                                            : roster_find_tag(&s->roster, p.tag);
        take_packet(s, sender, from, &p);
    }
}

/* ---- What the caller learns ---- */

void swim_refused(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    (void)candidates_refused(&s->candidates, addr, now_us);
    probe_refused(s, addr, 0);
}

void swim_suspect_link(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    probe_start(s, m);
}

enum rc swim_meet(struct swim *s, const struct member_card *card, const struct addr *from,
                  uint64_t now_us, struct member **ret_member)
{
    enter(s, now_us);
    struct member *m = NULL;
    const enum rc rc = view_alive(s, card, VIEW_RUMOR, &m);
    const bool is_candidate = from != NULL && candidates_settle(&s->candidates, from);
    if (m == NULL) {
        return rc;
    }
    if (is_candidate && m->last_addr.port == 0) {
        roster_set_last_addr(&s->roster, m, from);
    }
    probe_heard(s, m, NULL);
    if (rc == RC_STALE) {
        m->probe->is_told_soon = true;
        probe_schedule(s, m);
    }
    *ret_member = m;
    return rc;
}

void swim_heard(struct swim *s, struct member *m, uint64_t now_us)
{
    enter(s, now_us);
    probe_heard(s, m, NULL);
}

void swim_seen_as(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    ownaddr_seen(s, addr);
}

void swim_leave(struct swim *s, uint64_t now_us)
{
    enter(s, now_us);
    if (s->self->state == MEMBER_LEFT) {
        return;
    }
    view_renew_self(s, MEMBER_LEFT, s->self->card.incarnation + 1);
    const uint32_t others = s->roster.order_count;
    const uint32_t start = others > 0 ? (uint32_t)rng_below(&s->rng, others) : 0;
    for (uint32_t i = 0; i < others && i < LEAVE_FANOUT; i++) {
        struct packet p = {.kind = PACKET_GOSSIP};
        courier_send(s, roster_at(&s->roster, s->roster.order[(start + i) % others]), &p);
    }
}

/* ---- Candidates ---- */

void swim_candidate(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    if (s->self->state != MEMBER_LEFT && !ownaddr_is(s, addr) && swim_find_addr(s, addr) == NULL) {
        (void)candidates_add(&s->candidates, addr, now_us);
    }
}

void swim_candidate_failed(struct swim *s, const struct addr *addr, uint64_t now_us)
{
    enter(s, now_us);
    (void)candidates_settle(&s->candidates, addr);
}

bool swim_candidates_settled(const struct swim *s)
{
    return s->candidates.count == 0;
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
        if (m != NULL && !roster_is_ghost(m)) {
            return m;
        }
    }
    return NULL;
}

struct member *swim_find(const struct swim *s, const struct uuid *uuid)
{
    struct member *m = roster_find(&s->roster, uuid);
    return m != NULL && !roster_is_ghost(m) ? m : NULL;
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

bool swim_addr_of(const struct swim *s, const struct member *m, uint32_t attempt,
                  struct addr *ret_addr)
{
    return roster_addr_of(&s->roster, m, attempt, ret_addr);
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
    ASSERT(s->self->is_self && s->self->probe == NULL);
    ASSERT(s->self->state == MEMBER_ALIVE || s->self->state == MEMBER_LEFT);
    ASSERT(s->health <= 8 && s->relay_count <= RELAYS_MAX);
    for (uint32_t slot = 0; slot < s->roster.seat_count; slot++) {
        const struct member *m = roster_at(&s->roster, slot);
        if (m == NULL || m->is_self) {
            continue;
        }
        const struct swim_probe_state *st = m->probe;
        ASSERT(st != NULL && st->timer.owner == m && st->rumor.subject == m);
        ASSERT(!st->is_open || member_is_live(m));
        ASSERT(!st->is_verify || (st->is_open && m->state == MEMBER_SUSPECT));
        ASSERT(st->timer.at != 0 || (!st->is_open && m->state != MEMBER_SUSPECT));
    }
}
