/*
 * engine_rig: whole engines on which tests put links without another end, and the HELLO and the
 * frames that come in on those.
 */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/wire/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { START_US = 1000000, SECOND_US = 1000000 };
#define WALL_MS UINT64_C(1767225600000)

static inline struct engine *make_with(uint8_t id, uint64_t bytes_max, uint32_t replication_factor)
{
    const struct engine_config config = {
        .uuid = {{id}},
        .host_tag = 1,
        .seed = 2,
        .table_seed = 3,
        .wall_ms = WALL_MS,
        .name = "node",
        .network = "net",
        .enclave = "default",
        .replication_factor = replication_factor,
        .write_timeout_ms = 1000,
        .bytes_max = bytes_max,
        .value_max = 1 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = UINT64_C(86400) * 1000,
    };
    return engine_new(&config, START_US);
}

static inline struct engine *make_as(uint8_t id, uint64_t bytes_max)
{
    return make_with(id, bytes_max, 3);
}

/* Returns the link on which the engine dials the node that discovery names, as datagrams bring
 * nothing; 0 when it does not dial. */
static inline uint32_t dial_candidate(struct engine *e, uint16_t port, uint64_t *now_us)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr addr = addr_v4(ip, port);
    struct action action;
    engine_candidate(e, &addr, *now_us);
    for (int i = 0; i < 20; i++) {
        *now_us += SECOND_US / 10;
        engine_tick(e, *now_us);
        while (outbox_next(engine_outbox(e), &action)) {
            if (action.kind == ACTION_DIAL && addr_equal(&action.addr, &addr)) {
                engine_link_up(e, action.link, *now_us);
                return action.link;
            }
        }
    }
    return 0;
}

static inline void run_for(struct engine *e, uint32_t tenths, uint64_t *now_us)
{
    for (uint32_t i = 0; i < tenths; i++) {
        *now_us += SECOND_US / 10;
        engine_tick(e, *now_us);
    }
}

/* Meets so many members of another enclave that one more has no room. */
static inline void fill_table(struct engine *e, uint64_t now_us)
{
    struct member *m = NULL;
    struct member_card card = {.version_min = PROTOCOL_VERSION_MIN,
                               .version_max = PROTOCOL_VERSION_MAX,
                               .name = "other",
                               .enclave = "others"};
    for (uint32_t i = 1; i < MEMBERS_MAX; i++) {
        card.uuid = (struct uuid){{9, (uint8_t)(i >> 8), (uint8_t)i}};
        assert_int_equal(swim_meet(e->swim, &card, NULL, now_us, &m), RC_OK);
    }
    card.uuid = (struct uuid){{10}};
    assert_int_equal(swim_meet(e->swim, &card, NULL, now_us, &m), RC_FULL);
}

/* How many notices of that kind are waiting, which go; the text of the first. */
static inline uint32_t notices(struct engine *e, enum notice_kind kind, char text[NOTICE_TEXT_SIZE])
{
    struct action action;
    uint32_t count = 0;
    text[0] = '\0';
    while (outbox_next(engine_outbox(e), &action)) {
        if (action.kind == ACTION_NOTICE && action.notice->kind == kind && count++ == 0) {
            (void)snprintf(text, NOTICE_TEXT_SIZE, "%s", action.notice->text);
        }
    }
    return count;
}

/* ---- What comes in ---- */

/* A HELLO as node `id` says it whose settings are ours, at `now_us` of a clock that is ours too. */
static inline struct frame_hello hello_of(uint8_t id, uint64_t now_us)
{
    return (struct frame_hello){
        .cluster = swim_cluster_hash("net"),
        .version_min = PROTOCOL_VERSION_MIN,
        .version_max = PROTOCOL_VERSION_MAX,
        .flags = MEMBER_HAS_CLOCK,
        .clock_us = WALL_MS * 1000 + now_us - START_US,
        .value_max = 1 << 20,
        .ttl_min_ms = 1000,
        .ttl_max_ms = UINT64_C(86400) * 1000,
        .seen_as = {.port = 8081},
        .card = {.uuid = {{id}},
                 .incarnation = 1,
                 .version_min = PROTOCOL_VERSION_MIN,
                 .version_max = PROTOCOL_VERSION_MAX,
                 .name = "peer",
                 .enclave = "default"},
    };
}

/* One whole frame comes in. */
static inline void say_frame(struct engine *e, uint32_t link, uint8_t type, uint8_t flags,
                             const void *payload, size_t len, uint64_t now_us)
{
    static uint8_t frame[FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX];
    struct cursor c = cursor_writer(frame, sizeof(frame));
    frame_header_write(&c, (enum frame_type)type, flags, len);
    cursor_put_bytes(&c, payload, len);
    assert_true(cursor_ok(&c));
    engine_link_input(e, link, frame, c.pos, now_us);
}

