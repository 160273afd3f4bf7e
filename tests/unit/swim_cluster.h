/*
 * swim_cluster: N swims and the network between them, on virtual time. Stories in test_swim.c use
 * its vocabulary. Everything is seeded; nothing sleeps.
 *
 * Nodes are at 127.0.0.1:9000+i of one host, or, when asked for, at 10.0.0.1+i of a host each.
 * Links, when on, are two-way, reliable, and end when a process does.
 */
#ifndef TESTS_SWIM_CLUSTER_H
#define TESTS_SWIM_CLUSTER_H

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "gossip/membership/swim.h"
#include "tests/unit/rings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 128, MS = 1000, SECOND = 1000000 };

struct flight {
    uint64_t at_us;
    uint64_t order;
    uint32_t to;
    uint32_t from_link; /* index plus 1 of the sender when by link */
    bool is_refusal;
    struct addr addr; /* the sender's, or who refused */
    size_t len;
    uint8_t data[DATAGRAM_BYTES_MAX];
};

struct node {
    struct swim *swim;
    struct outbox *outbox;
    struct engine_counters counters;
    struct uuid uuid;
    struct addr addr;
    bool is_up;
    uint64_t paused_until_us;
    uint64_t bytes_out; /* with IP and UDP headers */
    uint32_t vitals_seen, strangers, versions, keys_unknown, names_twice, dials, refuted;
    uint32_t rtt_last_us;
    uint64_t vitals_root;
};

struct cluster {
    struct node nodes[NODES_MAX];
    uint32_t count;
    uint64_t now_us;
    struct rng rng;
    uint32_t loss_percent;
    uint32_t delay_us;
    bool has_refusals; /* a port without a process refuses */
    bool has_links;
    bool is_many_hosts;
    uint16_t features;           /* of those that start */
    const struct seal_ops *seal; /* likewise; NULL: without keys */
    const char *ring;            /* likewise, as rings.h has it; NULL: open */
    /* Told of each datagram that is about to fly; false drops it. NULL: nobody is. */
    bool (*on_datagram)(struct cluster *c, uint32_t from, const struct flight *f);
    bool udp_cut[NODES_MAX][NODES_MAX]; /* from, to */
    bool tcp_cut[NODES_MAX][NODES_MAX];
    bool udp_refused[NODES_MAX][NODES_MAX]; /* a firewall refuses instead of dropping */
    struct flight **flights;                /* heap by (at_us, order) */
    uint32_t flight_count, flight_size;
    uint64_t flight_order;
    uint64_t bytes_elsewhere; /* sent where no node is */
    uint32_t datagrams_elsewhere;
    uint64_t bytes_by_link;
    uint32_t dials_elsewhere; /* links wanted to members that are no nodes */
    uint32_t false_deaths;
    uint32_t steps;
};

static inline void vitals_of(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals)
{
    const struct node *n = arg;
    *ret_vitals = (struct vitals){
        .flags = MEMBER_HAS_CLOCK | MEMBER_IS_CAUGHT_UP,
        .clock_us = now_us,
        .cut_s = cut_s != 0 ? cut_s : now_us / SECOND,
        .root = n->vitals_root,
    };
}

static inline struct cluster *cluster_new(uint64_t seed)
{
    struct cluster *c = mem_new(1, sizeof(*c));
    rng_init(&c->rng, seed);
    c->now_us = 1000 * (uint64_t)SECOND;
    c->delay_us = 200;
    c->has_refusals = true;
    return c;
}

static inline struct addr node_addr(const struct cluster *c, uint32_t place)
{
    const uint8_t near[4] = {127, 0, 0, 1};
    const uint8_t far[4] = {10, 0, 0, (uint8_t)(1 + place)};
    return c->is_many_hosts ? addr_v4(far, 8081) : addr_v4(near, (uint16_t)(9000 + place));
}

static inline void set_ring(struct cluster *c, uint32_t at, const char *letters)
{
    const struct keyring_items items = rings_items(letters);
    assert_int_equal(swim_set_keys(c->nodes[at].swim, &items, c->now_us), RC_OK);
}

