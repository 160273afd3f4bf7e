#include "gossip/membership/probe.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "gossip/membership/packet_out.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* A probe may stay open longer than a period: time for retries and relays at heavy loss. Times
     * local health plus 1. */
    PROBE_VERDICT_US = 800000,
    /* The first retry comes after two round trips, at least this; each later one after a quarter
     * longer, so that a congested network is not flooded, and eight fit into a probe. */
    PROBE_PACE_MIN_US = 50000,
    PROBE_PACE_UNKNOWN_US = 100000, /* no round trip measured yet */
    PROBE_PACE_MAX_US = 1000000,
    /* Others are asked once a direct ping and its first retries had their chance. */
    PROBE_RELAY_AFTER_US = 200000,
    /* Members that are held for dead but still talk hear so at most this often. */
    TELL_PERIOD_US = 1000000,
    /* How much longer everything takes for a member that only links reach. What a stream loses
     * comes after TCP's retransmission time-out, 200 ms at least and doubled each time (RFC 6298,
     * section 2): 1.4 s after three losses in a row. */
    PATIENCE_BY_LINK = 3,
    /* A late answer still counts for a round trip. A member that has heard of its death does not
     * hear of it again. */
    STATE_KEPT_US = 3000000,
    /* The bits that a member has for the count: more would say no more. */
    MISSES_TOLD_MAX = 3,
    RTT_KEPT_MAX_US = (1 << 23) - 1,
};

void probe_health(struct swim *s, int change)
{
    if (change > 0 && s->health < HEALTH_MAX) {
        s->health++;
    } else if (change < 0 && s->health > 0) {
        s->health--;
    }
}

/* ---- What is kept ---- */

struct swim_probe_state *probe_state(struct swim *s, struct member *m)
{
    (void)s;
    if (m->probe == NULL) {
        ASSERT(!m->is_self);
        m->probe = mem_new(1, sizeof(*m->probe));
        m->probe->timer.owner = m;
    }
    return m->probe;
}

static void list_idle(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (st->is_idle_listed) {
        return;
    }
    st->is_idle_listed = true;
    st->idle_us = s->now_us;
    st->idle_next = NULL;
    if (s->idle_last != NULL) {
        s->idle_last->probe->idle_next = m;
    } else {
        s->idle_first = m;
    }
    s->idle_last = m;
}

static void unlist_first(struct swim *s)
{
    struct swim_probe_state *st = s->idle_first->probe;
    s->idle_first = st->idle_next;
    s->idle_last = s->idle_first == NULL ? NULL : s->idle_last;
    st->is_idle_listed = false;
}

void probe_release_idle(struct swim *s)
{
    while (s->idle_first != NULL && s->idle_first->probe->idle_us + STATE_KEPT_US <= s->now_us) {
        struct member *m = s->idle_first;
        unlist_first(s);
        if (m->probe->timer.at != 0) {
            continue; /* in use again */
        }
        if (m->probe->used_us + STATE_KEPT_US > s->now_us) {
            list_idle(s, m);
        } else {
            free(m->probe);
            m->probe = NULL;
        }
    }
}

void probe_forget(struct swim *s, struct member *m)
{
    if (m->probe == NULL) {
        return;
    }
    timerheap_clear(&s->timers, &m->probe->timer);
    if (m->probe->is_idle_listed) {
        /* It goes to the front, so that it can be taken from there. */
        for (struct member *at = s->idle_first; at != m; at = s->idle_first) {
            unlist_first(s);
            list_idle(s, at);
        }
        unlist_first(s);
    }
    free(m->probe);
    m->probe = NULL;
}

bool probe_is_among_many(const struct swim *s)
{
    return roster_live_count(&s->roster) > PROBE_ASKED_BY_ALL_MAX;
}

static uint32_t patience(const struct swim *s, bool is_by_link)
{
    return (s->health + 1) * (is_by_link ? PATIENCE_BY_LINK : 1U);
}

/* Whether the member is asked for the first time, by datagrams, which pass to others. Among many a
 * node has heard only a few, so that it has not heard this one says nothing. */
static bool is_strange(const struct swim *s, const struct member *m)
{
    return m->state == MEMBER_ALIVE && m->link == 0 && !m->is_udp_heard && m->misses <= 1 &&
           s->misses < PACKET_OUT_MISSES_MAX && probe_is_among_many(s);
}

/* Whether only a link reaches the member. The pings in vain since a suspicion began are what the
 * member is suspected of: they do not make it one that datagrams never reached. */
static bool only_link_reaches(const struct swim *s, const struct member *m)
{
    const bool is_settled = m->state == MEMBER_SUSPECT && !m->probe->suspicion.is_by_link;
    return !packet_out_passes(s, m) && !is_settled && !is_strange(s, m);
}

