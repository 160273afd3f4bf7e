#include "gossip/membership/relay.h"

#include "core/base/units.h"
#include "gossip/membership/packet_out.h"
#include "gossip/membership/probe.h"
#include "gossip/membership/view.h"

enum {
    /* The nack must reach the asker before its probe's verdict. It asked at 200 ms of 800, so this
     * leaves 200 ms for both ways. */
    RELAY_NACK_AFTER_US = 400000,
    /* Others who are asked: at 25 % loss one brings an answer over its four legs one time in three,
     * four do four times in five. */
    RELAYS_ASKED = 4,
    /* A probe that stays open for long asks again, as each round may come through. */
    RELAY_ROUND_US = 600000,
    PING_BODY_BYTES = 39,
    RELAYED_BODY_BYTES = 22,
};

/* A request or its answer, both ways; by datagram only to a member that has proved that it
 * receives, or has paid for it. */
static void send(struct swim *s, struct member *to, bool is_paid, struct packet *p)
{
    if (to->is_proven || is_paid) {
        packet_out_send_twice(s, to, p);
    } else if (to->link != 0) {
        packet_out_send_by_link(s, to, p);
    }
}

/* ---- Asking ---- */

void relay_ask(struct swim *s, struct member *m)
{
    struct swim_probe_state *st = m->probe;
    struct member *asked[RELAYS_ASKED] = {NULL};
    uint32_t count = 0;
    st->relay_seq = st->is_relay_asked ? st->relay_seq : swim_next_seq(s);
    st->is_relay_asked = true;
    for (uint32_t i = 0; i < 2 * RELAYS_ASKED && count < RELAYS_ASKED; i++) {
        struct member *relay = packet_out_listener(s);
        bool is_fit = relay != NULL && relay != m && relay->state == MEMBER_ALIVE;
        for (uint32_t j = 0; j < count; j++) {
            is_fit = is_fit && asked[j] != relay;
        }
        if (is_fit) {
            asked[count++] = relay;
            st->relays[st->relay_count++ % PROBE_RELAYS_KEPT] = relay->tag;
            s->counters->probes_indirect++;
            struct packet p = {.kind = PACKET_PING_REQ, .seq = st->relay_seq, .target = m->uuid};
            send(s, relay, false, &p);
        }
    }
    /* Again, of others perhaps, if there is time for the nacks. */
    const uint64_t next_us = s->now_us + RELAY_ROUND_US;
    st->relay_us = next_us + RELAY_ROUND_US <= st->verdict_us ? next_us : NEVER;
}

/* What it owed it has said. */
static void settle(struct swim_probe_state *st, uint32_t tag)
{
    for (uint32_t i = 0; i < PROBE_RELAYS_KEPT; i++) {
        st->relays[i] = st->relays[i] == tag ? 0 : st->relays[i];
    }
}

struct member *relay_silent(const struct swim *s, const struct member *m)
{
    const struct swim_probe_state *st = m->probe;
    struct member *silent = NULL;
    for (uint32_t i = 0; i < PROBE_RELAYS_KEPT && i < st->relay_count && silent == NULL; i++) {
        struct member *relay = roster_find_tag(&s->roster, st->relays[i]);
        const bool is_there = relay != NULL && !relay->is_self && relay->has_answered;
        silent = is_there && relay->state == MEMBER_ALIVE ? relay : NULL;
    }
    return silent;
}

void relay_answered(struct swim *s, const struct member *by, struct member *m, uint32_t seq,
                    bool is_answered)
{
    struct swim_probe_state *st = m->probe;
    if (st == NULL || !st->is_open || !st->is_relay_asked || st->relay_seq != seq) {
        return;
    }
    if (is_answered) {
        view_reached(s, m);
        probe_answered(s, m);
    } else {
        settle(st, by->tag);
    }
}

/* ---- Being asked ---- */

static void report(struct swim *s, struct member *requester, const struct relay *r,
                   bool is_answered)
{
    struct packet p = {
        .kind = PACKET_RELAYED,
        .seq = r->their_seq,
        .target = r->target,
        .is_answered = is_answered,
        .is_bare = !requester->is_proven,
    };
    send(s, requester, r->is_paid, &p);
}

static void finish(struct swim *s, struct relay *r, bool is_answered)
{
    struct member *requester = roster_find(&s->roster, &r->requester);
    if (requester != NULL) {
        report(s, requester, r, is_answered);
    }
    r->seq = 0;
    s->relay_count--;
}

