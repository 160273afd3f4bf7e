/*
 * sync_pair: two members and the link between them in memory, on which they reconcile.
 */
#ifndef TESTS_SYNC_PAIR_H
#define TESTS_SYNC_PAIR_H

#include "gossip/repair/sync.h"

#include "core/base/mem.h"
#include "gossip/repair/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1767225600000)

enum { STEP_US = 1000, OUTPUT_BYTES = 64 * 1024, ROUNDS_MAX = 200000 };

/* One of two members, joined by a link in memory. */
struct end {
    struct store *store;
    struct mesh *mesh;
    struct outbox *outbox;
    struct quorum *quorum;
    struct sync_config config;
    struct sync *sync;
    struct engine_counters counters;
    struct link *link;
    struct member peer; /* the other member, as this one knows it */
    struct uuid uuid;
    uint64_t bytes;    /* sent */
    uint64_t received; /* records */
};

struct pair {
    struct end ends[2];
    uint64_t now_us;
};

static inline void set_up_end(struct pair *p, int i)
{
    struct end *e = &p->ends[i];
    const struct store_config store = {
        .bytes_max = 256 << 20, .table_seed = (uint64_t)i + 1, .digest_seed = 7};
    const struct addr addr = {.port = 1};
    e->uuid = (struct uuid){{(uint8_t)(i + 1)}};
    const struct member_card card = {
        .uuid = {{(uint8_t)(2 - i)}}, .name = "n", .enclave = "default"};
    member_set_card(&e->peer, &card);
    e->peer.flags = MEMBER_IS_CAUGHT_UP;
    e->peer.is_mate = true;
    e->peer.has_answered = true;
    e->outbox = outbox_new();
    e->store = store_new(&store);
    e->mesh = mesh_new(e->outbox);
    e->quorum = quorum_new(1000000, e->outbox);
    static const uint8_t secrets[2][SIPHASH_KEY_BYTES] = {{1}, {2}};
    e->config = (struct sync_config){
        .store = e->store,
        .mesh = e->mesh,
        .quorum = e->quorum,
        .outbox = e->outbox,
        .counters = &e->counters,
        .secret = secrets[i],
        .cells_max = CELLS_WANTED_MAX,
    };
    e->sync = sync_new(&e->config);
    e->link = mesh_add(e->mesh, LINK_OPEN, i == 0, &addr, 0);
    e->link->member = &e->peer;
    e->peer.link = e->link->id;
}

static inline int set_up(void **state)
{
    struct pair *p = mem_new(1, sizeof(*p));
    p->now_us = 1000000;
    set_up_end(p, 0);
    set_up_end(p, 1);
    *state = p;
    return 0;
}

static inline void lose_link(struct end *e)
{
    if (e->link != NULL) {
        sync_link_gone(e->sync, e->link);
        mesh_remove(e->mesh, e->link);
        e->link = NULL;
    }
}

static inline int tear_down(void **state)
{
    struct pair *p = *state;
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        lose_link(e);
        sync_free(e->sync);
        mesh_free(e->mesh);
        quorum_free(e->quorum);
        store_free(e->store);
        outbox_free(e->outbox);
    }
    free(p);
    return 0;
}

static inline struct record record_of(uint32_t number, uint64_t ttl_ms, char key[static 16])
{
    const int len = snprintf(key, 16, "key-%u", number);
    return (struct record){
        .key = (const uint8_t *)key,
        .key_len = (size_t)len,
        .value = (const uint8_t *)"value",
        .value_len = 5,
        .version = {.stamp = (NOW_MS - 60000) << 16, .origin = {{9}}},
        .expiry_ms = NOW_MS + ttl_ms,
    };
}

static inline void store_one(struct end *e, uint32_t number, uint64_t ttl_ms)
{
    char key[16];
    enum merge_outcome outcome = MERGE_SAME;
    const struct record r = record_of(number, ttl_ms, key);
    assert_int_equal(store_merge(e->store, &r, NOW_MS, &outcome), RC_OK);
}

static inline uint64_t keys(const struct end *e)
{
    return store_stats(e->store).keys;
}

/* ---- The link in memory ---- */

static inline void take(struct end *e, const struct frame_record *f)
{
    enum merge_outcome outcome = MERGE_SAME;
    assert_int_equal(f->kind & RECORD_IS_COUNTED, 0);
    assert_int_equal(store_merge(e->store, &f->record, NOW_MS, &outcome), RC_OK);
    e->link->progress++;
    e->received++;
}

static inline void take_batch(struct end *e, const struct cursor *c)
{
    struct batch_reader reader;
    struct frame_record f;
    assert_int_equal(batch_read(&reader, c), RC_OK);
    enum rc rc = RC_OK;
    while ((rc = batch_next(&reader, &f)) == RC_OK) {
        take(e, &f);
    }
    assert_int_equal(rc, RC_NOT_FOUND);
}

