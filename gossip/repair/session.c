#include "gossip/repair/session.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

struct session *session_of(struct link *l)
{
    if (l->sync == NULL) {
        l->sync = mem_new(1, sizeof(*l->sync));
        l->sync->link = l;
    }
    return l->sync;
}

void session_push(struct session *side, struct epoch_sender *j)
{
    j->next = NULL;
    *(side->jobs == NULL ? &side->jobs : &side->last_job->next) = j;
    side->last_job = j;
    side->job_count++;
}

static struct epoch_sender *take_first(struct session *side)
{
    struct epoch_sender *j = side->jobs;
    ASSERT(j != NULL);
    side->jobs = j->next;
    side->last_job = side->jobs == NULL ? NULL : side->last_job;
    side->job_count--;
    return j;
}

void session_pop(struct session *side, struct store *store)
{
    epoch_sender_free(take_first(side), store);
}

/* Drops the jobs of one kind. */
static void drop_jobs(struct session *side, struct store *store, enum epoch_sender_kind kind)
{
    for (uint32_t left = side->job_count; left > 0; left--) {
        struct epoch_sender *j = take_first(side);
        if (j->kind == kind) {
            epoch_sender_free(j, store);
        } else {
            session_push(side, j);
        }
    }
}

void session_begin(struct session *side, uint64_t cut_s, uint64_t key, uint64_t now_us)
{
    ASSERT(!side->is_active);
    side->is_active = true;
    side->is_answered = false;
    side->session++;
    side->cut_s = cut_s;
    side->key = key;
    side->begun_at_us = now_us;
    side->moved_at_us = now_us;
    side->list_entries = 0;
    side->stream_entries = 0;
    side->groups = 0;
    side->groups_differing = 0;
    side->epochs = 0;
    side->epochs_differing = 0;
    side->exchanged = 0;
}

void session_end(struct session *side, struct store *store, uint64_t now_us)
{
    const uint64_t pause_us = 4 * (now_us - side->begun_at_us);
    side->is_active = false;
    side->is_pushing = false;
    side->soonest_us = now_us + SYNC_PAUSE_US;
    side->not_before_us = now_us + (pause_us > SYNC_PAUSE_US ? pause_us : SYNC_PAUSE_US);
    scope_fini(&side->push_scope);
    scope_fini(&side->list_scope);
    scope_fini(&side->stream_scope);
    cells_source_free(side->list, store);
    cells_source_free(side->stream, store);
    side->list = NULL;
    side->stream = NULL;
    drop_jobs(side, store, EPOCH_SENDER_PUSH);
}

void session_abort(struct session *side, struct store *store)
{
    if (side->is_active) {
        if (side->cut_s == SYNC_CUT_ALL) {
            link_ask_repair(side->link, REPAIR_CUT_SHORT);
        }
        session_end(side, store, side->moved_at_us);
    }
}

void session_forget_peer(struct session *side, struct store *store)
{
    side->peer.is_known = false;
    cells_sink_free(side->sink, store);
    side->sink = NULL;
    epoch_sender_free(side->answer, store);
    side->answer = NULL;
    drop_jobs(side, store, EPOCH_SENDER_ANSWER);
}

void session_drop(struct session *side, struct store *store)
{
    session_forget_peer(side, store);
    session_abort(side, store);
    drop_jobs(side, store, EPOCH_SENDER_JOIN);
}

void session_free(struct session *side, struct store *store)
{
    if (side != NULL) {
        ASSERT(!side->is_listed);
        session_drop(side, store);
        free(side);
    }
}

static uint64_t scope_memory(const struct scope *scope)
{
    return scope->size * sizeof(struct scope_row);
}

static uint64_t sender_memory(const struct epoch_sender *j)
{
    return j == NULL ? 0
                     : sizeof(*j) + scope_memory(&j->scope) + j->ids.size * sizeof(*j->ids.slots);
}

static uint64_t table_memory(const struct iblt *table)
{
    return table->size * sizeof(*table->cells);
}

static uint64_t source_memory(const struct cells_source *s)
{
    return s == NULL
               ? 0
               : sizeof(*s) + scope_memory(&s->column.scope) + table_memory(&s->column.table) +
                     s->wanted.size * sizeof(*s->wanted.slots);
}

static uint64_t sink_memory(const struct cells_sink *k)
{
    if (k == NULL) {
        return 0;
    }
    const struct iblt_decoder *d = &k->decoder;
    return sizeof(*k) + scope_memory(&k->column.scope) + table_memory(&k->column.table) +
           table_memory(&d->diff) + d->item_size * sizeof(*d->items) +
           d->pending_size * sizeof(*d->pending) + k->ours.size * sizeof(*k->ours.slots) +
           k->their_size * sizeof(*k->theirs);
}

uint64_t session_memory(const struct session *side)
{
    uint64_t bytes = sizeof(*side) + scope_memory(&side->push_scope) +
                     scope_memory(&side->list_scope) + scope_memory(&side->stream_scope) +
                     source_memory(side->list) + source_memory(side->stream) +
                     sink_memory(side->sink) + sender_memory(side->answer);
    for (const struct epoch_sender *j = side->jobs; j != NULL; j = j->next) {
        bytes += sender_memory(j);
    }
    return bytes;
}

bool session_is_idle(const struct session *side)
{
    return !side->is_active && side->jobs == NULL && side->sink == NULL && side->answer == NULL;
}

void session_check(const struct session *side)
{
    uint32_t count = 0;
    for (const struct epoch_sender *j = side->jobs; j != NULL; j = j->next) {
        count++;
    }
    ASSERT(count == side->job_count && count <= SYNC_JOBS_MAX + 1);
    ASSERT(side->is_active || (side->list == NULL && side->stream == NULL && !side->is_pushing));
    ASSERT(side->link->sync == side);
    ASSERT(session_is_idle(side) || side->is_listed);
}
