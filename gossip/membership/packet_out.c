#include "gossip/membership/packet_out.h"

#include "core/base/assert.h"
#include "gossip/membership/replaced.h"

#include <string.h>

enum {
    LISTENER_DRAWS = 64, /* finds one of 30 links among 1,000 members five times in six */
    PROVEN_DRAWS = 8,    /* then one of those that proved themselves lately will do */
    KNOCKS_MAX = 32,     /* in KNOCKS_PERIOD_US */
    KNOCKS_PERIOD_US = 100000,
    /* Bytes on the wire: headers of IP, a ping to a named member with UDP's header, and the SYNs of
     * a dial of a link, which the kernel tries twice. */
    IP4_HEAD_BYTES = 20,
    IP6_HEAD_BYTES = 40,
    UDP_HEAD_BYTES = 8,
    KNOCK_BYTES = UDP_HEAD_BYTES + PACKET_LONG_BYTES + PACKET_BODY_MAX,
    SYN_BYTES = 40, /* with options */
    DIAL_TRIES = 2,
    /* At most this is kept for later: the worth of a dozen datagrams, for a burst of them, for as
     * long as their probes go on. */
    PAID_BYTES_MAX = 16384,
    PAID_KEPT_US = 3000000,
    DIALS_MAX = 4, /* in DIALS_PERIOD_US */
    DIALS_PERIOD_US = 1000000,
};

/* A packet's entries under construction. */
struct load {
    struct swim *s;
    const struct member *to;
    const struct addr *addr;
    const struct packet_out_asked *asked; /* NULL when it answers nothing */
    struct cursor entries;
};

static enum card_audience audience_of(const struct member *m, const struct member *to,
                                      const struct addr *addr)
{
    const bool is_known = to != NULL && !to->is_ghost;
    const bool is_near =
        is_known ? to->host_tag == m->host_tag : addr != NULL && addr_is_loopback(addr);
    return is_near ? CARD_SAME_HOST : is_known ? CARD_OTHER_HOST : CARD_UNKNOWN_HOST;
}

bool packet_out_put_entry(const struct swim *s, struct cursor *c, const struct member *m,
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
        packet_entry_write(c, &e);
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
    return packet_out_put_entry(load->s, &load->entries, m, kind, by, load->to, load->addr);
}

static enum rumor_verdict offer(void *arg, const struct rumor *r)
{
    struct load *load = arg;
    if (cursor_left(&load->entries) < ENTRY_WIRE_MIN) {
        return RUMOR_PACKET_FULL;
    }
    return load_entry(load, r->subject, r->kind, &r->by) ? RUMOR_TAKEN : RUMOR_SKIPPED;
}

bool packet_out_is_proven(const struct member *m, const struct addr *addr)
{
    if (addr == NULL) {
        return true;
    }
    if (m == NULL || !m->is_proven) {
        return false;
    }
    const struct addr last = member_last_addr(m);
    return addr_equal(&last, addr);
}

/* Whether the packet may carry news. A sender that asked for a cookie has answered us with it. */
static bool may_tell(const struct load *load, const struct packet *p)
{
    if (load->asked != NULL) {
        return load->to != NULL || load->asked->room == DATAGRAM_BYTES_MAX;
    }
    return packet_out_is_proven(load->to, load->addr) || (load->to == NULL && p->cookie != 0);
}

static bool is_accused(const struct member *to)
{
    return to != NULL && to->state != MEMBER_ALIVE && to->state != MEMBER_NAMED && !to->is_ghost;
}

/* What the receiver must hear, news to others or not. */
static void load_first(struct load *load, bool may_introduce)
{
    const struct swim *s = load->s;
    const struct member *to = load->to;
    if (to != NULL && is_accused(to)) {
        const enum entry_kind kind = to->state == MEMBER_SUSPECT ? ENTRY_SUSPECT
                                     : to->state == MEMBER_DEAD  ? ENTRY_DEAD
                                                                 : ENTRY_LEFT;
        (void)load_entry(load, to, kind, to->probe != NULL ? &to->probe->by : NULL);
    }
    /* A node that has left says so to everybody who asks: nobody else is believed about it. */
    if (may_introduce || s->self->state == MEMBER_LEFT) {
        (void)load_entry(load, s->self, s->self->state == MEMBER_LEFT ? ENTRY_LEFT : ENTRY_ALIVE,
                         NULL);
    }
}