static inline void deliver(struct pair *p, struct end *to, const struct buf *bytes)
{
    struct cursor all = cursor_reader(buf_data(bytes), bytes->len);
    while (cursor_left(&all) > 0) {
        const uint8_t type = cursor_u8(&all);
        (void)cursor_u8(&all);
        const size_t len = cursor_u32(&all);
        struct cursor c = cursor_reader(cursor_bytes(&all, len), len);
        assert_true(cursor_ok(&all));
        if (type == FRAME_RECORDS) {
            take_batch(to, &c);
        } else if (type != FRAME_SYNC_ROOT) {
            assert_int_equal(
                sync_frame(to->sync, to->link, (enum frame_type)type, &c, &to->uuid, p->now_us),
                RC_OK);
        }
    }
}

static inline void pass(struct pair *p, int from)
{
    struct end *e = &p->ends[from];
    struct buf out;
    const struct link_source source = {.store = e->store, .now_ms = NOW_MS};
    buf_init(&out, 1 << 20);
    if (link_fill(e->link, &source, &out, OUTPUT_BYTES) > 0) {
        e->bytes += out.len;
        sync_wake(e->sync, e->link);
        deliver(p, &p->ends[1 - from], &out);
    }
    buf_fini(&out);
}

static inline void step(struct pair *p)
{
    p->now_us += STEP_US;
    for (int i = 0; i < 2; i++) {
        sync_turn(p->ends[i].sync, p->now_us, NOW_MS, false);
        sync_check(p->ends[i].sync);
        pass(p, i);
    }
}

static inline bool is_idle(const struct end *e)
{
    const struct session *side = e->link->sync;
    return !link_has_output(e->link) && (side == NULL || session_is_idle(side));
}

/* One session, begun by `from`, to its end. */
static inline void run_session(struct pair *p, int from)
{
    struct end *e = &p->ends[from];
    int rounds = 0;
    while (sync_start(e->sync, e->link, SYNC_CUT_ALL, p->now_us) != RC_OK) {
        assert_int_not_equal(rounds++, ROUNDS_MAX);
        step(p);
    }
    do {
        assert_int_not_equal(rounds++, ROUNDS_MAX);
        step(p);
    } while (!is_idle(&p->ends[0]) || !is_idle(&p->ends[1]));
}

static inline void assert_equal_contents(struct pair *p)
{
    struct digest roots[2];
    for (int i = 0; i < 2; i++) {
        store_check(p->ends[i].store);
        assert_int_equal(store_root(p->ends[i].store, NOW_MS / 1000, &roots[i]), RC_OK);
    }
    assert_int_equal(roots[0].sum, roots[1].sum);
    assert_int_equal(keys(&p->ends[0]), keys(&p->ends[1]));
}

/* ---- What a peer says ---- */

static inline enum rc feed(struct pair *p, enum frame_type type, const struct cursor *payload)
{
    struct end *e = &p->ends[0];
    struct cursor c = cursor_reader(payload->out, payload->pos);
    if (!frame_fits((uint8_t)type, payload->out, payload->pos)) {
        return RC_MALFORMED;
    }
    return sync_frame(e->sync, e->link, type, &c, &e->uuid, p->now_us);
}

/* The peer begins a session of which it names the key, and a scope of that epoch, with so many
 * cells if it is no list. */
static inline void begin_with_cells(struct pair *p, bool is_list, uint64_t epoch, uint32_t cells)
{
    uint8_t bytes[64];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, 1);
    cursor_put_u64(&c, SYNC_CUT_ALL);
    cursor_put_u64(&c, 99);
    assert_int_equal(feed(p, FRAME_SYNC_GROUPS, &c), RC_OK);
    c = cursor_writer(bytes, sizeof(bytes));
    cursor_put_u8(&c, 1);
    cursor_put_u32(&c, cells);
    cursor_put_u8(&c, 0);
    for (int i = 0; i < 2; i++) {
        cursor_put_u16(&c, (i == 0) == is_list);
        if ((i == 0) == is_list) {
            cursor_put_u32(&c, (uint32_t)(epoch / EPOCHS_PER_GROUP));
            cursor_put_u64(&c, UINT64_C(1) << (epoch % EPOCHS_PER_GROUP));
        }
    }
    assert_int_equal(feed(p, FRAME_SYNC_SCOPE, &c), RC_OK);
}

static inline void begin_of_epoch(struct pair *p, bool is_list, uint64_t epoch)
{
    begin_with_cells(p, is_list, epoch, 64);
}

/* Of an epoch that has nothing. */
static inline void begin_as_peer(struct pair *p, bool is_list)
{
    begin_of_epoch(p, is_list, EPOCHS_PER_GROUP);
}

#endif
