/*
 * bench_reconcile [entries]: what reconciling two stores costs, over a link in memory: bytes of
 * metadata in both directions, round trips, processor time of each side and the longest step, for
 * 0, 1, 1,000 and 10,000 differences among 1,000,000 keys; once with expiries scattered over a day,
 * once with all of them in one epoch, where the sums do not narrow the search.
 *
 * Metadata is everything but the records themselves. A round trip is counted where a frame waits
 * for one of the other side; the wanted records travel in the half after the last.
 */
#include "core/base/mem.h"
#include "core/base/parse.h"
#include "core/base/rng.h"
#include "gossip/repair/session.h"
#include "gossip/repair/sync.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ENTRIES_DEFAULT = 1000000, VALUE_LEN = 100, OUTPUT_BYTES = 256 << 10 };

static const uint64_t now_ms = UINT64_C(1767225600000);

struct end {
    struct store *store;
    struct mesh *mesh;
    struct outbox *outbox;
    struct quorum *quorum;
    struct sync *sync;
    struct engine_counters counters;
    struct link *link;
    struct member peer;
    struct uuid uuid;
    uint64_t cpu_ns, longest_ns, metadata, records;
};

struct run {
    struct end ends[2];
    uint64_t now_us;
    int last_sender;
    uint32_t flips; /* changes of direction */
};

static uint64_t cpu_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void set_up_end(struct run *run, int i)
{
    struct end *e = &run->ends[i];
    const struct store_config store = {
        .bytes_max = UINT64_C(4) << 30, .table_seed = (uint64_t)i + 1, .digest_seed = 7};
    const struct addr addr = {.port = 1};
    *e = (struct end){.uuid = {{(uint8_t)(i + 1)}}};
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
    const struct sync_config sync = {
        .store = e->store,
        .mesh = e->mesh,
        .quorum = e->quorum,
        .outbox = e->outbox,
        .counters = &e->counters,
        .secret = secrets[i],
        .cells_max = CELLS_WANTED_MAX,
    };
    e->sync = sync_new(&sync);
    e->link = mesh_add(e->mesh, LINK_OPEN, i == 0, &addr, 0);
    e->link->member = &e->peer;
    e->peer.link = e->link->id;
}

static void tear_down_end(struct end *e)
{
    sync_link_gone(e->sync, e->link);
    member_fini(&e->peer);
    mesh_remove(e->mesh, e->link);
    sync_free(e->sync);
    mesh_free(e->mesh);
    quorum_free(e->quorum);
    store_free(e->store);
    outbox_free(e->outbox);
}

static uint64_t scatter(uint64_t i)
{
    struct rng rng;
    rng_init(&rng, i);
    return rng_next(&rng);
}

/* Entry `i`, written in the hour before, as a memcached-like load would: 12-byte keys. */
static void put(struct end *e, uint64_t i, bool is_one_epoch)
{
    char key[13];
    uint8_t value[VALUE_LEN] = {1};
    const uint64_t hash = scatter(i);
    (void)snprintf(key, sizeof(key), "%012" PRIx64, hash >> 16);
    const struct record r = {
        .key = (const uint8_t *)key,
        .key_len = 12,
        .value = value,
        .value_len = sizeof(value),
        .version = {.stamp = (now_ms - 3600000 + hash % 3500000) << VERSION_COUNTER_BITS,
                    .origin = {{(uint8_t)(hash >> 32 & 3)}}},
        .expiry_ms = is_one_epoch
                         ? now_ms / EPOCH_MS * EPOCH_MS + UINT64_C(100) * EPOCH_MS + hash % EPOCH_MS
                         : now_ms + 120000 + (hash >> 8) % ((uint64_t)DAY_S * 1000),
    };
    enum merge_outcome outcome = MERGE_SAME;
    if (store_merge(e->store, &r, now_ms, &outcome) != RC_OK) {
        exit(1);
    }
}

static void count(struct end *e, uint64_t begun_ns)
{
    const uint64_t ns = cpu_ns() - begun_ns;
    e->cpu_ns += ns;
    e->longest_ns = ns > e->longest_ns ? ns : e->longest_ns;
}

static void take_batch(struct end *e, const struct cursor *c)
{
    struct batch_reader reader;
    struct frame_record f;
    enum merge_outcome outcome = MERGE_SAME;
    if (batch_read(&reader, c) != RC_OK) {
        exit(1);
    }
    while (batch_next(&reader, &f) == RC_OK) {
        if (store_merge(e->store, &f.record, now_ms, &outcome) != RC_OK) {
            exit(1);
        }
        e->link->progress++;
        e->records++;
    }
}

