#include "gossip/sync.h"

#include "core/assert.h"
#include "core/mem.h"
#include "gossip/job.h"
#include "gossip/join.h"
#include "gossip/sync_side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sync {
    struct sync_config config;
    struct join join;
    bool is_busy;      /* the last turn left work that could go on at once */
    bool is_under_way; /* some link's side had something to do in the last turn, or has since */
};

struct sync *sync_new(const struct sync_config *config)
{
    struct sync *s = mem_new(1, sizeof(*s));
    s->config = *config;
    return s;
}

void sync_free(struct sync *s)
{
    free(s);
}

static void notice_done(struct sync *s, const struct link *l, uint64_t records)
{
    struct notice notice = {.kind = NOTICE_SYNC_DONE, .value = (int64_t)records, .addr = l->addr};
    if (l->member != NULL) {
        notice.member = l->member->uuid;
        (void)snprintf(notice.name, sizeof(notice.name), "%s", member_name(l->member));
    }
    outbox_notice(s->config.outbox, &notice);
}

void sync_link_gone(struct sync *s, struct link *l)
{
    side_free(l->sync, s->config.store);
    l->sync = NULL;
    join_link_gone(&s->join, l->id);
}

/* ---- The initiator ---- */

enum rc sync_start(struct sync *s, struct link *l, uint64_t cut_s, uint64_t now_us)
{
    struct sync_side *side = side_of(l);
    if (l->state != LINK_OPEN || l->is_conflict || side->is_active || side->jobs != NULL ||
        now_us < side->not_before_us || now_us < side->responding_until_us) {
        return RC_AGAIN;
    }
    enum { SIZE = FRAME_PAYLOAD_MAX };
    uint8_t *payload = mem_new(1, SIZE);
    struct cursor c = cursor_writer(payload, SIZE);
    struct digest digest;
    cursor_put_u64(&c, cut_s);
    for (uint64_t group = 0; store_next_group(s->config.store, cut_s, &group, &digest) == RC_OK;
         group++) {
        cursor_put_u32(&c, (uint32_t)group);
        cursor_put_u64(&c, digest.sum);
    }
    ASSERT(cursor_ok(&c));
    const enum rc rc = link_bulk(l, FRAME_SYNC_GROUPS, payload, c.pos);
    free(payload);
    if (rc != RC_OK) {
        return RC_AGAIN;
    }
    side_begin(side, cut_s, now_us);
    s->is_under_way = true;
    s->config.counters->syncs_started++;
    mesh_ask_output(s->config.mesh, l);
    return RC_OK;
}

static void finish(struct sync *s, struct link *l, uint64_t now_us)
{
    struct sync_side *side = l->sync;
    side_end(side, now_us);
    s->config.counters->syncs_finished++;
    if (side->exchanged > 0) {
        notice_done(s, l, side->exchanged);
    }
}

static void finish_if_done(struct sync *s, struct link *l, uint64_t now_us)
{
    struct sync_side *side = l->sync;
    if (side->is_active && side->is_answered && side->next_epoch == side->epoch_count &&
        side->open_count == 0) {
        finish(s, l, now_us);
    }
}

/* Opens the next differing epochs, as many as may be open at once. */
static void open_epochs(struct sync *s, struct link *l, uint64_t now_us)
{
    struct sync_side *side = l->sync;
    while (side->open_count < SYNC_EPOCHS_AT_ONCE && side->next_epoch < side->epoch_count) {
        const struct differing *d = &side->epochs[side->next_epoch++];
        const bool is_large = d->count > JOB_DIVIDE_ABOVE;
        side_push(side, job_new(is_large ? JOB_SUMS : JOB_IDS, d->epoch));
        side->open_count++;
        s->is_busy = true;
    }
    finish_if_done(s, l, now_us);
}

static void epoch_done(struct sync *s, struct link *l, uint64_t now_us)
{
    struct sync_side *side = l->sync;
    if (side->is_active && side->open_count > 0) {
        side->open_count--;
        open_epochs(s, l, now_us);
    }
}

