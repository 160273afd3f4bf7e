/*
 * spread_rig: over the links of trees_rig, all that the way of writes needs, for tests of what goes
 * out on those links and what comes in.
 */
#ifndef TESTS_SPREAD_RIG_H
#define TESTS_SPREAD_RIG_H

#include "gossip/spread.h"
#include "trees_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NOW_MS UINT64_C(1767225600000)

enum {
    SELF = 1,
    STRANGER = 9, /* a member without a link */
    FACTOR = 2,
    ID = 1001, /* of a write */
    COUNTED = RECORD_IS_COUNTED,
    FORWARD = RECORD_IS_FORWARD,
    TIMEOUT_US = 1000 * 1000,
    GATHER_US = 4 * 1000, /* so long ids wait for more of them, */
    LATE_US = 500 * 1000, /* and lazy links for a large value's */
};

struct spread_rig {
    struct trees_rig rig;
    struct store *store;
    struct swim *swim;
    struct quorum *quorum;
    struct reconcile reconcile;
    struct rng rng;
    struct uuid self;
    uint32_t tree; /* of this node's writes */
    struct spread spread;
};

static inline struct spread_rig *spread_rig_new(uint8_t members)
{
    struct spread_rig *f = mem_new(1, sizeof(*f));
    trees_rig_init(&f->rig, members);
    const struct store_config store = {.bytes_max = 8 << 20, .table_seed = 1, .digest_seed = 2};
    const struct swim_config swim = {
        .self = {.uuid = rig_uuid(SELF), .incarnation = 1, .name = "n", .enclave = "e"},
        .network = "net",
        .counters = &f->rig.counters,
    };
    f->self = rig_uuid(SELF);
    f->tree = tree_of(&f->self);
    f->store = store_new(&store);
    f->swim = swim_new(&swim, f->rig.outbox, RIG_NOW_US);
    f->quorum = quorum_new(TIMEOUT_US, f->rig.outbox);
    rng_init(&f->rng, 1);
    f->spread = (struct spread){.env = f->rig.env,
                                .store = f->store,
                                .swim = f->swim,
                                .quorum = f->quorum,
                                .outbox = f->rig.outbox,
                                .reconcile = &f->reconcile,
                                .rng = &f->rng,
                                .self = &f->self,
                                .replication_factor = FACTOR,
                                .now_ms = NOW_MS,
                                .news_at_us = NEVER,
                                .look_at_us = NEVER};
    return f;
}

static inline int set_up_large(void **state)
{
    struct spread_rig *f = spread_rig_new(RIG_MEMBERS);
    assert_true(f->rig.overlay.is_large);
    *state = f;
    return 0;
}

/* Everybody is linked. */
static inline int set_up_small(void **state)
{
    struct spread_rig *f = spread_rig_new(RIG_LINKS + 1);
    assert_false(f->rig.overlay.is_large);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct spread_rig *f = *state;
    quorum_free(f->quorum);
    swim_free(f->swim);
    trees_rig_fini(&f->rig);
    store_free(f->store);
    free(f);
    return 0;
}

/* Link 0 is eager in the tree and the two after it lazy; the last one is not of the trees. */
static inline void shape(struct spread_rig *f, uint32_t tree)
{
    rig_make_eager(&f->rig, 0, tree);
    f->rig.links[1]->trees.is_tree = true;
    f->rig.links[2]->trees.is_tree = true;
}

/* Takes the kind of the oldest write that waits on the link; -1: none waits. */
static inline int next_write(struct spread_rig *f, int i)
{
    struct write_queue *q = &f->rig.links[i]->live;
    if (q->count == 0) {
        return -1;
    }
    q->count--;
    return q->items[q->head++ & (q->size - 1)].kind;
}

/* The entry of the only control frame that waits on the link, which is of this type. */
static inline struct frame_tree only_entry(struct spread_rig *f, int i, enum frame_type type)
{
    struct frame_tree entry;
    struct frame_tree none;
    assert_int_equal(rig_next_frame(&f->rig, i, &entry), type);
    assert_int_equal(rig_next_frame(&f->rig, i, &none), 0);
    return entry;
}