static void deliver(struct run *run, int to, const struct buf *bytes)
{
    struct end *e = &run->ends[to];
    struct cursor all = cursor_reader(buf_data(bytes), bytes->len);
    while (cursor_left(&all) > 0) {
        const uint8_t type = cursor_u8(&all);
        (void)cursor_u8(&all);
        const size_t len = cursor_u32(&all);
        struct cursor c = cursor_reader(cursor_bytes(&all, len), len);
        const uint64_t begun_ns = cpu_ns();
        if (type == FRAME_RECORDS) {
            take_batch(e, &c);
        } else {
            run->ends[1 - to].metadata += FRAME_HEADER_BYTES + len;
            run->flips += type != FRAME_SYNC_DONE && run->last_sender == to;
            run->last_sender = type != FRAME_SYNC_DONE ? 1 - to : run->last_sender;
            if (sync_frame(e->sync, e->link, (enum frame_type)type, &c, &e->uuid, run->now_us) !=
                RC_OK) {
                exit(1);
            }
        }
        count(e, begun_ns);
    }
}

static bool step(struct run *run)
{
    bool is_busy = false;
    run->now_us += 100;
    for (int i = 0; i < 2; i++) {
        struct end *e = &run->ends[i];
        const struct link_source source = {.store = e->store, .now_ms = now_ms};
        struct buf out;
        buf_init(&out, 4 << 20);
        const uint64_t begun_ns = cpu_ns();
        sync_turn(e->sync, run->now_us, now_ms, false);
        const size_t len = link_fill(e->link, &source, &out, OUTPUT_BYTES);
        sync_wake(e->sync, e->link);
        count(e, begun_ns);
        if (len > 0) {
            deliver(run, 1 - i, &out);
        }
        is_busy = is_busy || len > 0 || sync_deadline(e->sync) == 0;
        buf_fini(&out);
    }
    return is_busy;
}

static void measure(uint64_t entries, uint64_t differences, bool is_one_epoch)
{
    struct run run = {.now_us = 1000000, .last_sender = 0};
    set_up_end(&run, 0);
    set_up_end(&run, 1);
    const uint64_t every = differences == 0 ? UINT64_MAX : entries / differences;
    for (uint64_t i = 0; i < entries; i++) {
        const bool is_different = every != UINT64_MAX && i % every == 0;
        const int only = (int)(i / every % 2);
        for (int side = 0; side < 2; side++) {
            if (!is_different || side == only) {
                put(&run.ends[side], i, is_one_epoch);
            }
        }
    }
    if (sync_start(run.ends[0].sync, run.ends[0].link, now_ms / 1000 - 2, run.now_us) != RC_OK) {
        exit(1);
    }
    while (step(&run)) {
    }
    struct digest roots[2];
    for (int i = 0; i < 2; i++) {
        if (store_root(run.ends[i].store, now_ms / 1000, &roots[i]) != RC_OK) {
            exit(1);
        }
    }
    const double ms[2] = {(double)run.ends[0].cpu_ns / 1e6, (double)run.ends[1].cpu_ns / 1e6};
    const double longest =
        (double)(run.ends[0].longest_ns > run.ends[1].longest_ns ? run.ends[0].longest_ns
                                                                 : run.ends[1].longest_ns) /
        1e6;
    printf("%-9s %11" PRIu64 " %10" PRIu64 " %8.1f %10.0f %10.0f %10.2f %8" PRIu64 " %s\n",
           is_one_epoch ? "one epoch" : "scattered", differences,
           run.ends[0].metadata + run.ends[1].metadata, (run.flips + 1) / 2.0, ms[0], ms[1],
           longest, run.ends[0].records + run.ends[1].records,
           roots[0].sum == roots[1].sum ? "equal" : "DIFFERENT");
    tear_down_end(&run.ends[0]);
    tear_down_end(&run.ends[1]);
    if (roots[0].sum != roots[1].sum) {
        exit(1); /* what it cost says nothing then */
    }
}

int main(int argc, char **argv)
{
    uint64_t entries = ENTRIES_DEFAULT;
    if (argc > 1 && parse_u64(argv[1], strlen(argv[1]), UINT64_C(100000000), &entries) != RC_OK) {
        (void)fprintf(stderr, "usage: bench_reconcile [entries]\n");
        return 64;
    }
    printf("%" PRIu64 " entries of %d bytes\n", entries, VALUE_LEN);
    printf("%-9s %11s %10s %8s %10s %10s %10s %8s %s\n", "expiries", "differences", "meta B",
           "trips", "begin. ms", "other ms", "longest ms", "records", "digests");
    const uint64_t differences[] = {0, 1, 1000, 10000};
    for (int one = 0; one < 2; one++) {
        for (int i = 0; i < 4; i++) {
            measure(entries, differences[i], one == 1);
        }
    }
    return 0;
}
