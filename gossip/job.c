#include "gossip/job.h"

#include "core/assert.h"
#include "core/mem.h"

#include <stdlib.h>
#include <string.h>

struct job *job_new(enum job_kind kind, uint64_t epoch)
{
    struct job *j = mem_new(1, sizeof(*j));
    j->kind = kind;
    j->epoch = epoch;
    idset_init(&j->ids, JOB_IDS_MAX);
    if (kind == JOB_SUMS || kind == JOB_COMPARE) {
        j->sums = mem_new(PART_COUNT, sizeof(*j->sums));
        j->counts = mem_new(PART_COUNT, sizeof(*j->counts));
        j->peer_sums = mem_new(PART_COUNT, sizeof(*j->peer_sums));
    }
    return j;
}

void job_free(struct job *j, struct store *store)
{
    if (j == NULL) {
        return;
    }
    if (j->walk.is_open) {
        store_walk_end(store, &j->walk);
    }
    idset_fini(&j->ids);
    free(j->sums);
    free(j->counts);
    free(j->peer_sums);
    free(j->epochs);
    free(j);
}

void job_stream_select(struct job *j, const struct store *store, uint8_t part, uint8_t of)
{
    ASSERT(j->kind == JOB_STREAM && of > 0);
    struct digest digest;
    size_t size = 0;
    j->join_part = part;
    j->join_of = of;
    for (uint64_t epoch = 0; store_next_epoch(store, UINT64_MAX, &epoch, &digest) == RC_OK;
         epoch++) {
        if (epoch % of != part) {
            continue;
        }
        if (j->epoch_count == size) {
            size = size == 0 ? 64 : 2 * size;
            j->epochs = mem_resize(j->epochs, size, sizeof(*j->epochs));
        }
        j->epochs[j->epoch_count++] = epoch;
    }
}

static bool is_selected(const struct job *j, const struct store *store, const struct record *r)
{
    if (!j->has_parts) {
        return true;
    }
    const uint32_t part = store_part(store, r);
    return (j->parts[part / 8] >> (part % 8) & 1) != 0;
}

/* The caller has seen to room; without memory the record stays a difference for the next time. */
static void send_record(struct job *j, const struct job_env *env, const struct record *r)
{
    if (link_bulk_record(env->link, r, store_find(env->store, r)) == RC_OK) {
        j->sent++;
        j->big_until = env->link->big_queued;
        env->counters->sync_records_sent++;
    }
}

/* What the job does with one entry of its walk. */
static void visit(struct job *j, const struct job_env *env, const struct record *r)
{
    const uint64_t id = record_id(r, store_digest_seed(env->store));
    uint32_t part = 0;
    switch (j->kind) {
    case JOB_IDS:
        /* Parts were chosen so that the list fits; what came since may not, and is found later. */
        if (is_selected(j, env->store, r)) {
            (void)!idset_add(&j->ids, id);
        }
        break;
    case JOB_SUMS:
    case JOB_COMPARE:
        part = store_part(env->store, r);
        j->sums[part] += id;
        j->counts[part]++;
        break;
    case JOB_DIFF:
        if (is_selected(j, env->store, r) && !idset_remove(&j->ids, id)) {
            send_record(j, env, r);
        }
        break;
    case JOB_SEND:
        if (idset_remove(&j->ids, id)) {
            send_record(j, env, r);
        }
        break;
    case JOB_STREAM:
        send_record(j, env, r);
        break;
    }
}

/* One slice of the walk. RC_OK at its end. */
static enum rc walk_slice(struct job *j, const struct job_env *env)
{
    if (!j->is_begun) {
        const enum rc rc = store_walk_begin(env->store, j->epoch, &j->walk);
        if (rc != RC_OK) {
            return RC_AGAIN;
        }
        j->is_begun = true;
    }
    for (int i = 0; i < JOB_STEP_ENTRIES; i++) {
        struct record r;
        if (!link_bulk_has_room(env->link)) {
            return RC_FULL;
        }
        if (store_walk_next(env->store, &j->walk, env->now_ms, &r) != RC_OK) {
            store_walk_end(env->store, &j->walk);
            j->is_begun = false;
            return RC_OK;
        }
        visit(j, env, &r);
    }
    return RC_AGAIN;
}