static inline void assert_no_frame(struct spread_rig *f, int i)
{
    struct frame_tree entry;
    assert_int_equal(rig_next_frame(&f->rig, i, &entry), 0);
}

static inline void turn_after(struct spread_rig *f, uint64_t us)
{
    f->spread.env.now_us += us;
    spread_turn(&f->spread);
}

/* The write waits for one more holder. */
static inline void wait_for_holder(struct spread_rig *f, struct queued_write *w, uint64_t id)
{
    uint8_t key[] = "key";
    const struct waiting waiting = {
        .done = {.token = id, .have = 1, .version = w->version},
        .record_id = id,
        .quorum = 2,
        .key = key,
        .key_len = 3,
    };
    assert_int_equal(quorum_wait(f->quorum, &waiting, f->spread.env.now_us, &w->waiter), RC_OK);
}

static inline struct queued_write own_write(struct spread_rig *f, uint64_t id)
{
    struct queued_write w = {.handle = 1, .version = {.stamp = id, .origin = f->self}};
    wait_for_holder(f, &w, id);
    return w;
}

static inline enum quorum_part part_of(const struct spread_rig *f, const struct queued_write *w,
                                       int i)
{
    return quorum_part(f->quorum, w->waiter, &f->rig.members[i].uuid);
}

/* A member's write under a key, with a small value or with this large one. */
static inline struct frame_record record_of(uint8_t origin, const char *key, struct blob *blob)
{
    return (struct frame_record){
        .record = {.key = (const uint8_t *)key,
                   .key_len = strlen(key),
                   .value = blob == NULL ? (const uint8_t *)"v" : NULL,
                   .blob = blob,
                   .value_len = blob == NULL ? 1 : blob_len(blob),
                   .version = {.stamp = NOW_MS << VERSION_COUNTER_BITS, .origin = rig_uuid(origin)},
                   .expiry_ms = NOW_MS + UINT64_C(3600) * 1000}};
}

static inline uint64_t id_of(const struct spread_rig *f, const struct frame_record *record)
{
    return record_write_id(&record->record, store_digest_seed(f->store));
}

/* The record comes on the link, as this kind. */
static inline void arrive(struct spread_rig *f, int i, struct frame_record *record, unsigned kind)
{
    enum merge_outcome outcome = MERGE_ABSENT;
    assert_int_equal(record_check(&record->record), RC_OK);
    assert_int_equal(store_merge(f->store, &record->record, NOW_MS, &outcome), RC_OK);
    record->kind = (uint8_t)kind;
    spread_arrived(&f->spread, f->rig.links[i], record, outcome);
}

static inline enum rc take_bytes(struct spread_rig *f, int i, enum frame_type type,
                                 const void *data, size_t len)
{
    struct cursor c = cursor_reader(data, len);
    if (!frame_fits((uint8_t)type, data, len)) {
        return RC_MALFORMED;
    }
    return spread_frame(&f->spread, f->rig.links[i], type, &c);
}

static inline void take_entry(struct spread_rig *f, int i, enum frame_type type,
                              enum tree_kind kind, uint32_t tree, uint64_t id)
{
    uint8_t bytes[TREE_ENTRY_BYTES];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    const struct frame_tree entry = {.kind = (uint8_t)kind, .tree = (uint8_t)tree, .id = id};
    frame_tree_write(&c, &entry);
    assert_int_equal(take_bytes(f, i, type, bytes, sizeof(bytes)), RC_OK);
}

static inline struct blob *large_value(void)
{
    const uint8_t byte = 'v';
    struct blob *blob = blob_new(NULL, VALUE_INLINE_MAX + 1);
    for (int i = 0; i <= VALUE_INLINE_MAX; i++) {
        assert_int_equal(blob_append(blob, &byte, 1), RC_OK);
    }
    return blob;
}

#endif