/* The epochs of one group as the peer has them, against ours: what differs is noted. */
static enum rc compare_group(struct sync *s, struct sync_side *side, uint64_t group,
                             struct cursor *c, uint32_t peer_count)
{
    struct digest peer[EPOCHS_PER_GROUP] = {{0}};
    struct digest own[EPOCHS_PER_GROUP] = {{0}};
    for (uint32_t i = 0; i < peer_count; i++) {
        const uint8_t at = cursor_u8(c);
        const uint64_t sum = cursor_u64(c);
        const uint32_t count = cursor_u32(c);
        if (at >= EPOCHS_PER_GROUP) {
            return RC_MALFORMED;
        }
        peer[at] = (struct digest){.sum = sum, .count = count};
    }
    const uint64_t first = group * EPOCHS_PER_GROUP;
    struct digest digest;
    for (uint64_t e = first; store_next_epoch(s->config.store, side->cut_s, &e, &digest) == RC_OK &&
                             e < first + EPOCHS_PER_GROUP;
         e++) {
        own[e - first] = digest;
    }
    for (uint32_t i = 0; i < EPOCHS_PER_GROUP; i++) {
        const uint64_t count = own[i].count > peer[i].count ? own[i].count : peer[i].count;
        if ((own[i].sum != peer[i].sum || own[i].count != peer[i].count) &&
            !side_note(side, first + i, count)) {
            return RC_MALFORMED;
        }
    }
    return RC_OK;
}

