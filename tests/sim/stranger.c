#include "tests/sim/stranger.h"

#include "gossip/membership/swim.h"
#include "gossip/wire/frame.h"
#include "gossip/wire/packet.h"
#include "tests/sim/stage.h"

#include <string.h>

enum {
    ENTRIES_AT_MOST = 6, /* in one datagram */
    THIRD_PARTIES = 64,  /* addresses where nobody is, beyond those of nodes */
    SMALL_SEQ = 4096,    /* numbers that a counter would have reached */
    OFTEN = 4,           /* one in so many is drawn from all that there is */
};

#define YEARS_US (UINT64_C(10) * 365 * 86400 * 1000000)

static uint64_t draw(struct cluster *c, uint64_t bound)
{
    return rng_below(&c->net.rng, bound);
}

static struct uuid nobody(struct cluster *c)
{
    struct uuid uuid;
    for (size_t i = 0; i < UUID_BYTES; i++) {
        uuid.bytes[i] = (uint8_t)(1 + draw(c, UINT8_MAX)); /* so that it ends as no node's does */
    }
    return uuid;
}

uint32_t stranger_nowhere(struct cluster *c)
{
    return CLUSTER_NODES_MAX + (uint32_t)draw(c, THIRD_PARTIES);
}

static uint32_t some_node(struct cluster *c)
{
    return (uint32_t)draw(c, c->count);
}

/* What the node holds of a member; NULL when it knows none with this uuid. */
static const struct member *held_by(const struct cluster *c, uint32_t node, const struct uuid *uuid)
{
    uint32_t slot = 0;
    for (const struct member *m; (m = engine_next_member(c->nodes[node].engine, &slot)) != NULL;
         slot++) {
        if (uuid_equal(&m->uuid, uuid)) {
            return m;
        }
    }
    return NULL;
}

/* The incarnation that is held, one that is a little later, or any. */
static uint64_t draw_incarnation(struct cluster *c, uint64_t held)
{
    switch (draw(c, OFTEN)) {
    case 0:
        return held;
    case 1:
        return held + 1 + draw(c, 3);
    case 2:
        return held + (UINT64_C(1) << draw(c, 40));
    default: {
        const uint64_t any = rng_next(&c->net.rng);
        return any >> draw(c, 64);
    }
    }
}

/* ---- Entries ---- */

static void draw_addrs(struct cluster *c, struct member_card *card)
{
    card->addr_count = (uint32_t)draw(c, MEMBER_ADDRS_MAX + 1);
    for (uint32_t i = 0; i < card->addr_count; i++) {
        card->addrs[i].scope = draw(c, 2) == 0 ? SCOPE_HOST : SCOPE_GLOBAL;
        card->addrs[i].addr = stage_addr(draw(c, 2) == 0 ? some_node(c) : stranger_nowhere(c));
    }
}

/* A card of nobody, or a false one of a member. */
static void forge_card(struct cluster *c, uint32_t to, struct member_card *ret_card)
{
    const struct sim_node *n = &c->nodes[some_node(c)];
    const struct member *m = draw(c, 2) == 0 ? held_by(c, to, &n->uuid) : NULL;
    *ret_card = (struct member_card){.uuid = nobody(c), .incarnation = 1};
    memcpy(ret_card->name, "nobody", sizeof("nobody"));
    memcpy(ret_card->enclave, c->config.enclave, sizeof(ret_card->enclave));
    if (m != NULL && !m->is_ghost) {
        member_card(m, ret_card);
    }
    ret_card->incarnation = draw_incarnation(c, ret_card->incarnation);
    if (draw(c, OFTEN) == 0) {
        ret_card->host_tag = rng_next(&c->net.rng);
        ret_card->boot = rng_next(&c->net.rng);
    }
    if (m == NULL || draw(c, 2) == 0) {
        draw_addrs(c, ret_card);
    }
}

