/*
 * forged_rig: what strangers say in others' names to the nodes of swim_cluster. They know
 * everything but the numbers under way, and receive nothing.
 */
#ifndef TESTS_FORGED_RIG_H
#define TESTS_FORGED_RIG_H

#include "gossip/wire/packet.h"
#include "swim_cluster.h"

/* A packet in the name of node `as` reaches node `at`, from the address of `as`. */
static inline void forge_packet(struct cluster *c, uint32_t at, uint32_t as, struct packet p)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor w = cursor_writer(data, sizeof(data));
    p.version = PROTOCOL_VERSION_MAX;
    p.is_long = true;
    p.knows_you = true;
    p.cluster = swim_cluster_hash("private");
    p.uuid = c->nodes[as].uuid;
    p.tag = packet_tag(&p.uuid, p.cluster);
    p.counter = rng_next(&c->rng);
    p.member_digest = swim_digest(c->nodes[at].swim);
    packet_write(&w, &p);
    assert_true(cursor_ok(&w));
    const struct engine_counters *k = &c->nodes[at].counters;
    const uint64_t refused = k->datagrams_malformed + k->datagrams_stranger;
    swim_packet(c->nodes[at].swim, &c->nodes[as].addr, NULL, data, w.pos, c->now_us);
    assert_int_equal(k->datagrams_malformed + k->datagrams_stranger, refused);
    drain(c, at);
}

/* The same with the entries given. */
static inline void forge(struct cluster *c, uint32_t at, uint32_t as, enum packet_kind kind,
                         const struct entry *entries, uint32_t count)
{
    uint8_t said[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    struct cursor e = cursor_writer(said, sizeof(said));
    for (uint32_t i = 0; i < count; i++) {
        packet_entry_write(&e, &entries[i]);
    }
    assert_true(cursor_ok(&e));
    const struct packet p = {.kind = kind, .entries = said, .entries_len = e.pos};
    forge_packet(c, at, as, p);
}

static inline void forge_end(struct cluster *c, uint32_t at, uint32_t as, uint32_t of,
                             enum entry_kind kind, uint64_t incarnation)
{
    const struct entry e = {
        .kind = kind,
        .uuid = c->nodes[of].uuid,
        .by = c->nodes[as].uuid,
        .incarnation = incarnation,
        .state = MEMBER_DEAD,
    };
    forge(c, at, as, kind == ENTRY_PAST ? PACKET_CARDS : PACKET_GOSSIP, &e, 1);
}

/* At each of `count` nodes, in the name of the next. */
static inline void forge_ends(struct cluster *c, uint32_t count, uint32_t of, enum entry_kind kind,
                              uint64_t raise)
{
    for (uint32_t at = 0; at < count; at++) {
        const struct member *m = member_of(c, at, of);
        if (at != of) {
            const uint32_t as = (at + 1) % count == of ? (at + 2) % count : (at + 1) % count;
            forge_end(c, at, as, of, kind, m->incarnation + raise);
        }
    }
}

/* A card of somebody who does not exist, at the address given; port 0 for none. */
static inline void forge_card(struct cluster *c, uint32_t at, const struct addr *addr)
{
    struct member_card card = {
        .boot = 1,
        .incarnation = 1,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .host_tag = 7,
        .name = "nobody",
        .enclave = "default",
        .addr_count = addr->port != 0 ? 1 : 0,
        .addrs = {{.scope = SCOPE_HOST, .addr = *addr}},
    };
    uint8_t bytes[CARD_WIRE_MAX];
    struct cursor w = cursor_writer(bytes, sizeof(bytes));
    for (uint32_t b = 0; b < UUID_BYTES; b++) {
        card.uuid.bytes[b] = (uint8_t)rng_next(&c->rng);
    }
    member_card_write(&w, &card);
    const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
    forge(c, at, at == 0 ? 1 : 0, PACKET_GOSSIP, &e, 1);
}

/* The card of node `of`, as node `at` holds it but for its number and, with `addr`, its address. */
static inline void forge_card_of(struct cluster *c, uint32_t at, uint32_t of, uint64_t raise,
                                 const struct addr *addr)
{
    struct member_card card;
    uint8_t bytes[CARD_WIRE_MAX];
    member_card(member_of(c, at, of), &card);
    card.incarnation += raise;
    if (addr != NULL) {
        card.addr_count = 1;
        card.addrs[0] = (struct member_addr){.scope = SCOPE_GLOBAL, .addr = *addr};
    }
    struct cursor w = cursor_writer(bytes, sizeof(bytes));
    member_card_write(&w, &card);
    const struct entry e = {.kind = ENTRY_ALIVE, .card = bytes, .card_len = w.pos};
    forge(c, at, at == 2 ? 3 : 2, PACKET_GOSSIP, &e, 1);
}

#endif
