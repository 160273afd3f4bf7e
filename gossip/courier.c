#include "gossip/courier.h"

#include "core/assert.h"

#include <string.h>

enum {
    LISTENER_DRAWS = 64, /* finds one of 30 links among 1,000 members five times in six */
};

/* A packet's entries under construction. */
struct load {
    struct swim *s;
    const struct member *to;
    const struct addr *addr;
    struct cursor entries;
    bool is_knock; /* asks whether anybody is there; who answers is introduced to us after that */
};

static enum card_audience audience_of(const struct member *m, const struct member *to,
                                      const struct addr *addr)
{
    const bool is_known = to != NULL && !to->is_ghost;
    const bool is_near =
        is_known ? to->host_tag == m->host_tag : addr != NULL && addr_is_loopback(addr);
    return is_near ? CARD_SAME_HOST : is_known ? CARD_OTHER_HOST : CARD_UNKNOWN_HOST;
}

bool courier_put_entry(const struct swim *s, struct cursor *c, const struct member *m,
                       enum entry_kind kind, const struct uuid *by, const struct member *to,
                       const struct addr *addr)
{
    const struct cursor before = *c;
    if (kind == ENTRY_ALIVE) {
        cursor_put_u8(c, ENTRY_ALIVE);
        member_write_card(c, m, audience_of(m, to, addr));
    } else {
        const struct entry e = {
            .kind = kind,
            .uuid = m->uuid,
            .incarnation = m->incarnation,
            .by = by != NULL ? *by : (struct uuid){{0}},
            .state = (enum member_state)m->state,
            .age = (uint32_t)((s->now_us - m->state_since_us) / ENTRY_AGE_US),
        };
        entry_write(c, &e);
    }
    if (!cursor_ok(c)) {
        *c = before;
        return false;
    }
    return true;
}

static bool load_entry(struct load *load, const struct member *m, enum entry_kind kind,
                       const struct uuid *by)
{
    return courier_put_entry(load->s, &load->entries, m, kind, by, load->to, load->addr);
}

static enum rumor_verdict offer(void *arg, const struct rumor *r)
{
    struct load *load = arg;
    if (cursor_left(&load->entries) < ENTRY_WIRE_MIN) {
        return RUMOR_PACKET_FULL;
    }
    return load_entry(load, r->subject, r->kind, &r->by) ? RUMOR_TAKEN : RUMOR_SKIPPED;
}

/* What the receiver must hear whether or not it is news to others. */
static void load_first(struct load *load, bool is_long)
{
    const struct swim *s = load->s;
    const struct member *to = load->to;
    if (to != NULL && to->state != MEMBER_ALIVE && to->state != MEMBER_NAMED && !to->is_ghost) {
        const enum entry_kind kind = to->state == MEMBER_SUSPECT ? ENTRY_SUSPECT
                                     : to->state == MEMBER_DEAD  ? ENTRY_DEAD
                                                                 : ENTRY_LEFT;
        (void)load_entry(load, to, kind, to->probe != NULL ? &to->probe->by : NULL);
    }
    /* Who has left says so to whoever asks: nobody else is believed. */
    if ((is_long && !load->is_knock) || s->self->state == MEMBER_LEFT) {
        (void)load_entry(load, s->self, s->self->state == MEMBER_LEFT ? ENTRY_LEFT : ENTRY_ALIVE,
                         NULL);
    }
}

/* Whether a short header will do. One that we never heard from is taken to know us when somebody's
 * whole view equalled ours since our card last changed: in a large cluster every ping for many
 * minutes is the first to its receiver. Who does not know us after all says so in its answer. */
static bool knows_us(const struct swim *s, const struct member *to)
{
    return to != NULL && to->state != MEMBER_NAMED &&
           (to->has_said ? to->knows_us : s->agreed == s->self->incarnation);
}

/* A rumour is told so often and no more: not to those who will hardly hear it. Nor by requests for
 * tables: when many pull, the pages bring it sooner. */
static bool takes_rumors(const struct load *load, const struct packet *p)
{
    const bool is_hardly_heard = load->addr != NULL && load->to != NULL && load->s->has_listener &&
                                 courier_is_unheard(load->s);
    return p->kind != PACKET_PULL && !is_hardly_heard;
}

static size_t compose(struct load *load, struct packet *p, uint8_t data[DATAGRAM_BYTES_MAX])
{
    struct swim *s = load->s;
    const struct member *to = load->to;
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    p->is_long = !knows_us(s, to) || p->kind == PACKET_WRONG || p->kind == PACKET_PULL ||
                 p->kind == PACKET_CARDS;
    /* The own card is wanted of whom something is held against, or whose others' cards are not
     * believed. */
    p->knows_you = to != NULL && to->state == MEMBER_ALIVE &&
                   (to->probe == NULL || !to->probe->is_card_wanted) &&
                   roster_find_tag(&s->roster, to->tag) == to;
    p->version = to != NULL ? member_version(to) : PROTOCOL_VERSION_MIN;
    p->tag = s->self->tag;
    p->counter = ++s->counter;
    p->cluster = s->cluster;
    p->uuid = s->self->uuid;
    p->boot = s->self->boot;
    if (p->entries == NULL) {
        load->entries = cursor_writer(entries, sizeof(entries) - (size_t)p->count * PULL_SUM_BYTES);
        load_first(load, p->is_long);
        if (takes_rumors(load, p)) {
            rumor_offer(&s->rumors, rumor_sends(roster_live_count(&s->roster)), offer, load);
        }
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

bool courier_is_unheard(const struct swim *s)
{
    return s->misses >= COURIER_MISSES_MAX;
}

struct member *courier_listener(struct swim *s)
{
    struct member *to = roster_random(&s->roster, &s->rng);
    for (uint32_t i = 1; i < LISTENER_DRAWS && to != NULL && to->link == 0 && courier_is_unheard(s);
         i++) {
        to = roster_random(&s->roster, &s->rng);
    }
    s->has_listener = to != NULL && to->link != 0;
    return to;
}

bool courier_passes(const struct swim *s, const struct member *to)
{
    return to->is_udp_heard && to->misses < COURIER_MISSES_MAX && !courier_is_unheard(s);
}

void courier_send(struct swim *s, struct member *to, struct packet *p)
{
    struct addr addr;
    if (to->link != 0 && !courier_passes(s, to)) {
        courier_send_by_link(s, to, p);
    } else if (roster_addr_of(&s->roster, to, 0, &addr)) {
        courier_send_at(s, to, &addr, p);
    } else if (to->link != 0) {
        courier_send_by_link(s, to, p);
    }
}

void courier_send_twice(struct swim *s, struct member *to, struct packet *p)
{
    struct addr addr;
    if (roster_addr_of(&s->roster, to, 0, &addr)) {
        courier_send_at(s, to, &addr, p);
    }
    if (to->link != 0) {
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