/* Starts a process at a place; returns its number. */
static inline uint32_t cluster_start_at(struct cluster *c, uint32_t place, const char *network,
                                        const char *name)
{
    assert_true(c->count < NODES_MAX);
    const uint32_t i = c->count++;
    struct node *n = &c->nodes[i];
    struct swim_config config = {
        .seed = rng_next(&c->rng),
        .counters = &n->counters,
        .vitals = vitals_of,
        .vitals_arg = n,
        .seal = c->seal,
        .self = {.boot = 1,
                 .incarnation = 1,
                 .host_tag = UINT64_MAX - (c->is_many_hosts ? 100 + place : 7),
                 .version_min = PROTOCOL_VERSION_MIN,
                 .version_max = PROTOCOL_VERSION_MAX,
                 .features = c->features},
    };
    memcpy(config.secret, &config.seed, sizeof(config.seed));
    for (uint32_t b = 0; b < UUID_BYTES; b++) {
        config.self.uuid.bytes[b] = (uint8_t)rng_next(&c->rng);
    }
    (void)snprintf(config.network, sizeof(config.network), "%s", network);
    (void)snprintf(config.self.name, NAME_SIZE, "%s", name);
    (void)snprintf(config.self.enclave, NAME_SIZE, "default");
    config.self.addr_count = 1;
    n->addr = node_addr(c, place);
    config.self.addrs[0] = (struct member_addr){.scope = SCOPE_HOST, .addr = n->addr};
    if (c->is_many_hosts) {
        const uint8_t loopback[4] = {127, 0, 0, 1};
        config.self.addrs[0].addr = addr_v4(loopback, 8081);
    }
    n->uuid = config.self.uuid;
    n->outbox = outbox_new();
    n->swim = swim_new(&config, n->outbox, c->now_us);
    n->is_up = true;
    if (c->ring != NULL) {
        set_ring(c, i, c->ring);
    }
    return i;
}

static inline uint32_t cluster_start(struct cluster *c)
{
    char name[NAME_SIZE];
    (void)snprintf(name, sizeof(name), "node-%u", c->count);
    return cluster_start_at(c, c->count, "private", name);
}

static inline void cluster_free(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        swim_free(c->nodes[i].swim);
        outbox_free(c->nodes[i].outbox);
    }
    for (uint32_t i = 0; i < c->flight_count; i++) {
        free(c->flights[i]);
    }
    free(c->flights);
    free(c);
}

/* ---- What is under way ---- */

static inline bool is_before(const struct flight *a, const struct flight *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static inline void fly(struct cluster *c, struct flight *f)
{
    if (c->flight_count == c->flight_size) {
        c->flight_size = c->flight_size == 0 ? 64 : 2 * c->flight_size;
        c->flights = mem_resize(c->flights, c->flight_size, sizeof(struct flight *));
    }
    f->order = c->flight_order++;
    uint32_t at = c->flight_count++;
    while (at > 0 && is_before(f, c->flights[(at - 1) / 2])) {
        c->flights[at] = c->flights[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    c->flights[at] = f;
}

static inline struct flight *land(struct cluster *c)
{
    struct flight *first = c->flights[0];
    struct flight *last = c->flights[--c->flight_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= c->flight_count) {
            break;
        }
        child += child + 1 < c->flight_count && is_before(c->flights[child + 1], c->flights[child]);
        if (!is_before(c->flights[child], last)) {
            break;
        }
        c->flights[at] = c->flights[child];
        at = child;
    }
    c->flights[at] = last;
    return first;
}

/* The running process at an address; NODES_MAX when there is none. */
static inline uint32_t node_at(const struct cluster *c, const struct addr *addr)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (c->nodes[i].is_up && addr_equal(&c->nodes[i].addr, addr)) {
            return i;
        }
    }
    return NODES_MAX;
}

static inline uint64_t arrival(struct cluster *c)
{
    return c->now_us + c->delay_us / 2 + rng_below(&c->rng, c->delay_us + 1);
}

static inline void send_datagram(struct cluster *c, uint32_t from, const struct action *a)
{
    struct node *n = &c->nodes[from];
    n->bytes_out += a->len + 28;
    const uint32_t to = node_at(c, &a->addr);
    c->bytes_elsewhere += to == NODES_MAX ? a->len : 0;
    c->datagrams_elsewhere += to == NODES_MAX;
    if (to == NODES_MAX && !c->has_refusals) {
        return;
    }
    if (to != NODES_MAX && (c->udp_cut[from][to] || rng_below(&c->rng, 100) < c->loss_percent)) {
        return;
    }
    struct flight *f = mem_new(1, sizeof(*f));
    f->at_us = arrival(c);
    f->is_refusal = to == NODES_MAX || c->udp_refused[from][to];
    f->to = f->is_refusal ? from : to;
    f->addr = f->is_refusal ? a->addr : n->addr;
    f->len = a->len;
    memcpy(f->data, a->data, a->len);
    if (!f->is_refusal && c->on_datagram != NULL && !c->on_datagram(c, from, f)) {
        free(f);
        return;
    }
    fly(c, f);
}

static inline void send_by_link(struct cluster *c, uint32_t from, const struct swim_event *event)
{
    const uint32_t to = event->member->link - 1;
    c->bytes_by_link += event->len;
    if (!c->nodes[to].is_up || c->tcp_cut[from][to]) {
        return;
    }
    struct flight *f = mem_new(1, sizeof(*f));
    f->at_us = arrival(c);
    f->to = to;
    f->from_link = from + 1;
    f->len = event->len;
    memcpy(f->data, event->data, event->len);
    fly(c, f);
}