/* Whether nothing has ever spoken for the member here, by datagram or by link, while datagrams of
 * others come: it has no link whose silence would mean less. One that has answered on a link which
 * is gone may be the other end of a pair between which no datagrams pass. */
static bool is_nowhere(const struct swim *s, const struct member *m)
{
    return m->link == 0 && !m->has_answered && s->misses < PACKET_OUT_MISSES_MAX;
}

void probe_suspicion_start(struct swim *s, struct member *m)
{
    struct suspicion *suspicion = &probe_state(s, m)->suspicion;
    const bool is_only_link = !packet_out_passes(s, m) && !is_nowhere(s, m);
    suspicion_start(suspicion, roster_live_count(&s->roster), patience(s, is_only_link),
                    rng_next(&s->rng), s->now_us);
    suspicion->is_by_link = is_only_link;
}

void probe_schedule(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    uint64_t due_us = NEVER;
    if (st->is_told_soon) {
        due_us = s->now_us;
    }
    if (m->state == MEMBER_SUSPECT && !st->is_verify) {
        const uint64_t until_us = suspicion_deadline(&st->suspicion);
        due_us = min_u64(due_us, until_us > st->verify_us ? until_us : st->verify_us);
    }
    if (st->ask_us != 0) {
        due_us = min_u64(due_us, st->ask_us);
    }
    if (st->is_open) {
        due_us = min_u64(due_us, min_u64(st->verdict_us, st->retry_us));
        due_us = min_u64(due_us, st->relay_us);
    }
    if (due_us == NEVER) {
        timerheap_clear(&s->timers, &st->timer);
        list_idle(s, m);
    } else {
        timerheap_set(&s->timers, &st->timer, due_us);
    }
}

/* ---- Pings ---- */

/* The ping with the number. One that no datagram had answers none. */
static struct probe_try *find_try(const struct member *m, uint32_t seq, bool is_datagram)
{
    struct swim_probe_state *st = m->probe;
    const uint32_t count = st != NULL ? st->try_count : 0;
    const uint32_t kept = count < PROBE_TRIES_MAX ? count : PROBE_TRIES_MAX;
    for (uint32_t i = 0; i < kept && seq != 0; i++) {
        struct probe_try *t = &st->tries[i];
        if (t->seq == seq && (!is_datagram || t->to.port != 0)) {
            return t;
        }
    }
    return NULL;
}

/* The address of the probe's next ping. It is where the member last answered, and now and then one
 * of its other addresses; or where it refused, to be refused again. */
static bool choose_addr(const struct swim *s, const struct member *m, struct addr *ret_addr)
{
    const uint32_t count = m->probe->is_open ? m->probe->ping_count : 0;
    if (m->probe->proof_addr.port != 0) {
        *ret_addr = m->probe->proof_addr;
        return true;
    }
    const bool is_known = m->last_1 != 0;
    const uint32_t attempt = !is_known ? count : count % 3 == 2 ? count / 3 + 1 : 0;
    return roster_addr_of(&s->roster, m, attempt, ret_addr);
}

/* A number for one ping, which is remembered. By a link it is another than by datagram: who reads
 * the one need not receive where the other goes. */
static struct probe_try *new_try(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = probe_state(s, m);
    struct probe_try *t = &st->tries[st->try_count++ % PROBE_TRIES_MAX];
    *t = (struct probe_try){.seq = swim_next_seq(s), .sent_us = s->now_us};
    return t;
}

static void ping_by_link(struct swim *s, struct member *m)
{
    m->probe->is_asked = true;
    struct packet p = packet_out_ping(s, new_try(s, m)->seq, m->tag);
    packet_out_send_by_link(s, m, &p);
}

static void ping(struct swim *s, struct member *m, bool by_link)
{
    struct addr to;
    probe_state(s, m)->used_us = s->now_us;
    if (choose_addr(s, m, &to)) {
        struct probe_try *t = new_try(s, m);
        struct packet p = packet_out_ping(s, t->seq, m->tag);
        p.is_retry = m->probe->is_open && m->probe->ping_count > 0;
        const bool is_sent = packet_out_knock(s, m, &to, &p);
        t->mark = p.mark;
        t->to = is_sent ? to : t->to;
        m->probe->is_asked = m->probe->is_asked || is_sent;
        m->probe->is_withheld = m->probe->is_withheld || !is_sent;
    }
    if (by_link && m->link != 0) {
        ping_by_link(s, m);
    }
}