/* The bytes of the longest packets of a request: the ping, and the answer to the asker. */
static size_t cost_of(const struct swim *s, const struct member *requester,
                      const struct member *target)
{
    const bool is_short = target != NULL && packet_out_is_known_to(s, target);
    size_t bytes = PING_BODY_BYTES + RELAYED_BODY_BYTES;
    bytes += 2 * sealing_tag_bytes(&s->sealing);
    bytes += is_short ? PACKET_SHORT_BYTES : PACKET_LONG_BYTES;
    bytes += packet_out_is_known_to(s, requester) ? PACKET_SHORT_BYTES : PACKET_LONG_BYTES;
    return bytes;
}

/* Whether the asker has paid for what its request causes, from the address to which the answer
 * goes. */
static bool has_paid(const struct swim *s, const struct packet_out_asked *asked)
{
    struct addr addr;
    return asked->from != NULL && roster_addr_of(&s->roster, asked->to, 0, &addr) &&
           addr_equal(&addr, asked->from);
}

/* Asks the target by datagram and by link, with a number each, as in probes. False when neither
 * goes. */
static bool ping(struct swim *s, struct relay *r, struct member *target, bool is_bare)
{
    struct addr addr;
    if (roster_addr_of(&s->roster, target, 0, &addr)) {
        struct packet p = packet_out_ping(s, r->seq, target->tag);
        p.is_bare = is_bare;
        r->to = packet_out_knock(s, target, &addr, &p) ? addr : r->to;
    }
    if (target->link != 0) {
        r->link_seq = swim_next_seq(s);
        struct packet p = packet_out_ping(s, r->link_seq, target->tag);
        p.is_bare = is_bare;
        packet_out_send_by_link(s, target, &p);
    }
    return r->to.port != 0 || r->link_seq != 0;
}

/* Whether the number is that of the relay's ping. */
static bool has_seq(const struct relay *r, uint32_t seq, bool is_datagram)
{
    return r->seq != 0 && seq != 0 &&
           (is_datagram ? r->seq == seq && r->to.port != 0 : r->link_seq == seq);
}

void relay_request(struct swim *s, const struct packet_out_asked *asked)
{
    const struct packet *p = asked->packet;
    struct member *requester = asked->to;
    struct member *target = roster_find(&s->roster, &p->target);
    struct relay *r = NULL;
    if (asked->room < cost_of(s, requester, target)) {
        s->counters->answers_withheld++;
        return;
    }
    struct relay fresh = {
        .seq = swim_next_seq(s),
        .their_seq = p->seq,
        .requester = requester->uuid,
        .target = p->target,
        .is_paid = has_paid(s, asked),
        .due_us = s->now_us + RELAY_NACK_AFTER_US,
    };
    for (uint32_t i = 0; i < RELAYS_MAX && r == NULL; i++) {
        r = s->relays[i].seq == 0 ? &s->relays[i] : NULL;
    }
    const bool is_known = target != NULL && !target->is_self && !target->is_ghost;
    if (r == NULL || !is_known || !ping(s, &fresh, target, asked->room < DATAGRAM_BYTES_MAX)) {
        report(s, requester, &fresh, false);
        return;
    }
    *r = fresh;
    s->relay_count++;
}

void relay_acked(struct swim *s, struct member *from, uint32_t seq, bool is_datagram)
{
    for (uint32_t i = 0; i < RELAYS_MAX && s->relay_count > 0; i++) {
        struct relay *r = &s->relays[i];
        if (has_seq(r, seq, is_datagram) && uuid_equal(&r->target, &from->uuid)) {
            if (is_datagram) {
                packet_out_proved(s, from, &r->to);
            }
            finish(s, r, true);
        }
    }
}

bool relay_has_asked(const struct swim *s, const struct uuid *target, uint32_t seq,
                     bool is_datagram)
{
    for (uint32_t i = 0; i < RELAYS_MAX && s->relay_count > 0; i++) {
        const struct relay *r = &s->relays[i];
        if (has_seq(r, seq, is_datagram) && uuid_equal(&r->target, target)) {
            return true;
        }
    }
    return false;
}

uint64_t relay_deadline(const struct swim *s)
{
    uint64_t due_us = NEVER;
    for (uint32_t i = 0; i < RELAYS_MAX && s->relay_count > 0; i++) {
        const struct relay *r = &s->relays[i];
        due_us = r->seq != 0 ? min_u64(r->due_us, due_us) : due_us;
    }
    return due_us;
}

void relay_tick(struct swim *s)
{
    for (uint32_t i = 0; i < RELAYS_MAX && s->relay_count > 0; i++) {
        if (s->relays[i].seq != 0 && s->relays[i].due_us <= s->now_us) {
            finish(s, &s->relays[i], false);
        }
    }
}