/* With the token that the link's HELLO is to have. */
static inline void say_this_hello(struct engine *e, uint32_t link, const struct frame_hello *hello,
                                  uint64_t now_us)
{
    uint8_t payload[512];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    struct frame_hello said = *hello;
    said.token = hello_token(e, mesh_find(e->mesh, link));
    frame_hello_write(&c, &said);
    assert_true(cursor_ok(&c));
    say_frame(e, link, FRAME_HELLO, FRAME_CRITICAL, payload, c.pos, now_us);
}

/* A link that was accepted from an address of the member's own, on which this HELLO has come. */
static inline uint32_t link_with(struct engine *e, const struct frame_hello *hello, uint64_t now_us)
{
    const struct addr from = {.ip = {hello->card.uuid.bytes[0]}, .port = 9};
    const uint32_t link = engine_link_accept(e, &from, 0, now_us);
    assert_int_not_equal(link, 0);
    say_this_hello(e, link, hello, now_us);
    return link;
}

/* A member with those flags that counts in quorums: it has said HELLO on a new link, and has
 * answered there with a clock that is ours. */
static inline struct member *link_of_voter(struct engine *e, uint8_t id, uint8_t flags,
                                           uint64_t now_us)
{
    struct frame_hello hello = hello_of(id, now_us);
    hello.flags |= flags;
    struct member *m = mesh_find(e->mesh, link_with(e, &hello, now_us))->member;
    m->has_answered = true;
    hello_answered(e, m);
    apart_judge(e, m, hello.clock_us, 0, now_us);
    assert_true(m->is_counted);
    return m;
}

/* The link of a member, node 2, to which a write of this node has been sent and for which it waits.
 */
static inline uint32_t link_with_write(struct engine *e, uint64_t now_us)
{
    const struct put put = {
        .token = 77, .key = (const uint8_t *)"own", .key_len = 3, .ttl_ms = 60000};
    struct buf out;
    const struct frame_hello hello = hello_of(2, now_us);
    const uint32_t link = link_with(e, &hello, now_us);
    assert_int_equal(engine_put(e, &put, now_us), RC_OK);
    buf_init(&out, 1 << 20);
    assert_true(engine_link_output(e, link, &out, NULL, 65536, now_us) > 0);
    buf_fini(&out);
    assert_int_equal(mesh_find(e->mesh, link)->sent_count, 1);
    return link;
}

static inline bool is_open(const struct engine *e, uint32_t link)
{
    const struct link *l = mesh_find(e->mesh, link);
    return l != NULL && l->state == LINK_OPEN;
}

/* The payload of the first frame of that type which waits on the link; false: none does. */
static inline bool next_of_type(const struct engine *e, uint32_t link, uint8_t type,
                                struct cursor *ret_payload)
{
    const struct link *l = mesh_find(e->mesh, link);
    struct cursor c = cursor_reader(NULL, 0);
    if (l != NULL) {
        c = cursor_reader(buf_data(&l->control), l->control.len);
    }
    while (cursor_left(&c) > 0) {
        const uint8_t found = cursor_u8(&c);
        (void)cursor_u8(&c);
        const uint32_t len = cursor_u32(&c);
        *ret_payload = cursor_reader(cursor_bytes(&c, len), len);
        assert_true(cursor_ok(&c));
        if (found == type) {
            return true;
        }
    }
    return false;
}

/* Our HELLO, which waits on the link. */
static inline void read_ours(const struct engine *e, uint32_t link, struct frame_hello *ret_hello)
{
    struct cursor payload;
    assert_true(next_of_type(e, link, FRAME_HELLO, &payload));
    frame_hello_read(&payload, ret_hello);
    assert_true(cursor_ok(&payload));
    assert_int_equal(cursor_left(&payload), 0);
}

/* Why this side has said that it ends the link; 0: it has not. */
static inline uint8_t close_reason(const struct engine *e, uint32_t link)
{
    struct cursor payload;
    return next_of_type(e, link, FRAME_CLOSE, &payload) ? cursor_u8(&payload) : 0;
}

/* Nobody answered discovery: the node is alone, and a second later it has a clock. */
static inline struct engine *make_alone(uint8_t id)
{
    struct engine *e = make_as(id, 8 << 20);
    engine_candidates_done(e, true, START_US);
    engine_tick(e, START_US + SECOND_US);
    return e;
}

/* As a test's teardown. */
static inline int free_engine(void **state)
{
    engine_check(*state);
    engine_free(*state);
    return 0;
}

#endif