/* ---- Links ---- */

static inline void link_up(struct cluster *c, uint32_t a, uint32_t b, const struct addr *dialed)
{
    struct member *m = NULL;
    struct member_card card;
    member_card(swim_self(c->nodes[b].swim), &card);
    if (swim_meet(c->nodes[a].swim, &card, dialed, c->now_us, &m) != RC_FULL) {
        m->link = b + 1;
    }
    member_card(swim_self(c->nodes[a].swim), &card);
    if (swim_meet(c->nodes[b].swim, &card, NULL, c->now_us, &m) != RC_FULL) {
        m->link = a + 1;
    }
}

static inline void dial(struct cluster *c, uint32_t from, const struct addr *addr)
{
    const uint32_t to = node_at(c, addr);
    if (c->has_links && to != NODES_MAX && to != from && !c->tcp_cut[from][to]) {
        link_up(c, from, to, addr);
    } else {
        swim_candidate_failed(c->nodes[from].swim, addr, c->now_us);
    }
}

static inline struct member *member_of(const struct cluster *c, uint32_t at, uint32_t of)
{
    return swim_find(c->nodes[at].swim, &c->nodes[of].uuid);
}

static inline bool has_died(const struct cluster *c, const struct member *m)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (uuid_equal(&c->nodes[i].uuid, &m->uuid)) {
            return !c->nodes[i].is_up;
        }
    }
    return true;
}

static inline void connect_new(struct cluster *c, uint32_t at, const struct member *m)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (uuid_equal(&c->nodes[i].uuid, &m->uuid) && m->link == 0 && c->nodes[i].is_up &&
            !c->tcp_cut[at][i]) {
            link_up(c, at, i, NULL);
        }
    }
}

/* ---- Steps ---- */

static inline void drain(struct cluster *c, uint32_t at)
{
    struct node *n = &c->nodes[at];
    struct swim_event event;
    while (swim_next_event(n->swim, &event)) {
        n->vitals_seen += event.kind == SWIM_VITALS;
        n->rtt_last_us =
            event.kind == SWIM_VITALS && event.rtt_us > 0 ? event.rtt_us : n->rtt_last_us;
        n->strangers += event.kind == SWIM_STRANGER && event.version == 0;
        n->versions += event.kind == SWIM_STRANGER && event.version != 0;
        n->keys_unknown += event.kind == SWIM_KEY_UNKNOWN;
        n->names_twice += event.kind == SWIM_NAME_TWICE;
        n->refuted += event.kind == SWIM_REFUTED;
        c->dials_elsewhere += event.kind == SWIM_LINK_WANTED && has_died(c, event.member);
        if (event.kind == SWIM_PACKET_BY_LINK) {
            send_by_link(c, at, &event);
        } else if (event.kind == SWIM_CANDIDATE_DIAL) {
            n->dials++;
            dial(c, at, &event.addr);
        } else if (event.kind == SWIM_MEMBER_NEW && c->has_links) {
            connect_new(c, at, event.member);
        } else if (event.kind == SWIM_MEMBER_STATE && event.member->state == MEMBER_DEAD) {
            c->false_deaths += !has_died(c, event.member);
        }
    }
    struct action action;
    while (outbox_next(n->outbox, &action)) {
        assert_int_equal(action.kind, ACTION_DATAGRAM);
        send_datagram(c, at, &action);
    }
    if (c->count <= 16 || ++c->steps % 64 == 0) {
        swim_check(n->swim);
    }
}

static inline void deliver(struct cluster *c, struct flight *f)
{
    struct node *n = &c->nodes[f->to];
    if (n->is_up && n->paused_until_us > c->now_us) {
        f->at_us = n->paused_until_us; /* waits in its socket */
        fly(c, f);
        return;
    }
    if (n->is_up && f->is_refusal) {
        swim_refused(n->swim, &f->addr, c->now_us);
    } else if (n->is_up && f->from_link != 0) {
        struct member *via = member_of(c, f->to, f->from_link - 1);
        if (via != NULL && via->link != 0) {
            swim_heard(n->swim, via, c->now_us);
            swim_packet(n->swim, NULL, via, f->data, f->len, c->now_us);
        }
    } else if (n->is_up) {
        swim_packet(n->swim, &f->addr, NULL, f->data, f->len, c->now_us);
    }
    if (n->is_up) {
        drain(c, f->to);
    }
    free(f);
}

static inline uint64_t deadline_of(const struct node *n)
{
    const uint64_t due_us = swim_deadline(n->swim);
    return due_us > n->paused_until_us ? due_us : n->paused_until_us;
}