/* Writes the set as frames of SYNC_LIST_MAX ids, the last one marked; `type` tells which list. */
static enum rc emit_ids(struct job *j, const struct job_env *env, enum frame_type type)
{
    enum { SIZE = 4 + 1 + 1 + JOB_PART_BYTES + 8 * SYNC_LIST_MAX };
    bool is_last = false;
    while (!is_last) {
        if (!link_bulk_has_room(env->link)) {
            return RC_FULL;
        }
        uint8_t *payload = mem_new(1, SIZE);
        struct cursor c = cursor_writer(payload, SIZE);
        cursor_put_u32(&c, (uint32_t)j->epoch);
        const size_t last_at = c.pos;
        cursor_put_u8(&c, 0);
        if (type == FRAME_SYNC_IDS) {
            cursor_put_u8(&c, j->has_parts);
            cursor_put_bytes(&c, j->parts, j->has_parts ? JOB_PART_BYTES : 0);
        }
        uint64_t id = 0;
        for (int n = 0; n < SYNC_LIST_MAX && idset_next(&j->ids, &j->emitted, &id); n++) {
            cursor_put_u64(&c, id);
            j->emitted++;
        }
        is_last = !idset_next(&j->ids, &j->emitted, &id);
        payload[last_at] = is_last;
        ASSERT(cursor_ok(&c));
        const enum rc rc = link_bulk(env->link, type, payload, c.pos);
        free(payload);
        ASSERT(rc == RC_OK);
    }
    return RC_OK;
}

static enum rc emit_done(struct job *j, const struct job_env *env)
{
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u32(&c, (uint32_t)j->epoch);
    cursor_put_u32(&c, (uint32_t)j->sent);
    return link_bulk(env->link, FRAME_SYNC_DONE, payload, c.pos);
}

static enum rc emit_sums(struct job *j, const struct job_env *env)
{
    enum { SIZE = 4 + 8 * PART_COUNT };
    uint8_t payload[SIZE];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u32(&c, (uint32_t)j->epoch);
    for (int i = 0; i < PART_COUNT; i++) {
        cursor_put_u64(&c, j->sums[i]);
    }
    return link_bulk(env->link, FRAME_SYNC_SUMS, payload, c.pos);
}

/* Selects parts that differ, as many as a list holds, and turns into the listing of them; done when
 * none differs. Parts left out differ still and are next. */
static enum rc compare_sums(struct job *j, const struct job_env *env)
{
    bool differs = false;
    size_t listed = 0;
    j->has_parts = true;
    for (uint32_t i = 0; i < PART_COUNT && listed < JOB_IDS_MAX / 2; i++) {
        if (j->sums[i] != j->peer_sums[i]) {
            j->parts[i / 8] |= (uint8_t)(1 << (i % 8));
            listed += j->counts[i];
            differs = true;
        }
    }
    if (!differs) {
        return emit_done(j, env);
    }
    j->kind = JOB_IDS;
    j->is_walked = false;
    return RC_AGAIN;
}

static enum rc stream_next(struct job *j, const struct job_env *env)
{
    if (j->epoch_count > 0) {
        j->epoch = j->epochs[--j->epoch_count];
        j->is_walked = false;
        return RC_AGAIN;
    }
    uint8_t payload[10];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, j->join_part);
    cursor_put_u8(&c, j->join_of);
    cursor_put_u64(&c, j->sent);
    return link_bulk(env->link, FRAME_JOIN_DONE, payload, c.pos);
}

enum rc job_step(struct job *j, const struct job_env *env)
{
    if (!link_bulk_has_room(env->link)) {
        return RC_FULL;
    }
    if (!j->is_walked && !(j->kind == JOB_STREAM && j->epoch == UINT64_MAX)) {
        const enum rc rc = walk_slice(j, env);
        if (rc != RC_OK) {
            return rc;
        }
        j->is_walked = true;
    }
    /* What tells the peer that all has been sent does not overtake the large values. */
    if (env->link->big_done < j->big_until && (j->kind != JOB_STREAM || j->epoch_count == 0)) {
        return RC_FULL;
    }
    switch (j->kind) {
    case JOB_IDS:
        return emit_ids(j, env, FRAME_SYNC_IDS);
    case JOB_SUMS:
        return emit_sums(j, env);
    case JOB_COMPARE:
        return compare_sums(j, env);
    case JOB_DIFF:
        return emit_ids(j, env, FRAME_SYNC_WANT);
    case JOB_SEND:
        return emit_done(j, env);
    case JOB_STREAM:
        return stream_next(j, env);
    }
    return RC_OK;
}