bool packet_out_is_known_to(const struct swim *s, const struct member *to)
{
    return to->state != MEMBER_NAMED &&
           (to->has_said ? to->knows_us : s->agreed == s->self->incarnation);
}

/* Whether a short header will do. A member that asks us says whether it has our card, which it may
 * want anew. Somebody unknown that sends a short header takes us for somebody it knows. */
static bool knows_us(const struct load *load, const struct packet *p)
{
    if (load->asked == NULL) {
        return load->to != NULL && packet_out_is_known_to(load->s, load->to);
    }
    const struct packet *asked = load->asked->packet;
    const bool is_little = load->to == NULL || p->kind == PACKET_COOKIE;
    return asked->knows_you || (is_little && !asked->is_long);
}

/* Whether lately no datagram has come from anybody though this node has pinged: datagrams hardly
 * pass here at all. */
static bool is_unheard(const struct swim *s)
{
    return s->misses >= PACKET_OUT_MISSES_MAX;
}

/* A rumour is sent so often and no more, so it is not wasted on receivers that will hardly hear it.
 * Requests for tables carry none either: when many pull, the pages bring it sooner. */
static bool takes_rumors(const struct load *load, const struct packet *p)
{
    const bool is_hardly_heard =
        load->addr != NULL && load->to != NULL && load->s->has_listener && is_unheard(load->s);
    return p->kind != PACKET_PULL && !is_hardly_heard;
}

/* Most that are accused know that we receive, and answer by their card whatever comes: of a probe's
 * pings each second one pays for it, and every other. */
static bool pays_for_card(const struct member *to)
{
    const struct swim_probe_state *st = to->probe;
    return st == NULL || !st->is_open || st->ping_count % 2 == 1;
}

/* Whether this node says that it needs no card of the receiver. It wants the own card of a member
 * that others accuse, or of which it does not believe others' cards. */
static bool has_card_of(const struct swim *s, const struct member *to)
{
    return to != NULL && to->state == MEMBER_ALIVE &&
           (to->probe == NULL || !to->probe->is_card_wanted) &&
           roster_find_tag(&s->roster, to->tag) == to;
}

/* The receiver's cookie, where it may ask for one before it answers; 0 elsewhere. */
static uint64_t cookie_for(const struct load *load, const struct packet *p)
{
    const struct member *to = load->to;
    const bool may_ask =
        (p->is_long || !p->knows_you) && (p->kind == PACKET_PING || p->kind == PACKET_PULL);
    return load->addr != NULL && to != NULL && to->probe != NULL && may_ask ? to->probe->cookie : 0;
}

/* What the packet weighs at least, to pay for what it has others send. Over a link everybody is
 * proven, and need not pay. */
static size_t paid_bytes(const struct load *load, const struct packet *p)
{
    if (load->addr == NULL) {
        return 0;
    }
    if (p->kind == PACKET_INTRO) {
        return PACKET_INTRO_BYTES;
    }
    if (p->kind == PACKET_PING_REQ) {
        /* Its own tag of AES-GCM comes besides, and there are two in what it has others send. */
        return PACKET_RELAY_BYTES + sealing_tag_bytes(&load->s->sealing);
    }
    const bool pays =
        p->kind == PACKET_PING && is_accused(load->to) && !p->is_bare && pays_for_card(load->to);
    return pays ? PACKET_ACCUSE_BYTES : 0;
}

/* Those by which strangers come to know us, or which somebody unknown answers. */
static bool needs_long(enum packet_kind kind)
{
    return kind == PACKET_WRONG || kind == PACKET_PULL || kind == PACKET_CARDS ||
           kind == PACKET_INTRO || kind == PACKET_INTRO_ACK || kind == PACKET_UNREAD;
}

/* Under which key it goes: 0 for `open`, and by a link. Who is unknown gets its own key in answer.
 * To a candidate the key is the caller's. */
static uint16_t key_of(const struct load *load, const struct packet *p)
{
    if (load->addr == NULL || load->s->sealing.state == SEALING_OPEN) {
        return KEYRING_ID_OPEN;
    }
    if (load->to != NULL) {
        return sealing_key_to(&load->s->sealing, load->to);
    }
    return load->asked != NULL ? load->asked->packet->key_id : p->key_id;
}