static void forge_entry(struct cluster *c, uint32_t to, struct cursor *entries)
{
    uint8_t card_bytes[CARD_WIRE_MAX];
    struct entry e = {.kind = (enum entry_kind)(ENTRY_ALIVE + draw(c, ENTRY_PAST))};
    const struct cursor before = *entries;
    if (e.kind == ENTRY_ALIVE) {
        struct member_card card;
        struct cursor writer = cursor_writer(card_bytes, sizeof(card_bytes));
        forge_card(c, to, &card);
        member_card_write(&writer, &card);
        e.card = card_bytes;
        e.card_len = writer.pos;
    } else {
        e.uuid = draw(c, OFTEN) == 0 ? c->nodes[to].uuid : c->nodes[some_node(c)].uuid;
        const struct member *m = held_by(c, to, &e.uuid);
        e.incarnation = draw_incarnation(c, m != NULL ? m->incarnation : 1);
        e.by = draw(c, 2) == 0 ? c->nodes[some_node(c)].uuid : nobody(c);
        e.state = draw(c, 2) == 0 ? MEMBER_DEAD : MEMBER_LEFT;
        e.age = (uint32_t)draw(c, 10);
    }
    packet_entry_write(entries, &e);
    if (!cursor_ok(entries)) {
        *entries = before;
    }
}

/* ---- Packets ---- */

/* Numbers of our own that a counter would give, or any. */
static uint32_t draw_seq(struct cluster *c)
{
    const uint64_t seq = draw(c, 2) == 0 ? draw(c, SMALL_SEQ) : rng_next(&c->net.rng);
    return (uint32_t)(1 + seq % UINT32_MAX);
}

static void forge_vitals(struct cluster *c, uint32_t to, struct vitals *ret_vitals)
{
    const uint64_t now_us = engine_clock_ms(c->nodes[to].engine, stage_now_us(c, to)) * 1000;
    const uint64_t off_us = draw(c, 2) == 0 ? draw(c, UINT64_C(120000000)) : draw(c, YEARS_US);
    ret_vitals->flags = (uint8_t)rng_next(&c->net.rng);
    ret_vitals->clock_us = draw(c, 2) == 0 ? now_us + off_us : now_us - off_us;
    ret_vitals->cut_s = draw(c, OFTEN) == 0 ? draw(c, UINT64_C(1) << 40) : now_us / 1000000 - 2;
    ret_vitals->root = rng_next(&c->net.rng);
}

/* The sender that it pretends to be: a member, by tag or with a whole header, or nobody. */
static void forge_sender(struct cluster *c, struct packet *p)
{
    const uint64_t cluster = swim_cluster_hash(c->config.network);
    p->is_long = draw(c, 2) == 0;
    p->knows_you = draw(c, 2) == 0;
    p->uuid = draw(c, OFTEN) == 0 ? nobody(c) : c->nodes[some_node(c)].uuid;
    p->tag = packet_tag(&p->uuid, cluster);
    p->counter = rng_next(&c->net.rng);
    p->cluster = cluster;
    p->boot = rng_next(&c->net.rng);
}

static void forge_body(struct cluster *c, uint32_t to, struct packet *p,
                       uint8_t sums[static PULL_SUMS_MAX * PULL_SUM_BYTES])
{
    const uint64_t cluster = swim_cluster_hash(c->config.network);
    p->kind = (enum packet_kind)(PACKET_PING + draw(c, PACKET_COOKIE));
    p->seq = draw_seq(c);
    p->target = c->nodes[some_node(c)].uuid;
    p->target_tag = draw(c, 2) == 0 ? 0 : packet_tag(&c->nodes[to].uuid, cluster);
    p->is_answered = draw(c, 2) == 0;
    p->member_digest = rng_next(&c->net.rng);
    forge_vitals(c, to, &p->vitals);
    p->first = (uint32_t)rng_next(&c->net.rng);
    if (p->kind == PACKET_PULL) {
        p->count = 1 + (uint32_t)draw(c, PULL_SUMS_MAX);
        p->width = (uint32_t)draw(c, PULL_WIDTH_MAX - 7); /* so that the ranges fit a tag */
        for (size_t i = 0; i < (size_t)p->count * PULL_SUM_BYTES; i++) {
            sums[i] = (uint8_t)rng_next(&c->net.rng);
        }
        p->sums = sums;
    }
    if (p->kind == PACKET_COOKIE || draw(c, OFTEN) == 0) {
        p->cookie = 1 + rng_next(&c->net.rng) / 2;
    }
    if (draw(c, 2) == 0) {
        p->has_seen_as = true;
        p->seen_as = stage_addr(stranger_nowhere(c));
    }
}