static inline void run_until(struct cluster *c, uint64_t end_us)
{
    for (;;) {
        uint32_t first = NODES_MAX;
        uint64_t due_us = end_us + 1;
        for (uint32_t i = 0; i < c->count; i++) {
            if (c->nodes[i].is_up && deadline_of(&c->nodes[i]) < due_us) {
                due_us = deadline_of(&c->nodes[i]);
                first = i;
            }
        }
        if (c->flight_count > 0 && c->flights[0]->at_us <= end_us &&
            c->flights[0]->at_us < due_us) {
            c->now_us = c->flights[0]->at_us > c->now_us ? c->flights[0]->at_us : c->now_us;
            deliver(c, land(c));
        } else if (first != NODES_MAX) {
            c->now_us = due_us > c->now_us ? due_us : c->now_us;
            swim_tick(c->nodes[first].swim, c->now_us, c->now_us);
            drain(c, first);
        } else {
            c->now_us = end_us;
            return;
        }
    }
}

static inline void run_for(struct cluster *c, uint64_t ms)
{
    run_until(c, c->now_us + ms * MS);
}

/* ---- Vocabulary ---- */

static inline void hint(struct cluster *c, uint32_t at, const struct addr *addr)
{
    swim_candidate(c->nodes[at].swim, addr, c->now_us);
    drain(c, at);
}

/* Tells every node of every address, its own included, in an order of its own. */
static inline void hint_all(struct cluster *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t order[NODES_MAX];
        for (uint32_t j = 0; j < c->count; j++) {
            const uint32_t at = (uint32_t)rng_below(&c->rng, j + 1);
            order[j] = order[at];
            order[at] = j;
        }
        for (uint32_t j = 0; c->nodes[i].is_up && j < c->count; j++) {
            hint(c, i, &c->nodes[order[j]].addr);
        }
    }
}

static inline void cut(struct cluster *c, uint32_t a, uint32_t b, bool is_cut)
{
    c->udp_cut[a][b] = c->udp_cut[b][a] = is_cut;
    c->tcp_cut[a][b] = c->tcp_cut[b][a] = is_cut;
}

static inline void kill_node(struct cluster *c, uint32_t at)
{
    c->nodes[at].is_up = false;
    for (uint32_t i = 0; i < c->count; i++) {
        struct member *m = c->nodes[i].is_up ? member_of(c, i, at) : NULL;
        if (m != NULL && m->link != 0) {
            m->link = 0;
            swim_suspect_link(c->nodes[i].swim, m, c->now_us);
            drain(c, i);
        }
    }
}

/* Every running node holds every running one for alive, and nobody else. */
static inline bool is_full(struct cluster *c)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        up += c->nodes[i].is_up;
    }
    uint64_t digest = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct swim *s = c->nodes[i].swim;
        if (!c->nodes[i].is_up) {
            continue;
        }
        digest = digest == 0 ? swim_digest(s) : digest;
        if (swim_counts(s).alive != up - 1 || swim_counts(s).suspect != 0 ||
            swim_digest(s) != digest) {
            return false;
        }
    }
    return true;
}

/* Every running node holds it for dead or left. */
static inline bool is_gone(struct cluster *c, uint32_t of)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const struct member *m = c->nodes[i].is_up ? member_of(c, i, of) : NULL;
        if (m != NULL && m->state != MEMBER_DEAD && m->state != MEMBER_LEFT) {
            return false;
        }
    }
    return true;
}

/* Runs until every view is full; returns the milliseconds it took. */
static inline uint64_t wait_full(struct cluster *c, uint64_t ms_max)
{
    const uint64_t start_us = c->now_us;
    while (!is_full(c)) {
        if (c->now_us - start_us > ms_max * MS) {
            fail_msg("not a full view in %u ms", (unsigned)ms_max);
        }
        run_for(c, 5);
    }
    return (c->now_us - start_us) / MS;
}

static inline uint64_t wait_gone(struct cluster *c, uint32_t of, uint64_t ms_max)
{
    const uint64_t start_us = c->now_us;
    while (!is_gone(c, of)) {
        if (c->now_us - start_us > ms_max * MS) {
            fail_msg("node %u not gone in %u ms", of, (unsigned)ms_max);
        }
        run_for(c, 5);
    }
    return (c->now_us - start_us) / MS;
}

/* `count` nodes that know each other. */
static inline struct cluster *cluster_formed(uint64_t seed, uint32_t count, bool has_links)
{
    struct cluster *c = cluster_new(seed);
    c->has_links = has_links;
    for (uint32_t i = 0; i < count; i++) {
        (void)cluster_start(c);
    }
    hint_all(c);
    (void)wait_full(c, 5000);
    return c;
}

#endif
