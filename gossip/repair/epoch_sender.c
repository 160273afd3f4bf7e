#include "gossip/repair/epoch_sender.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct epoch_sender *epoch_sender_new(enum epoch_sender_kind kind, struct scope *scope)
{
    struct epoch_sender *j = mem_new(1, sizeof(*j));
    j->kind = kind;
    j->cut_s = UINT64_MAX;
    j->scope = *scope;
    *scope = (struct scope){.rows = NULL};
    idset_init(&j->ids, EPOCH_SENDER_IDS_MAX);
    return j;
}

void epoch_sender_free(struct epoch_sender *j, struct store *store)
{
    if (j == NULL) {
        return;
    }
    store_walk_end(store, &j->walk);
    scope_fini(&j->scope);
    idset_fini(&j->ids);
    free(j);
}

void epoch_sender_select_part(struct scope *scope, const struct store *store, uint8_t part,
                              uint8_t of)
{
    ASSERT(of > 0);
    struct digest digest;
    for (uint64_t epoch = 0; store_next_epoch(store, UINT64_MAX, &epoch, &digest) == RC_OK;
         epoch++) {
        if (epoch % of == part) {
            /* Beyond SCOPE_ROWS_MAX groups there is nothing: record_check() sees to that. */
            (void)!scope_add(scope, epoch / EPOCHS_PER_GROUP,
                             UINT64_C(1) << (epoch % EPOCHS_PER_GROUP));
        }
    }
}

/* The waiting write of this record that this member is not known to hold. */
static uint32_t waiter_of(const struct epoch_sender_env *env, const struct record *r)
{
    if (quorum_count(env->quorum) == 0) {
        return 0;
    }
    const uint32_t waiter =
        quorum_find(env->quorum, record_write_id(r, store_digest_seed(env->store)), &r->version);
    return quorum_part(env->quorum, waiter, &env->link->member->uuid) == QUORUM_HOLDS ? 0 : waiter;
}

bool epoch_sender_send_record(const struct epoch_sender_env *env, const struct record *r)
{
    const uint32_t waiter = waiter_of(env, r);
    const bool is_queued = waiter != 0 || r->blob != NULL;
    const struct queued_write write = {.handle = is_queued ? store_find(env->store, r) : 0,
                                       .waiter = waiter,
                                       .version = r->version,
                                       .kind = waiter != 0 ? RECORD_IS_COUNTED : 0};
    if (waiter != 0) {
        return link_enqueue(env->link, &write, r->blob != NULL) == RC_OK;
    }
    if (link_bulk_record(env->link, r, write.handle) != RC_OK) {
        return false;
    }
    env->counters->sync_records_sent++;
    env->counters->sync_shadows_sent += r->is_shadow;
    return true;
}

static void visit(struct epoch_sender *j, const struct epoch_sender_env *env,
                  const struct record *r)
{
    const bool is_left_out =
        j->kind == EPOCH_SENDER_ANSWER &&
        (version_ms(&r->version) / 1000 > j->cut_s || idset_remove(&j->ids, record_id(r, j->key)));
    if (!is_left_out && epoch_sender_send_record(env, r)) {
        j->sent++;
        j->big_until = env->link->big_queued;
    }
}

/* A slice of the walk. RC_OK when the last epoch is over. */
static enum rc walk_slice(struct epoch_sender *j, const struct epoch_sender_env *env)
{
    for (int i = 0; i < EPOCH_SENDER_STEP_ENTRIES; i++) {
        struct record r;
        if (!link_bulk_has_room(env->link)) {
            return RC_FULL;
        }
        if (!j->walk.is_open) {
            j->has_epoch = j->has_epoch || scope_pop(&j->scope, &j->epoch);
            if (!j->has_epoch) {
                return RC_OK;
            }
            if (store_walk_begin(env->store, j->epoch, &j->walk) != RC_OK) {
                return RC_AGAIN;
            }
            j->has_epoch = false;
        }
        if (store_walk_next(env->store, &j->walk, env->now_ms, &r) == RC_OK) {
            visit(j, env, &r);
        } else {
            store_walk_end(env->store, &j->walk);
        }
    }
    return RC_AGAIN;
}

/* Asks for the ids that are left of the list, in frames of SYNC_LIST_MAX, the last one marked. */
static enum rc emit_want(struct epoch_sender *j, const struct epoch_sender_env *env)
{
    enum { SIZE = 6 + 8 * SYNC_LIST_MAX };
    bool is_last = false;
    while (!is_last) {
        if (!link_bulk_has_room(env->link)) {
            return RC_FULL;
        }
        uint8_t *payload = mem_new(1, SIZE);
        struct cursor c = cursor_writer(payload, SIZE);
        uint64_t id = 0;
        cursor_put_u8(&c, j->session);
        cursor_put_u8(&c, WANT_OF_LIST);
        cursor_put_u32(&c, (uint32_t)j->sent);
        for (int n = 0; n < SYNC_LIST_MAX && idset_next(&j->ids, &j->emitted, &id); n++) {
            cursor_put_u64(&c, id);
            j->emitted++;
        }
        is_last = !idset_next(&j->ids, &j->emitted, &id);
        payload[1] |= is_last ? WANT_IS_LAST : 0;
        ASSERT(cursor_ok(&c));
        const enum rc rc = link_bulk(env->link, FRAME_SYNC_WANT, payload, c.pos);
        free(payload);
        if (rc != RC_OK) {
            return rc;
        }
    }
    return RC_OK;
}

static enum rc emit_join_done(const struct epoch_sender *j, const struct epoch_sender_env *env)
{
    uint8_t payload[10];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, j->join_part);
    cursor_put_u8(&c, j->join_of);
    cursor_put_u64(&c, j->sent);
    return link_bulk(env->link, FRAME_JOIN_DONE, payload, c.pos);
}

enum rc epoch_sender_step(struct epoch_sender *j, const struct epoch_sender_env *env)
{
    if (!link_bulk_has_room(env->link)) {
        return RC_FULL;
    }
    if (!j->is_over) {
        const enum rc rc = walk_slice(j, env);
        if (rc != RC_OK) {
            return rc;
        }
        j->is_over = true;
    }
    /* The frame that says that all has been sent must not overtake the large values. */
    if (env->link->big_done < j->big_until) {
        return RC_FULL;
    }
    switch (j->kind) {
    case EPOCH_SENDER_PUSH:
        return RC_OK;
    case EPOCH_SENDER_ANSWER:
        return emit_want(j, env);
    case EPOCH_SENDER_JOIN:
        return emit_join_done(j, env);
    }
    return RC_OK;
}