void probe_try_again(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    const bool is_first = st->ping_count == 0;
    const bool by_link =
        m->link != 0 && !st->is_link_asked && (!is_first || !packet_out_passes(s, m));
    st->is_link_asked = st->is_link_asked || by_link;
    if (is_first) {
        const uint64_t rtts_us = 2 * (uint64_t)m->rtt_us;
        st->pace_us = m->rtt_us == 0 ? PROBE_PACE_UNKNOWN_US : rtts_us;
        st->pace_us = st->pace_us < PROBE_PACE_MIN_US ? PROBE_PACE_MIN_US : st->pace_us;
    } else {
        st->pace_us += st->pace_us / 4;
    }
    st->pace_us = min_u64(st->pace_us, PROBE_PACE_MAX_US);
    st->retry_us = s->now_us + st->pace_us;
    ping(s, m, by_link);
    st->ping_count++;
}

void probe_ask_link(struct swim *s, struct member *m)
{
    if (m->link != 0 && !m->probe->is_link_asked) {
        m->probe->is_link_asked = true;
        ping_by_link(s, m);
    }
}

/* ---- A probe's life ---- */

/* A probe begins, and no datagram has come since. Many that begin together count as one, as none of
 * them has had time for an answer. */
static void count_miss(struct swim *s)
{
    if (s->misses == 0 || s->now_us - s->missed_us >= PROBE_PACE_MIN_US) {
        s->missed_us = s->now_us;
        s->misses++;
    }
}

void probe_open(struct swim *s, struct member *m, bool is_verify)
{
    struct swim_probe_state *st = probe_state(s, m);
    s->counters->probes_sent++;
    st->is_open = true;
    st->is_verify = is_verify;
    st->is_link_asked = false;
    st->is_relay_asked = false;
    st->is_refused = false;
    st->is_asked = st->is_withheld = false;
    st->relay_count = 0;
    m->misses = m->misses < MISSES_TOLD_MAX ? (m->misses + 1U) & MISSES_TOLD_MAX : m->misses;
    count_miss(s);
    st->verdict_us = s->now_us + (uint64_t)PROBE_VERDICT_US * patience(s, only_link_reaches(s, m));
    st->relay_us = s->now_us + PROBE_RELAY_AFTER_US;
    st->ping_count = 0;
    probe_try_again(s, m);
    probe_schedule(s, m);
}

void probe_start(struct swim *s, struct member *m)
{
    if (!member_is_live(m) || probe_state(s, m)->suspicion.proof_due_us != 0) {
        return; /* gone, or about to be verified anyway */
    }
    if (!m->probe->is_open) {
        probe_open(s, m, false);
    } else if (m->probe->proof_addr.port == 0) {
        m->probe->retry_us = s->now_us;
        probe_schedule(s, m);
    }
}

bool probe_accused(struct swim *s, struct member *m, const struct uuid *by)
{
    if (probe_state(s, m)->is_open && m->probe->is_asked && m->probe->ping_count > 1) {
        return true; /* as it seems from here too */
    }
    m->probe->hearsay = *by;
    if (!m->probe->is_open) {
        probe_start(s, m); /* one that is open has its answer to wait for */
    }
    return false;
}

void probe_ask(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = probe_state(s, m);
    if (st->is_open || st->ask_us != 0) {
        return;
    }
    st->ask_us = s->now_us > 0 ? s->now_us : 1;
    probe_schedule(s, m);
}

void probe_judge(struct swim *s, struct member *m, enum member_state said)
{
    ASSERT(member_is_live(m));
    if (!probe_state(s, m)->is_open) {
        probe_open(s, m, false);
    }
    /* A suspect that this node has asked in vain is verified by this probe. */
    const bool is_asked = m->probe->suspicion.is_first_hand || probe_is_among_many(s);
    m->probe->is_verify = m->probe->is_verify || (m->state == MEMBER_SUSPECT && is_asked);
    m->probe->is_said_left = (m->probe->is_judge && m->probe->is_said_left) || said == MEMBER_LEFT;
    m->probe->is_judge = true;
}

void probe_close(struct member *m)
{
    struct swim_probe_state *st = m->probe;
    st->is_open = false;
    st->is_verify = false;
    st->is_judge = false;
    st->is_again = false;
    st->hearsay = (struct uuid){{0}};
}

void probe_acquit(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    if (st != NULL) {
        probe_close(m);
        st->is_told_soon = false;
        st->ask_us = 0;
        st->proof_addr.port = 0;
        st->suspicion = (struct suspicion){.started_us = 0};
        timerheap_clear(&s->timers, &st->timer);
        list_idle(s, m);
    }
}

void probe_answered(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = probe_state(s, m);
    if (st->is_open) {
        probe_close(m);
        probe_health(s, -1);
    }
    st->proof_addr.port = 0;
    if (m->state == MEMBER_SUSPECT) {
        /* Only its own word ends the suspicion. But the suspicion runs anew: the member has heard
         * of it, and the silence that it was accused of is over. That news may have been lost on
         * its way. */
        probe_suspicion_start(s, m);
        (void)suspicion_accuse(&st->suspicion, &st->by);
        st->is_told_soon = st->is_told_soon || s->now_us - st->told_us >= TELL_PERIOD_US;
    }
    probe_schedule(s, m);
}

