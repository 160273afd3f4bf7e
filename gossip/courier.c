#include "gossip/courier.h"

#include "core/assert.h"

#include <string.h>

/* A packet's entries under construction. */
struct load {
    struct swim *s;
    const struct member *to;
    const struct addr *addr;
    struct cursor entries;
    bool is_knock; /* asks whether anybody is there; who answers is introduced to us after that */
};

void courier_strip(struct member_card *card, const struct member *to, const struct addr *addr)
{
    const bool is_known = to != NULL && !roster_is_ghost(to);
    const bool is_near =
        is_known ? to->card.host_tag == card->host_tag : addr != NULL && addr_is_loopback(addr);
    if (is_near) {
        return;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < card->addr_count; i++) {
        const struct member_addr *a = &card->addrs[i];
        if (is_known ? a->scope == SCOPE_GLOBAL : !addr_is_loopback(&a->addr)) {
            card->addrs[kept++] = *a;
        }
    }
    card->addr_count = kept;
}

struct entry courier_entry(const struct swim *s, const struct member *m, enum entry_kind kind,
                           const struct uuid *by)
{
    struct entry e = {.kind = kind, .card = m->card, .by = *by};
    if (kind == ENTRY_PAST) {
        const uint64_t minute_us = 60000000;
        e.state = m->state;
        e.age_min = (uint32_t)((s->now_us - m->state_since_us) / minute_us);
    }
    return e;
}

static bool load_entry(struct load *load, struct entry *e)
{
    uint8_t bytes[ENTRY_WIRE_MAX];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    if (e->kind == ENTRY_ALIVE) {
        courier_strip(&e->card, load->to, load->addr);
    }
    entry_write(&c, e);
    ASSERT(cursor_ok(&c));
    if (c.pos > cursor_left(&load->entries)) {
        return false;
    }
    cursor_put_bytes(&load->entries, bytes, c.pos);
    return true;
}

static enum rumor_verdict offer(void *arg, const struct rumor *r)
{
    enum { ENTRY_WIRE_MIN = 1 + UUID_BYTES + 4 };
    struct load *load = arg;
    if (cursor_left(&load->entries) < ENTRY_WIRE_MIN) {
        return RUMOR_PACKET_FULL;
    }
    struct entry e = courier_entry(load->s, r->subject, r->kind, &r->by);
    return load_entry(load, &e) ? RUMOR_TAKEN : RUMOR_SKIPPED;
}

/* What the receiver must hear whether or not it is news to others. */
static void load_first(struct load *load, bool is_long)
{
    const struct swim *s = load->s;
    const struct member *to = load->to;
    static const struct uuid nil = {{0}};
    if (to != NULL && to->state != MEMBER_ALIVE && !roster_is_ghost(to)) {
        const enum entry_kind kind = to->state == MEMBER_SUSPECT ? ENTRY_SUSPECT
                                     : to->state == MEMBER_DEAD  ? ENTRY_DEAD
                                                                 : ENTRY_LEFT;
        struct entry e = courier_entry(s, to, kind, to->probe != NULL ? &to->probe->by : &nil);
        (void)load_entry(load, &e);
    }
    if (is_long && !load->is_knock) {
        struct entry e = courier_entry(
            s, s->self, s->self->state == MEMBER_LEFT ? ENTRY_LEFT : ENTRY_ALIVE, &nil);
        (void)load_entry(load, &e);
    }
}

static size_t compose(struct load *load, struct packet *p, uint8_t data[DATAGRAM_BYTES_MAX])
{
    struct swim *s = load->s;
    const struct member *to = load->to;
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    p->is_long = to == NULL || !to->knows_us || p->kind == PACKET_WRONG || p->kind == PACKET_PULL ||
                 p->kind == PACKET_CARDS;
    p->knows_you = to != NULL && roster_find_tag(&s->roster, to->tag) == to;
    p->tag = s->self->tag;
    p->counter = ++s->counter;
    p->cluster = s->cluster;
    p->uuid = s->self->card.uuid;
    p->boot = s->self->card.boot;
    if (p->entries == NULL) {
        load->entries = cursor_writer(entries, sizeof(entries));
        load_first(load, p->is_long);
        rumor_offer(&s->rumors, rumor_sends(roster_live_count(&s->roster)), offer, load);
        p->entries = entries;
        p->entries_len = load->entries.pos;
    }
    struct cursor c = cursor_writer(data, DATAGRAM_BYTES_MAX);
    packet_write(&c, p);
    ASSERT(cursor_ok(&c));
    p->entries = NULL; /* so that the packet can be sent once more, another way */
    p->entries_len = 0;
    return c.pos;
}

void courier_send_at(struct swim *s, struct member *to, const struct addr *addr, struct packet *p)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    /* A node that has company knocks every half minute on doors behind which nobody lives. */
    const bool is_knock = to == NULL && p->kind == PACKET_PING && roster_live_count(&s->roster) > 1;
    struct load load = {.s = s, .to = to, .addr = addr, .is_knock = is_knock};
    const size_t len = compose(&load, p, data);
    if (outbox_datagram(s->outbox, addr, data, len)) {
        s->counters->datagrams_out++;
    } else {
        s->counters->datagrams_dropped++;
    }
}

void courier_send_by_link(struct swim *s, struct member *to, struct packet *p)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct load load = {.s = s, .to = to};
    ASSERT(to->link != 0);
    const struct swim_event event = {
        .kind = SWIM_PACKET_BY_LINK,
        .member = to,
        .len = compose(&load, p, data),
        .data = data,
    };
    (void)eventq_put(&s->events, &event);
}

void courier_send(struct swim *s, struct member *to, struct packet *p)
{
    struct addr addr;
    const bool passes = to->probe == NULL || to->probe->datagram_misses < COURIER_MISSES_MAX;
    if (to->link != 0 && !passes) {
        courier_send_by_link(s, to, p);
    } else if (roster_addr_of(&s->roster, to, 0, &addr)) {
        courier_send_at(s, to, &addr, p);
    } else if (to->link != 0) {
        courier_send_by_link(s, to, p);
    }
}

void courier_reply(struct swim *s, struct member *to, const struct addr *from, struct packet *p)
{
    if (from != NULL) {
        courier_send_at(s, to, from, p);
    } else if (to != NULL && to->link != 0) {
        courier_send_by_link(s, to, p);
    }
}

struct packet courier_ping(struct swim *s, uint32_t seq, uint32_t target_tag)
{
    struct packet p = {
        .kind = PACKET_PING,
        .seq = seq,
        .target_tag = target_tag,
        .member_digest = s->roster.digest,
    };
    s->vitals(s->vitals_arg, 0, s->now_us, &p.vitals);
    return p;
}
