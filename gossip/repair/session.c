#include "gossip/repair/session.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>

struct sync_side *side_of(struct link *l)
{
    if (l->sync == NULL) {
        l->sync = mem_new(1, sizeof(*l->sync));
        l->sync->link = l;
    }
    return l->sync;
}

void side_push(struct sync_side *side, struct job *j)
{
    j->next = NULL;
    *(side->jobs == NULL ? &side->jobs : &side->last_job->next) = j;
    side->last_job = j;
    side->job_count++;
}

static struct job *take_first(struct sync_side *side)
{
    struct job *j = side->jobs;
    ASSERT(j != NULL);
    side->jobs = j->next;
    side->last_job = side->jobs == NULL ? NULL : side->last_job;
    side->job_count--;
    return j;
}

void side_pop(struct sync_side *side, struct store *store)
{
    job_free(take_first(side), store);
}

/* Drops the jobs of one kind. */
static void drop_jobs(struct sync_side *side, struct store *store, enum job_kind kind)
{
    for (uint32_t left = side->job_count; left > 0; left--) {
        struct job *j = take_first(side);
        if (j->kind == kind) {
            job_free(j, store);
        } else {
            side_push(side, j);
        }
    }
}

void side_begin(struct sync_side *side, uint64_t cut_s, uint64_t key, uint64_t now_us)
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

void side_end(struct sync_side *side, struct store *store, uint64_t now_us)
{
    const uint64_t pause_us = 4 * (now_us - side->begun_at_us);
    side->is_active = false;
    side->is_pushing = false;
    side->soonest_us = now_us + SYNC_PAUSE_US;
    side->not_before_us = now_us + (pause_us > SYNC_PAUSE_US ? pause_us : SYNC_PAUSE_US);
    scope_fini(&side->push_scope);
    scope_fini(&side->list_scope);
    scope_fini(&side->stream_scope);
    source_free(side->list, store);
    source_free(side->stream, store);
    side->list = NULL;
    side->stream = NULL;
    drop_jobs(side, store, JOB_PUSH);
}

void side_abort(struct sync_side *side, struct store *store)
{
    if (side->is_active) {
        side->link->needs_sync = side->link->needs_sync || side->cut_s == SYNC_CUT_ALL;
        side_end(side, store, side->moved_at_us);
    }
}

void side_forget_peer(struct sync_side *side, struct store *store)
{
    side->peer.is_known = false;
    sink_free(side->sink, store);
    side->sink = NULL;
    job_free(side->answer, store);
    side->answer = NULL;
    drop_jobs(side, store, JOB_ANSWER);
}

void side_drop(struct sync_side *side, struct store *store)
{
    side_forget_peer(side, store);
    side_abort(side, store);
    drop_jobs(side, store, JOB_JOIN);
}

void side_free(struct sync_side *side, struct store *store)
{
    if (side != NULL) {
        ASSERT(!side->is_listed);
        side_drop(side, store);
        free(side);
    }
}

bool side_is_idle(const struct sync_side *side)
{
    return !side->is_active && side->jobs == NULL && side->sink == NULL && side->answer == NULL;
}

void side_check(const struct sync_side *side)
{
    uint32_t count = 0;
    for (const struct job *j = side->jobs; j != NULL; j = j->next) {
        count++;
    }
    ASSERT(count == side->job_count && count <= SYNC_JOBS_MAX + 1);
    ASSERT(side->is_active || (side->list == NULL && side->stream == NULL && !side->is_pushing));
    ASSERT(side->link->sync == side);
    ASSERT(side_is_idle(side) || side->is_listed);
}