static enum rc take_epochs(struct sync *s, struct link *l, struct cursor *c, uint64_t now_us)
{
    struct sync_side *side = side_of(l);
    if (!side->is_active || side->is_answered) {
        return RC_OK; /* of a session that was given up */
    }
    const bool is_last = cursor_u8(c) != 0;
    while (cursor_ok(c) && cursor_left(c) > 0) {
        const uint64_t group = cursor_u32(c);
        const enum rc rc = compare_group(s, side, group, c, cursor_u8(c));
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    side->is_answered = is_last;
    if (is_last) {
        open_epochs(s, l, now_us);
    }
    return RC_OK;
}

/* ---- The responder ---- */

struct group_sum {
    uint32_t group;
    uint64_t sum;
};

/* Appends a group's epochs as we have them: (group, n, (epoch in group, sum, count)*n). */
static void write_group(const struct sync *s, struct cursor *c, uint64_t cut_s, uint64_t group)
{
    const uint64_t first = group * EPOCHS_PER_GROUP;
    struct digest digest;
    uint8_t count = 0;
    cursor_put_u32(c, (uint32_t)group);
    const size_t count_at = c->pos;
    cursor_put_u8(c, 0);
    for (uint64_t e = first; store_next_epoch(s->config.store, cut_s, &e, &digest) == RC_OK &&
                             e < first + EPOCHS_PER_GROUP;
         e++) {
        cursor_put_u8(c, (uint8_t)(e - first));
        cursor_put_u64(c, digest.sum);
        cursor_put_u32(c, (uint32_t)digest.count);
        count++;
    }
    ASSERT(cursor_ok(c));
    c->out[count_at] = count;
}

/* Answers with our epochs of every group whose sum differs, in as many frames as it takes. */
static enum rc answer_groups(struct sync *s, struct link *l, uint64_t cut_s,
                             const struct group_sum *peer, size_t peer_count)
{
    enum { SIZE = FRAME_PAYLOAD_MAX, GROUP_SIZE_MAX = 5 + 13 * EPOCHS_PER_GROUP };
    uint8_t *payload = mem_new(1, SIZE);
    struct cursor c = cursor_writer(payload, SIZE);
    enum rc rc = RC_OK;
    cursor_put_u8(&c, 0);
    size_t i = 0;
    uint64_t own_group = 0;
    struct digest own;
    bool has_own = store_next_group(s->config.store, cut_s, &own_group, &own) == RC_OK;
    while (rc == RC_OK && (has_own || i < peer_count)) {
        const bool takes_own = has_own && (i == peer_count || own_group <= peer[i].group);
        const bool takes_peer = i < peer_count && (!has_own || peer[i].group <= own_group);
        const uint64_t group = takes_own ? own_group : peer[i].group;
        if (!(takes_own && takes_peer && own.sum == peer[i].sum)) {
            write_group(s, &c, cut_s, group);
        }
        i += takes_peer;
        if (takes_own) {
            own_group++;
            has_own = store_next_group(s->config.store, cut_s, &own_group, &own) == RC_OK;
        }
        if (cursor_left(&c) < GROUP_SIZE_MAX) {
            rc = link_bulk(l, FRAME_SYNC_EPOCHS, payload, c.pos);
            c = cursor_writer(payload, SIZE);
            cursor_put_u8(&c, 0);
        }
    }
    payload[0] = 1;
    if (rc == RC_OK) {
        rc = link_bulk(l, FRAME_SYNC_EPOCHS, payload, c.pos);
    }
    free(payload);
    return rc;
}

static enum rc take_groups(struct sync *s, struct link *l, struct cursor *c,
                           const struct uuid *self, uint64_t now_us)
{
    struct sync_side *side = side_of(l);
    const uint64_t cut_s = cursor_u64(c);
    if (side->is_active) {
        if (uuid_compare(self, &l->member->uuid) < 0) {
            /* Ours stays, and the peer's is over at once. Ours may look at less than it would. */
            static const uint8_t nothing[1] = {1};
            l->needs_sync = l->needs_sync || cut_s == SYNC_CUT_ALL;
            return link_bulk(l, FRAME_SYNC_EPOCHS, nothing, sizeof(nothing));
        }
        side_cancel(side, s->config.store);
    }
    const size_t count = cursor_left(c) / 12;
    if (!cursor_ok(c) || cursor_left(c) % 12 != 0) {
        return RC_MALFORMED;
    }
    struct group_sum *groups = mem_new(count + 1, sizeof(*groups));
    bool is_sorted = true;
    for (size_t i = 0; i < count; i++) {
        groups[i].group = cursor_u32(c);
        groups[i].sum = cursor_u64(c);
        is_sorted = is_sorted && (i == 0 || groups[i - 1].group < groups[i].group);
    }
    const enum rc rc = is_sorted ? answer_groups(s, l, cut_s, groups, count) : RC_MALFORMED;
    free(groups);
    side->responding_until_us = now_us + SIDE_RESPONDING_US;
    return rc;
}

static enum rc take_sums(struct link *l, struct cursor *c)
{
    struct sync_side *side = side_of(l);
    const uint64_t epoch = cursor_u32(c);
    if (!cursor_ok(c) || cursor_left(c) != PART_COUNT * sizeof(uint64_t) ||
        side->job_count == SYNC_JOBS_MAX) {
        return RC_MALFORMED;
    }
    struct job *j = job_new(JOB_COMPARE, epoch);
    for (int i = 0; i < PART_COUNT; i++) {
        j->peer_sums[i] = cursor_u64(c);
    }
    side_push(side, j);
    return RC_OK;
}

/* ---- Both ---- */

/* Collects a list of ids that may come in several frames into the job that will work on it. */
static enum rc take_list(struct sync *s, struct link *l, struct cursor *c, enum job_kind kind)
{
    struct sync_side *side = side_of(l);
    const uint64_t epoch = cursor_u32(c);
    const bool is_last = cursor_u8(c) != 0;
    const bool has_parts = kind == JOB_DIFF && cursor_u8(c) != 0;
    const uint8_t *parts = has_parts ? cursor_bytes(c, JOB_PART_BYTES) : NULL;
    if (!cursor_ok(c) || cursor_left(c) % 8 != 0) {
        return RC_MALFORMED;
    }
    struct job **partial = kind == JOB_DIFF ? &side->partial_diff : &side->partial_send;
    if (*partial == NULL) {
        *partial = job_new(kind, epoch);
        (*partial)->has_parts = has_parts;
        if (has_parts) {
            memcpy((*partial)->parts, parts, JOB_PART_BYTES);
        }
    }
    struct job *j = *partial;
    if (j->epoch != epoch || side->job_count == SYNC_JOBS_MAX) {
        return RC_MALFORMED;
    }
    while (cursor_left(c) > 0) {
        const uint64_t id = cursor_u64(c);
        if (side->id_count == SYNC_IDS_MAX || idset_add(&j->ids, id) != RC_OK) {
            return RC_MALFORMED;
        }
        side->id_count++;
        j->listed++;
        const uint32_t waiter = kind == JOB_DIFF ? replica_find(s->config.replica, id) : 0;
        if (waiter != 0) {
            replica_held(s->config.replica, waiter, l->member->slot);
        }
    }
    if (is_last) {
        *partial = NULL;
        side_push(side, j);
    }
    return RC_OK;
}

static enum rc take_join(struct sync *s, struct link *l, struct cursor *c)
{
    struct sync_side *side = side_of(l);
    const uint8_t part = cursor_u8(c);
    const uint8_t of = cursor_u8(c);
    if (!cursor_ok(c) || of == 0 || part >= of || side->job_count == SYNC_JOBS_MAX) {
        return RC_MALFORMED;
    }
    struct job *j = job_new(JOB_STREAM, UINT64_MAX);
    job_stream_select(j, s->config.store, part, of);
    side_push(side, j);
    return RC_OK;
}

static enum rc take_done(struct sync *s, struct link *l, struct cursor *c, uint64_t now_us)
{
    (void)cursor_u32(c);
    const uint32_t sent = cursor_u32(c);
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    side_of(l)->exchanged += sent;
    epoch_done(s, l, now_us);
    return RC_OK;
}

enum rc sync_frame(struct sync *s, struct link *l, enum frame_type type, struct cursor *payload,
                   const struct uuid *self, uint64_t now_us)
{
    enum rc rc = RC_MALFORMED;
    side_of(l)->moved_at_us = now_us;
    switch ((int)type) {
    case FRAME_SYNC_GROUPS:
        rc = take_groups(s, l, payload, self, now_us);
        break;
    case FRAME_SYNC_EPOCHS:
        rc = take_epochs(s, l, payload, now_us);
        break;
    case FRAME_SYNC_SUMS:
        rc = take_sums(l, payload);
        break;
    case FRAME_SYNC_IDS:
        rc = take_list(s, l, payload, JOB_DIFF);
        break;
    case FRAME_SYNC_WANT:
        rc = take_list(s, l, payload, JOB_SEND);
        break;
    case FRAME_SYNC_DONE:
        rc = take_done(s, l, payload, now_us);
        break;
    case FRAME_JOIN:
        rc = take_join(s, l, payload);
        break;
    case FRAME_JOIN_DONE:
        rc = join_part_done(&s->join, l->id, payload);
        break;
    default:
        break;
    }
    s->is_busy = true;
    s->is_under_way = true;
    if (side_of(l)->responding_until_us > 0) {
        l->sync->responding_until_us = now_us + SIDE_RESPONDING_US;
    }
    mesh_ask_output(s->config.mesh, l);
    return rc;
}

/* A slice of the link's oldest job. True when it could go on at once. */
static bool work(struct sync *s, struct link *l, uint64_t now_us, uint64_t now_ms)
{
    struct sync_side *side = l->sync;
    struct job *j = side->jobs;
    if (j == NULL) {
        return false;
    }
    const struct job_env env = {
        .store = s->config.store,
        .link = l,
        .counters = s->config.counters,
        .now_ms = now_ms,
    };
    const enum rc rc = job_step(j, &env);
    side->moved_at_us = rc == RC_FULL ? side->moved_at_us : now_us;
    mesh_ask_output(s->config.mesh, l);
    if (rc != RC_OK) {
        return rc == RC_AGAIN;
    }
    const bool is_send = j->kind == JOB_SEND;
    side->exchanged += j->sent;
    side_pop(side, s->config.store);
    if (is_send) {
        epoch_done(s, l, now_us);
    }
    return side->jobs != NULL;
}

/* Gives up what does not move any more. */
static void look_for_stall(const struct sync *s, const struct link *l, uint64_t now_us)
{
    struct sync_side *side = l->sync;
    if (side->progress != l->progress) {
        side->progress = l->progress;
        side->moved_at_us = now_us;
    }
    const bool is_stalled = now_us - side->moved_at_us > SYNC_STALL_US;
    if (side->is_active && (is_stalled || now_us - side->begun_at_us > SYNC_LENGTH_MAX_US)) {
        side_cancel(side, s->config.store);
    }
    if (is_stalled) {
        side_drop(side, s->config.store);
    }
}

void sync_turn(struct sync *s, uint64_t now_us, uint64_t now_ms, bool awaits_donor)
{
    if (!s->is_under_way && !join_is_active(&s->join)) {
        return;
    }
    s->is_busy = false;
    s->is_under_way = false;
    uint32_t slot = 0;
    for (struct link *l; (l = mesh_next(s->config.mesh, &slot)) != NULL; slot++) {
        if (l->sync == NULL || l->state != LINK_OPEN) {
            continue;
        }
        s->is_busy = work(s, l, now_us, now_ms) || s->is_busy;
        look_for_stall(s, l, now_us);
        s->is_under_way = s->is_under_way || l->sync->is_active || l->sync->jobs != NULL;
    }
    if (join_is_active(&s->join)) {
        const struct join_env env = {
            .mesh = s->config.mesh,
            .outbox = s->config.outbox,
            .enclave = s->config.enclave,
            .awaits_donor = awaits_donor,
        };
        join_turn(&s->join, &env, now_us);
    }
}

void sync_wake(struct sync *s, const struct link *l)
{
    s->is_busy = s->is_busy || (l->sync != NULL && l->sync->jobs != NULL);
}

uint64_t sync_deadline(const struct sync *s)
{
    return s->is_busy ? 0 : UINT64_MAX;
}

bool sync_is_under_way(const struct sync *s)
{
    return s->is_under_way || join_is_active(&s->join);
}

/* ---- Joining ---- */

void sync_join(struct sync *s, uint64_t now_us)
{
    join_begin(&s->join, now_us);
}

bool sync_is_joining(const struct sync *s)
{
    return join_is_active(&s->join);
}

void sync_join_alone(struct sync *s)
{
    join_end(&s->join);
}

void sync_check(const struct sync *s)
{
    uint32_t slot = 0;
    for (struct link *l; (l = mesh_next(s->config.mesh, &slot)) != NULL; slot++) {
        if (l->sync != NULL) {
            side_check(l->sync);
        }
    }
}
