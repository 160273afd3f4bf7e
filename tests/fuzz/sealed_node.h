/*
 * sealed_node: a node with two keys and two members, and datagrams to it that are sealed rightly,
 * or nearly, whatever bytes are in them: what fuzz_sealed and fuzz_intro share.
 */
#ifndef FUZZ_SEALED_NODE_H
#define FUZZ_SEALED_NODE_H

#include "choices.h"
#include "gossip/membership/swim.h"
#include "net/crypto/seal_openssl.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t near[4] = {127, 0, 0, 1};
static const char network[] = "private";

struct sealed_node {
    struct engine_counters counters;
    struct outbox *outbox;
    struct swim *swim;
    struct seal_openssl *openssl;
    struct sealing sender; /* as whoever sends next seals */
    uint64_t now_us, counter;
};

static inline void require(bool is_so)
{
    if (!is_so) {
        abort();
    }
}

static inline void no_vitals(void *arg, uint64_t cut_s, uint64_t now_us, struct vitals *ret_vitals)
{
    (void)arg;
    *ret_vitals = (struct vitals){.clock_us = now_us, .cut_s = cut_s};
}

/* A and B, or B, A and `open`. */
static inline struct keyring_items ring_of(bool is_mixed)
{
    struct keyring_items items = {.count = is_mixed ? 3 : 2};
    memset(items.items[0].key, is_mixed ? 'B' : 'A', SEAL_KEY_BYTES);
    memset(items.items[1].key, is_mixed ? 'A' : 'B', SEAL_KEY_BYTES);
    items.items[2].is_open = true;
    return items;
}

static inline struct member_card card_of(uint8_t number)
{
    struct member_card card = {
        .uuid = {{number}},
        .incarnation = 1,
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .host_tag = 1,
        .name = "fuzz",
        .enclave = "default",
        .addr_count = 1,
    };
    card.addrs[0].addr = addr_v4(near, (uint16_t)(9000 + number));
    return card;
}

static inline void node_init(struct sealed_node *n)
{
    *n = (struct sealed_node){.now_us = 1000000, .outbox = outbox_new()};
    n->openssl = seal_openssl_new();
    require(n->openssl != NULL);
    struct swim_config config = {.self = card_of(1),
                                 .network = "private",
                                 .counters = &n->counters,
                                 .vitals = no_vitals,
                                 .seal = seal_openssl_ops(n->openssl)};
    const struct keyring_items items = ring_of(false);
    n->swim = swim_new(&config, n->outbox, n->now_us);
    require(swim_set_keys(n->swim, &items, n->now_us) == RC_OK);
    for (uint8_t number = 2; number <= 3; number++) {
        struct member *m = NULL;
        const struct member_card card = card_of(number);
        require(swim_meet(n->swim, &card, NULL, n->now_us, &m) == RC_OK);
    }
    const struct sealing_config sender = {
        .ops = seal_openssl_ops(n->openssl), .network = network, .senders_max = 1};
    sealing_init(&n->sender, &sender);
    require(sealing_set_keys(&n->sender, &items) == RC_OK);
}

static inline void node_fini(struct sealed_node *n)
{
    sealing_fini(&n->sender);
    swim_free(n->swim);
    outbox_free(n->outbox);
    seal_openssl_free(n->openssl);
}

/* Nothing of what it sends is longer than allowed, and everything is checked. */
static inline void node_turn(struct sealed_node *n)
{
    struct swim_event event;
    struct action action;
    swim_tick(n->swim, n->now_us, n->now_us);
    while (swim_next_event(n->swim, &event)) {
    }
    while (outbox_next(n->outbox, &action)) {
        require(action.kind == ACTION_DATAGRAM && action.len <= DATAGRAM_BYTES_MAX);
    }
    swim_check(n->swim);
    n->now_us += 30000;
}

static inline void node_take(struct sealed_node *n, uint8_t number, const uint8_t *data, size_t len)
{
    const struct addr from = addr_v4(near, (uint16_t)(9000 + number));
    swim_packet(n->swim, &from, NULL, data, len, n->now_us);
    node_turn(n);
}

/* A header as member `number` writes it, under a key of the ring. Returns its length. */
static inline size_t put_head(struct sealed_node *n, uint8_t number, uint8_t flags, bool is_second,
                              uint8_t *data)
{
    const uint64_t cluster = swim_cluster_hash(network);
    const struct uuid uuid = {{number}};
    struct cursor c = cursor_writer(data, PACKET_LONG_BYTES);
    cursor_put_u8(&c, PROTOCOL_VERSION_MAX);
    cursor_put_u8(&c, flags);
    cursor_put_u16(&c, n->sender.ring.keys[is_second].id);
    cursor_put_u32(&c, packet_tag(&uuid, cluster));
    cursor_put_u64(&c, ++n->counter);
    if ((flags & 1) != 0) {
        cursor_put_u64(&c, cluster);
        cursor_put_uuid(&c, &uuid);
        cursor_put_u64(&c, 1);
    }
    n->sender.self = uuid;
    return c.pos;
}

/* A new node hears what the input is a row of, one after the other; 0. */
static inline int node_hears(const uint8_t *data, size_t size,
                             void (*send_one)(struct sealed_node *n, struct choices *c))
{
    struct sealed_node n;
    struct choices c = {.data = data, .size = size};
    node_init(&n);
    while (!choices_are_over(&c)) {
        send_one(&n, &c);
    }
    node_fini(&n);
    return 0;
}

#endif