void stranger_send(struct cluster *c, uint32_t to)
{
    uint8_t data[DATAGRAM_BYTES_MAX];
    uint8_t entries[DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX];
    uint8_t sums[PULL_SUMS_MAX * PULL_SUM_BYTES];
    struct packet p = {.version = PROTOCOL_VERSION_MAX};
    if (!c->nodes[to].is_up || (c->barrier.everywhere & BLOCK_UDP) != 0) {
        return;
    }
    forge_sender(c, &p);
    forge_body(c, to, &p, sums);
    struct cursor writer =
        cursor_writer(entries, sizeof(entries) - (size_t)p.count * PULL_SUM_BYTES);
    for (uint64_t left = draw(c, ENTRIES_AT_MOST + 1); left > 0; left--) {
        forge_entry(c, to, &writer);
    }
    p.entries = entries;
    p.entries_len = writer.pos;
    struct cursor packet = cursor_writer(data, sizeof(data));
    packet_write(&packet, &p);
    if (!cursor_ok(&packet)) {
        return;
    }
    c->effects.datagrams_forged++;
    const uint32_t from = draw(c, 2) == 0 ? some_node(c) : stranger_nowhere(c);
    network_at(&c->net, c->net.now_us + stage_one_way_us(c),
               &(struct event){.kind = EVENT_DATAGRAM,
                               .from = from,
                               .to = to,
                               .to_life = c->nodes[to].life,
                               .data = data,
                               .len = packet.pos,
                               .is_forged = true});
}

/* ---- Links ---- */

/* The token that the node says on the link, where the stranger reads that much and then no more; 0
 * when there is no link. */
static uint64_t token_on(struct cluster *c, uint32_t node, uint32_t link)
{
    struct buf said;
    struct frame_hello hello = {.token = 0};
    buf_init(&said, FRAME_PAYLOAD_MAX);
    (void)engine_link_output(c->nodes[node].engine, link, &said, NULL, FRAME_PAYLOAD_MAX,
                             stage_now_us(c, node));
    if (said.len > FRAME_HEADER_BYTES) {
        struct cursor in =
            cursor_reader(buf_data(&said) + FRAME_HEADER_BYTES, said.len - FRAME_HEADER_BYTES);
        frame_hello_read(&in, &hello);
    }
    buf_fini(&said);
    return hello.token;
}

void stranger_claim(struct cluster *c, uint32_t to, uint32_t whose)
{
    uint8_t bytes[2 * CARD_WIRE_MAX];
    struct sim_node *n = &c->nodes[to];
    const struct member *m = n->is_up ? held_by(c, to, &c->nodes[whose].uuid) : NULL;
    if (m == NULL || m->is_ghost || m->is_self) {
        return;
    }
    const struct addr from = stage_addr(stranger_nowhere(c));
    const uint32_t link = engine_link_accept(n->engine, &from, 0, stage_now_us(c, to));
    struct frame_hello hello = {
        .cluster = swim_cluster_hash(c->config.network),
        .token = token_on(c, to, link),
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .value_max = 1,
        .seen_as = stage_addr(stranger_nowhere(c)),
    };
    member_card(m, &hello.card);
    struct cursor frame = cursor_writer(bytes, sizeof(bytes));
    struct cursor body =
        cursor_writer(bytes + FRAME_HEADER_BYTES, sizeof(bytes) - FRAME_HEADER_BYTES);
    frame_hello_write(&body, &hello);
    frame_header_write(&frame, FRAME_HELLO, FRAME_CRITICAL, body.pos);
    if (cursor_ok(&body) && link != 0) {
        c->effects.links_claimed++;
        engine_link_input(n->engine, link, bytes, FRAME_HEADER_BYTES + body.pos,
                          stage_now_us(c, to));
    }
    stage_drain(c, to);
}