void probe_ping(struct swim *s, struct member *m)
{
    ping(s, m, !packet_out_passes(s, m));
    probe_schedule(s, m);
}

void probe_tell(struct swim *s, struct member *m)
{
    probe_state(s, m)->told_us = s->now_us;
    m->probe->is_told_soon = false;
    ping(s, m, true);
    probe_schedule(s, m);
}

bool probe_awaits_ack(const struct member *m, uint32_t seq, bool is_datagram)
{
    const struct probe_try *t = find_try(m, seq, is_datagram);
    return t != NULL && !t->is_acked;
}

bool probe_has_sent(const struct member *m, uint32_t mark, const struct addr *to)
{
    const struct swim_probe_state *st = m->probe;
    const uint32_t count = st != NULL ? st->try_count : 0;
    const uint32_t kept = count < PROBE_TRIES_MAX ? count : PROBE_TRIES_MAX;
    for (uint32_t i = 0; i < kept && mark != 0; i++) {
        const struct probe_try *t = &st->tries[i];
        if (t->mark == mark && !t->is_acked && t->to.port != 0 && addr_equal(&t->to, to)) {
            return true;
        }
    }
    return false;
}

bool probe_awaits_cookie(const struct member *m, uint32_t seq)
{
    return probe_awaits_ack(m, seq, true) && !find_try(m, seq, true)->is_repeated;
}

/* ---- Answers ---- */

void probe_heard(struct swim *s, struct member *m, const struct addr *from, bool is_sure)
{
    if (m->state != MEMBER_NAMED) {
        m->heard_us = s->now_us > 0 ? s->now_us : 1;
    }
    if (from != NULL) {
        m->is_udp_heard = true;
        s->misses = 0;
        if (m->last_1 == 0 && roster_has_addr(&s->roster, m, from)) {
            roster_set_last_addr(&s->roster, m, from); /* which proves nothing: it can be forged */
        }
    }
    if (m->state == MEMBER_NAMED) {
        return;
    }
    if (is_sure && ((m->probe != NULL && m->probe->is_open) || m->state == MEMBER_SUSPECT)) {
        probe_answered(s, m);
    }
    if (m->state == MEMBER_DEAD && s->now_us - probe_state(s, m)->told_us >= TELL_PERIOD_US) {
        m->probe->is_told_soon = true;
        probe_schedule(s, m);
    }
}

static void smooth_rtt(struct member *m, uint32_t rtt_us)
{
    /* RFC 6298's gain of 1/8. */
    const uint64_t us = m->rtt_us == 0 ? rtt_us : (7 * (uint64_t)m->rtt_us + rtt_us) / 8;
    m->rtt_us = us < RTT_KEPT_MAX_US ? us & RTT_KEPT_MAX_US : RTT_KEPT_MAX_US;
}

uint32_t probe_acked(struct swim *s, struct member *m, uint32_t seq, bool is_datagram, bool is_ack)
{
    struct probe_try *t = find_try(m, seq, is_datagram);
    const bool is_recorded =
        t != NULL && is_datagram && (t->is_acked || (!is_ack && t->is_repeated));
    if (t == NULL || is_recorded) {
        return 0;
    }
    t->is_acked = t->is_acked || (is_datagram && is_ack);
    const uint64_t us = s->now_us - t->sent_us;
    const uint32_t rtt_us = us == 0 ? 1 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
    if (is_datagram) {
        smooth_rtt(m, rtt_us);
        m->misses = 0;
        packet_out_proved(s, m, &t->to);
    }
    return rtt_us;
}

void probe_cookie(struct swim *s, struct member *m, uint32_t seq, uint64_t cookie)
{
    struct probe_try *t = find_try(m, seq, true);
    probe_state(s, m)->cookie = cookie;
    if (t != NULL && !t->is_acked && !t->is_repeated) {
        struct packet p = packet_out_ping(s, seq, m->tag);
        t->is_repeated = true;
        t->sent_us = s->now_us;
        packet_out_send_at(s, m, &t->to, &p);
        t->mark = p.mark;
    }
    probe_schedule(s, m);
}

void probe_stalled(struct swim *s, uint64_t late_us)
{
    for (uint32_t slot = 0; slot < s->roster.seat_count; slot++) {
        struct member *m = roster_at(&s->roster, slot);
        if (m == NULL || m->probe == NULL || !member_is_live(m)) {
            continue;
        }
        if (m->state == MEMBER_SUSPECT) {
            suspicion_delay(&m->probe->suspicion, late_us);
        }
        if (m->probe->is_open) {
            m->probe->proof_addr.port = 0;
            probe_open(s, m, m->probe->is_verify);
        } else {
            probe_schedule(s, m);
        }
    }
}