static void fill_header(struct load *load, struct packet *p)
{
    struct swim *s = load->s;
    const struct member *to = load->to;
    p->key_id = key_of(load, p);
    /* Who has forgotten our tag opens nothing with a short header, and cannot say so. A retry has
     * the long one, so that it is not taken for dead. */
    const bool is_in_vain = p->is_retry && p->key_id != KEYRING_ID_OPEN;
    p->is_long = !knows_us(load, p) || needs_long(p->kind) || is_in_vain;
    p->knows_you = has_card_of(s, to);
    p->version = to != NULL ? member_version(to) : PROTOCOL_VERSION_MIN;
    p->tag = s->self->tag;
    p->counter = ++s->counter;
    p->cluster = s->cluster;
    p->uuid = s->self->uuid;
    p->boot = s->self->boot;
    if (p->kind != PACKET_COOKIE && p->kind != PACKET_INTRO_ACK &&
        (to != NULL || load->addr == NULL)) {
        p->cookie = cookie_for(load, p);
    }
    p->size_min = paid_bytes(load, p);
}

static size_t bytes_without_entries(const struct packet *p)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor c = cursor_writer(data, sizeof(data));
    packet_write(&c, p);
    ASSERT(cursor_ok(&c));
    return c.pos;
}

static void load_entries(struct load *load, const struct packet *p, uint8_t *entries, size_t size)
{
    struct swim *s = load->s;
    const bool is_open = may_tell(load, p);
    load->entries = cursor_writer(entries, size);
    load_first(load, p->is_long && is_open);
    if (is_open && takes_rumors(load, p)) {
        rumor_offer(&s->rumors, rumor_sends(roster_live_count(&s->roster)), offer, load);
    }
}

/* Not those that go to strangers, or come from one. */
static bool may_have_entries(const struct packet *p)
{
    return !p->is_bare && p->kind != PACKET_COOKIE && p->kind != PACKET_INTRO &&
           p->kind != PACKET_INTRO_ACK && p->kind != PACKET_UNREAD;
}

