#include "gossip/sync_side.h"

#include "core/assert.h"
#include "core/mem.h"
#include "gossip/sync.h"

#include <stdlib.h>

struct sync_side *side_of(struct link *l)
{
    if (l->sync == NULL) {
        l->sync = mem_new(1, sizeof(*l->sync));
    }
    return l->sync;
}

static void drop_jobs(struct sync_side *side, struct store *store, bool keeps_streams)
{
    struct job *kept = NULL;
    struct job **end = &kept;
    while (side->jobs != NULL) {
        struct job *j = side->jobs;
        if (keeps_streams && j->kind == JOB_STREAM) {
            side->jobs = j->next;
            side->job_count--;
            j->next = NULL;
            *end = j;
            end = &j->next;
        } else {
            side_pop(side, store);
        }
    }
    job_free(side->partial_diff, store);
    job_free(side->partial_send, store);
    side->partial_diff = NULL;
    side->partial_send = NULL;
    side->id_count = 0;
    while (kept != NULL) {
        struct job *j = kept;
        kept = j->next;
        j->next = NULL;
        side_push(side, j);
    }
}

void side_drop(struct sync_side *side, struct store *store)
{
    drop_jobs(side, store, false);
}

void side_free(struct sync_side *side, struct store *store)
{
    if (side == NULL) {
        return;
    }
    drop_jobs(side, store, false);
    free(side->epochs);
    free(side);
}

void side_begin(struct sync_side *side, uint64_t cut_s, uint64_t now_us)
{
    side->is_active = true;
    side->is_answered = false;
    side->cut_s = cut_s;
    side->begun_at_us = now_us;
    side->moved_at_us = now_us;
    side->epoch_count = 0;
    side->next_epoch = 0;
    side->open_count = 0;
    side->exchanged = 0;
}

void side_end(struct sync_side *side, uint64_t now_us)
{
    const uint64_t pause_us = 4 * (now_us - side->begun_at_us);
    side->is_active = false;
    side->not_before_us = now_us + (pause_us > SYNC_PAUSE_US ? pause_us : SYNC_PAUSE_US);
    free(side->epochs);
    side->epochs = NULL;
    side->epoch_size = 0;
}

void side_cancel(struct sync_side *side, struct store *store)
{
    drop_jobs(side, store, true);
    side_end(side, side->moved_at_us);
}

bool side_note(struct sync_side *side, uint64_t epoch, uint64_t count)
{
    if (side->epoch_count == SYNC_EPOCHS_MAX) {
        return false;
    }
    if (side->epoch_count == side->epoch_size) {
        side->epoch_size = side->epoch_size == 0 ? 16 : 2 * side->epoch_size;
        side->epochs = mem_resize(side->epochs, side->epoch_size, sizeof(*side->epochs));
    }
    side->epochs[side->epoch_count++] = (struct differing){.epoch = epoch, .count = count};
    return true;
}

void side_push(struct sync_side *side, struct job *j)
{
    *(side->jobs == NULL ? &side->jobs : &side->last_job->next) = j;
    side->last_job = j;
    side->job_count++;
}

void side_pop(struct sync_side *side, struct store *store)
{
    struct job *j = side->jobs;
    side->jobs = j->next;
    side->last_job = side->jobs == NULL ? NULL : side->last_job;
    side->job_count--;
    side->id_count -= j->listed;
    job_free(j, store);
}

void side_check(const struct sync_side *side)
{
    uint32_t count = 0;
    for (const struct job *j = side->jobs; j != NULL; j = j->next) {
        count++;
    }
    ASSERT(count == side->job_count && count <= SYNC_JOBS_MAX + SYNC_EPOCHS_AT_ONCE);
    ASSERT(side->next_epoch <= side->epoch_count);
    ASSERT(side->open_count <= SYNC_EPOCHS_AT_ONCE);
}