/* Returns how many bytes it has, 0 when it does not fit into an answer. */
static size_t compose(struct load *load, struct packet *p, uint8_t data[DATAGRAM_BYTES_MAX])
{
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    size_t size = packet_out_entries_max(load->s) - (size_t)p->count * PULL_SUM_BYTES;
    fill_header(load, p);
    if (load->asked != NULL && load->asked->room < DATAGRAM_BYTES_MAX) {
        const size_t tag = p->key_id != KEYRING_ID_OPEN ? SEAL_TAG_BYTES : 0;
        const size_t bare = bytes_without_entries(p) + tag + SECTION_HEAD_BYTES;
        if (bare - SECTION_HEAD_BYTES > load->asked->room) {
            return 0;
        }
        const size_t left = load->asked->room > bare ? load->asked->room - bare : 0;
        size = left < size ? left : size;
    }
    if (p->entries == NULL && may_have_entries(p)) {
        load_entries(load, p, entries, size);
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

size_t packet_out_entries_max(const struct swim *s)
{
    return DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX - sealing_tag_bytes(&s->sealing);
}

/* For whom it is sealed; NULL: for whoever is there. */
static const struct uuid *receiver_of(const struct load *load, const struct packet *p)
{
    if (packet_is_for_anybody(p->kind)) {
        return NULL;
    }
    return load->to != NULL      ? &load->to->uuid
           : load->asked != NULL ? &load->asked->packet->uuid
                                 : &p->to;
}

/* False when it did not go. */
static bool send(struct load *load, struct packet *p)
{
    struct swim *s = load->s;
    uint8_t data[DATAGRAM_BYTES_MAX];
    size_t len = compose(load, p, data);
    if (len == 0) {
        s->counters->answers_withheld++;
        return false;
    }
    if (p->key_id != KEYRING_ID_OPEN) {
        len = sealing_seal(&s->sealing, receiver_of(load, p), data, len, s->now_us);
        if (len == 0) {
            s->counters->datagrams_dropped++;
            return false;
        }
        p->mark = packet_mark(data, len);
    }
    const bool is_sent = outbox_datagram(s->outbox, load->addr, data, len);
    s->counters->datagrams_out += is_sent;
    s->counters->datagrams_dropped += !is_sent;
    return is_sent;
}

void packet_out_send_at(struct swim *s, struct member *to, const struct addr *addr,
                        struct packet *p)
{
    struct load load = {.s = s, .to = to, .addr = addr};
    (void)send(&load, p);
}

void packet_out_send_by_link(struct swim *s, struct member *to, struct packet *p)
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

bool packet_out_reaches(const struct member *m)
{
    return m->is_proven || (m->link != 0 && m->has_answered);
}

void packet_out_proved(struct swim *s, struct member *m, const struct addr *addr)
{
    const struct addr before = member_last_addr(m);
    const bool is_new = !m->is_proven || !addr_equal(&before, addr);
    roster_set_last_addr(&s->roster, m, addr);
    m->is_proven = true;
    quiet_answered(&s->quiet, addr);
    if (is_new) {
        replaced_by(s, m);
    }
    s->proven[s->proven_count++ % PROVEN_KEPT] = m->slot;
}

/* Whether this is among the first `most` of a period; the last one began at *since_us. */
static bool is_of_first(const struct swim *s, uint64_t *since_us, uint64_t period_us,
                        uint32_t *count, uint32_t most)
{
    if (s->now_us - *since_us >= period_us) {
        *since_us = s->now_us;
        *count = 0;
    }
    return ++*count <= most;
}

static uint32_t bytes_paid(const struct swim *s)
{
    return s->now_us - s->paid_us < PAID_KEPT_US ? s->paid_bytes : 0;
}

static uint32_t ip_head_bytes(const struct addr *addr)
{
    return addr_is_v4(addr) ? IP4_HEAD_BYTES : IP6_HEAD_BYTES;
}

/* Of whichever of the member's addresses it will be: of the longest. Only members that are named
 * are asked about, of which there are few, and each is pinged a few times before it is forgotten.
 * So nothing is kept for the next time. */
static uint32_t ip_head_bytes_to(const struct swim *s, const struct member *m)
{
    struct addr addrs[MEMBER_USABLE_MAX];
    const uint32_t count = member_addrs(m, s->roster.host_tag, addrs);
    uint32_t bytes = IP4_HEAD_BYTES;
    for (uint32_t i = 0; i < count && bytes == IP4_HEAD_BYTES; i++) {
        bytes = ip_head_bytes(&addrs[i]);
    }
    return bytes;
}

void packet_out_paid(struct swim *s, const struct addr *from, size_t len)
{
    const size_t paid = bytes_paid(s) + ip_head_bytes(from) + UDP_HEAD_BYTES + len;
    s->paid_bytes = (uint32_t)(paid < PAID_BYTES_MAX ? paid : PAID_BYTES_MAX);
    s->paid_us = s->now_us;
}

bool packet_out_knock(struct swim *s, struct member *m, const struct addr *addr, struct packet *p)
{
    struct load load = {.s = s, .to = m, .addr = addr};
    if (m->is_proven) {
        return send(&load, p);
    }
    const bool is_named = m->state == MEMBER_NAMED;
    const uint32_t tag = (uint32_t)sealing_tag_bytes(&s->sealing);
    const uint32_t cost = is_named ? ip_head_bytes_to(s, m) + KNOCK_BYTES + tag : 0;
    if (bytes_paid(s) < cost || (!is_named && !quiet_may_ping(&s->quiet, addr, s->now_us)) ||
        !is_of_first(s, &s->knocks_us, KNOCKS_PERIOD_US, &s->knocks, KNOCKS_MAX) ||
        !send(&load, p)) {
        return false;
    }
    s->paid_bytes -= cost;
    if (!is_named) {
        quiet_pinged(&s->quiet, addr, s->now_us);
    }
    return true;
}

bool packet_out_may_dial(struct swim *s, const struct member *m)
{
    if (m->state != MEMBER_NAMED) {
        return true;
    }
    const uint32_t cost = DIAL_TRIES * (ip_head_bytes_to(s, m) + SYN_BYTES);
    if (bytes_paid(s) < cost ||
        !is_of_first(s, &s->dial_us, DIALS_PERIOD_US, &s->dial_count, DIALS_MAX)) {
        return false;
    }
    s->paid_bytes -= cost;
    return true;
}

/* One of those that proved themselves last. In a large cluster each pings each only once in many
 * minutes, so for a while few have proved themselves. They are enough for news to reach all. NULL
 * when the draw finds nobody. */
static struct member *proven_lately(struct swim *s)
{
    const uint32_t kept = s->proven_count < PROVEN_KEPT ? s->proven_count : PROVEN_KEPT;
    struct member *to =
        kept > 0 ? roster_at(&s->roster, s->proven[rng_below(&s->rng, kept)]) : NULL;
    const bool is_fit = to != NULL && !to->is_self && member_is_live(to) && packet_out_reaches(to);
    return is_fit ? to : NULL;
}

struct member *packet_out_listener(struct swim *s)
{
    struct member *to = roster_random(&s->roster, &s->rng);
    for (uint32_t i = 1; i < LISTENER_DRAWS && to != NULL && to->link == 0 && is_unheard(s); i++) {
        to = roster_random(&s->roster, &s->rng);
    }
    s->has_listener = to != NULL && to->link != 0;
    for (uint32_t i = 0; i < PROVEN_DRAWS && to != NULL && !packet_out_reaches(to); i++) {
        to = i + 1 < PROVEN_DRAWS / 2 ? roster_random(&s->roster, &s->rng) : proven_lately(s);
        to = to == NULL ? s->self : to;
    }
    return to != NULL && packet_out_reaches(to) ? to : NULL;
}

bool packet_out_passes(const struct swim *s, const struct member *to)
{
    return to->is_udp_heard && to->misses < PACKET_OUT_MISSES_MAX && !is_unheard(s);
}

void packet_out_send(struct swim *s, struct member *to, struct packet *p)
{
    struct addr addr;
    const bool is_news = p->kind == PACKET_GOSSIP || p->kind == PACKET_PULL;
    if (to->link != 0 && (!packet_out_passes(s, to) || (is_news && !to->is_proven))) {
        packet_out_send_by_link(s, to, p);
    } else if (is_news && !to->is_proven) {
        return; /* it has yet to prove that it receives */
    } else if (roster_addr_of(&s->roster, to, 0, &addr)) {
        packet_out_send_at(s, to, &addr, p);
    } else if (to->link != 0) {
        packet_out_send_by_link(s, to, p);
    }
}

void packet_out_send_twice(struct swim *s, struct member *to, struct packet *p)
{
    struct addr addr;
    if (roster_addr_of(&s->roster, to, 0, &addr)) {
        packet_out_send_at(s, to, &addr, p);
    }
    if (to->link != 0) {
        packet_out_send_by_link(s, to, p);
    }
}

void packet_out_reply(struct swim *s, const struct packet_out_asked *asked, struct packet *p)
{
    struct load load = {.s = s, .to = asked->to, .addr = asked->from, .asked = asked};
    if (asked->from != NULL) {
        (void)send(&load, p);
    } else if (asked->to != NULL && asked->to->link != 0) {
        packet_out_send_by_link(s, asked->to, p);
    }
}

void packet_out_reply_cookie(struct swim *s, const struct packet_out_asked *asked)
{
    const struct packet *p = asked->packet;
    struct packet reply = {
        .kind = PACKET_COOKIE,
        .seq = p->seq,
        .cookie = cookie_of(s->secret, asked->from, s->now_us),
    };
    s->counters->cookies_sent++;
    packet_out_reply(s, asked, &reply);
}

void packet_out_ask(struct swim *s, const struct candidate_ask *ask)
{
    const struct keyring *ring = &s->sealing.ring;
    struct load load = {.s = s, .addr = &ask->addr};
    struct packet p = {.kind = PACKET_INTRO, .seq = ask->seq, .nonce = ask->nonce};
    const uint16_t next = ring->keys[ask->number % ring->count].id;
    /* Its key may have left the ring since the cookie came, or `open` have. */
    const bool has_cookie = ask->cookie != 0 && keyring_find(ring, ask->key_id) != NULL;
    const uint16_t key_id = has_cookie ? ask->key_id : next;
    if (has_cookie || next == KEYRING_ID_OPEN) {
        p = packet_out_ping(s, ask->seq, 0);
        p.cookie = has_cookie ? ask->cookie : 0;
        p.to = ask->uuid;
    }
    p.key_id = key_id;
    (void)send(&load, &p);
}

struct packet packet_out_ping(struct swim *s, uint32_t seq, uint32_t target_tag)
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
