#include "gossip/repair/sync.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/series.h"
#include "core/base/units.h"
#include "gossip/repair/initiator.h"
#include "gossip/repair/join.h"
#include "gossip/repair/responder.h"
#include "gossip/repair/session.h"

#include <stdlib.h>

struct sync {
    struct sync_config config;
    struct series keys;
    struct join join;
    struct session *sides; /* links with something under way; the first has its turn */
    bool is_busy;          /* the last turn left work that could go on at once */
    uint64_t tell_at_us;   /* when the links get the root; NEVER: they do not */
    uint64_t tell_again_at_us;
};

struct sync *sync_new(const struct sync_config *config)
{
    struct sync *s = mem_new(1, sizeof(*s));
    s->config = *config;
    s->tell_at_us = NEVER;
    s->tell_again_at_us = NEVER;
    series_init(&s->keys, config->secret, "sync");
    return s;
}

void sync_free(struct sync *s)
{
    free(s);
}

/* ---- Who has something to do ---- */

static void enlist(struct sync *s, struct session *side)
{
    if (!side->is_listed) {
        side->next = s->sides;
        s->sides = side;
        side->is_listed = true;
    }
}

static void unlist(struct sync *s, struct session *side)
{
    for (struct session **at = &s->sides; *at != NULL; at = &(*at)->next) {
        if (*at == side) {
            *at = side->next;
            side->is_listed = false;
            return;
        }
    }
}

/* The first one goes to the end. */
static void rotate(struct sync *s)
{
    struct session *first = s->sides;
    if (first == NULL || first->next == NULL) {
        return;
    }
    struct session **end = &s->sides;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    s->sides = first->next;
    first->next = NULL;
    *end = first;
}

void sync_link_gone(struct sync *s, struct link *l)
{
    if (l->sync != NULL) {
        unlist(s, l->sync);
        session_free(l->sync, s->config.store);
        l->sync = NULL;
    }
    join_link_gone(&s->join, l->id);
}

/* ---- Sessions ---- */

/* Another session of ours is getting on. */
static bool is_occupied(const struct sync *s, const struct session *except, uint64_t now_us)
{
    for (const struct session *side = s->sides; side != NULL; side = side->next) {
        if (side != except && side->is_active && now_us - side->moved_at_us < SYNC_SLOW_US) {
            return true;
        }
    }
    return false;
}

enum rc sync_start(struct sync *s, struct link *l, uint64_t cut_s, uint64_t now_us)
{
    struct session *side = session_of(l);
    const uint64_t bytes = l->bulk_frames_bytes;
    if (l->state != LINK_OPEN || l->clock.is_conflict || !session_is_idle(side) ||
        now_us < side->not_before_us || now_us < side->responding_until_us ||
        is_occupied(s, side, now_us) ||
        initiator_begin(&s->config, l, cut_s, series_next(&s->keys), now_us) != RC_OK) {
        return RC_AGAIN;
    }
    enlist(s, side);
    s->config.counters->syncs_started++;
    s->config.counters->sync_bytes_sent += l->bulk_frames_bytes - bytes;
    mesh_ask_output(s->config.mesh, l);
    return RC_OK;
}

void sync_hurry(const struct link *l)
{
    struct session *side = l->sync;
    if (side != NULL && side->soonest_us < side->not_before_us) {
        side->not_before_us = side->soonest_us;
    }
}

static void finish_if_done(struct sync *s, struct link *l, uint64_t now_us)
{
    const struct session *side = l->sync;
    if (initiator_finish(&s->config, l, now_us) && side->exchanged > 0) {
        outbox_notice(s->config.outbox, NOTICE_SYNC_DONE, l->member, (int64_t)side->exchanged,
                      NULL);
    }
}

/* Whether the peer may ask once more: some at once, then a few a second. */
static bool may_ask(struct sync *s, struct session *side, uint64_t now_us)
{
    const uint64_t over = (now_us - side->asked_at_us) / SYNC_ASK_US;
    side->asked = over < side->asked ? side->asked - (uint32_t)over : 0;
    side->asked_at_us += over * SYNC_ASK_US;
    if (side->asked >= SYNC_ASKS_MAX) {
        s->config.counters->syncs_refused++;
        return false;
    }
    side->asked++;
    return true;
}

/* The peer begins a session. Of two begun at once that of the smaller id stays. */
static enum rc take_groups(struct sync *s, struct link *l, struct cursor *c,
                           const struct uuid *self, uint64_t now_us)
{
    struct session *side = session_of(l);
    const bool is_refused =
        (side->is_active && uuid_compare(self, &l->member->uuid) < 0) || !may_ask(s, side, now_us);
    session_forget_peer(side, s->config.store);
    if (!is_refused) {
        session_abort(side, s->config.store);
    }
    const enum rc rc = responder_groups(&s->config, l, c, is_refused);
    if (is_refused) {
        /* Our session may look at less than the peer's would have. */
        if (side->peer.cut_s == SYNC_CUT_ALL) {
            link_ask_repair(l, REPAIR_CUT_SHORT);
        }
        side->peer.is_known = false;
    } else {
        side->responding_until_us = now_us + SESSION_RESPONDING_US;
    }
    return rc;
}

static enum rc take_join(struct sync *s, struct link *l, struct cursor *c, uint64_t now_us)
{
    struct session *side = session_of(l);
    const uint8_t part = cursor_u8(c);
    const uint8_t of = cursor_u8(c);
    if (of == 0 || part >= of || side->job_count >= SYNC_JOBS_MAX) {
        return RC_MALFORMED;
    }
    if (!may_ask(s, side, now_us)) {
        return RC_OK; /* an honest one asks again */
    }
    struct scope scope = {.rows = NULL};
    epoch_sender_select_part(&scope, s->config.store, part, of);
    struct epoch_sender *j = epoch_sender_new(EPOCH_SENDER_JOIN, &scope);
    j->join_part = part;
    j->join_of = of;
    session_push(side, j);
    return RC_OK;
}

/* How many cells a stream may begin with: a small table where others are taken in already. */
static uint32_t first_cells_max(const struct sync *s, const struct session *side)
{
    uint32_t others = 0;
    for (const struct session *other = s->sides; other != NULL; other = other->next) {
        others += other != side && other->sink != NULL;
    }
    return others < SYNC_SINKS_MAX ? s->config.cells_max : (uint32_t)SYNC_WAITING_CELLS_MAX;
}

static enum rc take_frame(struct sync *s, struct link *l, enum frame_type type, struct cursor *c,
                          const struct uuid *self, uint64_t now_us)
{
    switch ((int)type) {
    case FRAME_SYNC_GROUPS:
        return take_groups(s, l, c, self, now_us);
    case FRAME_SYNC_EPOCHS:
        return initiator_epochs(&s->config, l, c);
    case FRAME_SYNC_SCOPE:
        return responder_scope(&s->config, l, c, first_cells_max(s, session_of(l)));
    case FRAME_SYNC_LIST:
        return responder_list(l, c);
    case FRAME_SYNC_CELLS:
        return responder_cells(l, c);
    case FRAME_SYNC_MORE:
        return initiator_more(l, c);
    case FRAME_SYNC_WANT:
        return initiator_want(l, c);
    case FRAME_SYNC_DONE:
        responder_done(&s->config, l, c);
        return RC_OK;
    case FRAME_JOIN:
        return take_join(s, l, c, now_us);
    case FRAME_JOIN_DONE:
        return join_part_done(&s->join, l->id, c);
    default:
        return RC_MALFORMED;
    }
}

enum rc sync_frame(struct sync *s, struct link *l, enum frame_type type, struct cursor *payload,
                   const struct uuid *self, uint64_t now_us)
{
    struct session *side = session_of(l);
    const uint64_t bytes = l->bulk_frames_bytes;
    side->moved_at_us = now_us;
    const enum rc rc = take_frame(s, l, type, payload, self, now_us);
    finish_if_done(s, l, now_us);
    s->config.counters->sync_bytes_sent += l->bulk_frames_bytes - bytes;
    if (!session_is_idle(side)) {
        enlist(s, side);
        s->is_busy = true;
    }
    if (side->responding_until_us > 0) {
        side->responding_until_us = now_us + SESSION_RESPONDING_US;
    }
    mesh_ask_output(s->config.mesh, l);
    return rc;
}

/* ---- Work ---- */

static enum rc step_jobs(struct sync *s, struct session *side, const struct epoch_sender_env *env)
{
    struct epoch_sender *j = side->jobs;
    if (j == NULL) {
        return RC_FULL;
    }
    const enum rc rc = epoch_sender_step(j, env);
    if (rc == RC_OK) {
        side->exchanged += j->kind == EPOCH_SENDER_PUSH ? j->sent : 0;
        side->is_pushing = side->is_pushing && j->kind != EPOCH_SENDER_PUSH;
        session_pop(side, s->config.store);
    }
    return rc;
}

static enum rc step_source(struct sync *s, struct session *side, const struct epoch_sender_env *env,
                           struct cells_source **source)
{
    if (*source == NULL) {
        return RC_FULL;
    }
    const enum rc rc = cells_source_step(*source, env);
    if (rc == RC_OK) {
        side->exchanged += (*source)->sent;
        cells_source_free(*source, s->config.store);
        *source = NULL;
    }
    return rc;
}

/* Only so many streams are taken in at a time, as each has a column of ids, and not all from one
 * address. One that has begun is among those, so that there is room for it. */
static bool may_take_in(const struct sync *s, const struct session *side)
{
    uint32_t begun = 0, near = 0;
    for (const struct session *other = s->sides; other != NULL; other = other->next) {
        if (other != side && other->sink != NULL && other->sink->column.block_count > 0) {
            begun++;
            near += mesh_same_place(s->config.mesh, &other->link->addr, &side->link->addr);
        }
    }
    return begun < SYNC_SINKS_MAX && near < SYNC_SINKS_ADDR_MAX;
}

static enum rc step_sink(struct sync *s, struct session *side, const struct epoch_sender_env *env)
{
    if (side->sink == NULL || !may_take_in(s, side)) {
        return RC_FULL;
    }
    const enum rc rc = cells_sink_step(side->sink, env);
    if (rc == RC_OK) {
        cells_sink_free(side->sink, s->config.store);
        side->sink = NULL;
    }
    return rc;
}

static enum rc step_kind(struct sync *s, struct session *side, uint32_t kind,
                         const struct epoch_sender_env *env)
{
    switch (kind) {
    case 0:
        return step_jobs(s, side, env);
    case 1:
        return step_source(s, side, env, &side->list);
    case 2:
        return step_source(s, side, env, &side->stream);
    default:
        return step_sink(s, side, env);
    }
}

/* One step of the side's work, of the kind whose turn it is; false when none could be done. */
static bool work(struct sync *s, struct session *side, uint64_t now_us, uint64_t now_ms)
{
    struct link *l = side->link;
    const struct epoch_sender_env env = {
        .store = s->config.store,
        .link = l,
        .quorum = s->config.quorum,
        .counters = s->config.counters,
        .now_ms = now_ms,
    };
    const uint64_t bytes = l->bulk_frames_bytes;
    enum rc rc = RC_FULL;
    if (mesh_is_unmet(l)) {
        return false; /* its answer is on its way, if it is a member */
    }
    for (uint32_t i = 0; i < SESSION_WORKS && rc == RC_FULL; i++) {
        const uint32_t kind = side->work_at;
        side->work_at = (kind + 1) % SESSION_WORKS;
        rc = step_kind(s, side, kind, &env);
    }
    if (rc != RC_FULL) {
        side->moved_at_us = now_us;
    }
    if (rc == RC_NO_MEMORY) { /* its frame is lost, which the peer would wait for */
        session_drop(side, s->config.store);
    }
    finish_if_done(s, l, now_us);
    s->config.counters->sync_bytes_sent += l->bulk_frames_bytes - bytes;
    mesh_ask_output(s->config.mesh, l);
    return rc != RC_FULL;
}

/* Gives up sessions and donors that make no progress. */
static void look_for_stall(const struct sync *s, struct session *side, uint64_t now_us)
{
    if (side->progress != side->link->progress) {
        side->progress = side->link->progress;
        side->moved_at_us = now_us;
    }
    if (now_us - side->moved_at_us > SYNC_STALL_US) {
        session_drop(side, s->config.store);
    } else if (now_us - side->begun_at_us > SYNC_LENGTH_MAX_US) {
        session_abort(side, s->config.store);
    }
}

/* Links with nothing under way leave the list. True when a session is needed anew. */
static bool tidy(struct sync *s, uint64_t now_us)
{
    struct session **at = &s->sides;
    bool is_needed = false;
    while (*at != NULL) {
        struct session *side = *at;
        look_for_stall(s, side, now_us);
        is_needed = is_needed || (link_needs_repair(side->link) && !side->is_active);
        if (session_is_idle(side)) {
            *at = side->next;
            side->is_listed = false;
            link_bulk_rest(side->link);
        } else {
            at = &side->next;
        }
    }
    return is_needed;
}

/* One step of one side, under a millisecond, so that no turn of the loop is held up for long. */
static void work_some(struct sync *s, uint64_t now_us, uint64_t now_ms)
{
    uint32_t sides = 0;
    for (const struct session *side = s->sides; side != NULL; side = side->next) {
        sides++;
    }
    s->is_busy = false;
    for (; sides > 0 && !s->is_busy; sides--) {
        s->is_busy = work(s, s->sides, now_us, now_ms);
        rotate(s);
    }
}

/* ---- Telling the root ---- */

void sync_received(struct sync *s, bool is_news, uint64_t now_us)
{
    if (!is_news || join_is_active(&s->join)) {
        return;
    }
    if (s->tell_at_us == NEVER) {
        s->tell_at_us = now_us + SYNC_TELL_US;
    }
    s->tell_again_at_us = now_us + SYNC_TELL_AGAIN_US;
}

static bool is_told_root(const struct link *l)
{
    return l->state == LINK_OPEN && !l->clock.is_conflict && l->member->is_mate;
}

static void tell_root(struct sync *s, uint64_t now_us, uint64_t now_ms)
{
    if (now_us < s->tell_at_us && now_us < s->tell_again_at_us) {
        return;
    }
    s->tell_again_at_us = now_us < s->tell_again_at_us ? s->tell_again_at_us : NEVER;
    s->tell_at_us = NEVER;
    const uint64_t cut_s = now_ms / 1000 - SYNC_CUT_DELAY_S;
    struct digest root;
    if (store_root(s->config.store, cut_s, &root) != RC_OK) {
        return;
    }
    uint8_t payload[16];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, cut_s);
    cursor_put_u64(&c, root.sum);
    for (struct link *l = mesh_first(s->config.mesh); l != NULL;
         l = mesh_after(s->config.mesh, l->id)) {
        if (is_told_root(l) && link_control(l, FRAME_SYNC_ROOT, 0, payload, c.pos) == RC_OK) {
            mesh_ask_output(s->config.mesh, l);
        }
    }
}

bool sync_turn(struct sync *s, uint64_t now_us, uint64_t now_ms, bool awaits_donor)
{
    work_some(s, now_us, now_ms);
    const bool is_needed = tidy(s, now_us);
    tell_root(s, now_us, now_ms);
    if (join_is_active(&s->join)) {
        const struct join_env env = {
            .mesh = s->config.mesh,
            .outbox = s->config.outbox,
            .awaits_donor = awaits_donor,
        };
        join_turn(&s->join, &env, now_us);
    }
    return is_needed;
}

void sync_wake(struct sync *s, const struct link *l)
{
    s->is_busy = s->is_busy || (l->sync != NULL && l->sync->is_listed);
}

uint64_t sync_deadline(const struct sync *s)
{
    if (s->is_busy) {
        return 0;
    }
    return min_u64(s->tell_at_us, s->tell_again_at_us);
}

bool sync_is_under_way(const struct sync *s)
{
    return s->sides != NULL || join_is_active(&s->join);
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

void sync_ask_again(struct sync *s, const struct link *l)
{
    join_link_gone(&s->join, l->id);
}

void sync_join_alone(struct sync *s)
{
    join_end(&s->join);
}

void sync_check(const struct sync *s)
{
    for (const struct session *side = s->sides; side != NULL; side = side->next) {
        ASSERT(side->is_listed);
    }
    for (struct link *l = mesh_first(s->config.mesh); l != NULL;
         l = mesh_after(s->config.mesh, l->id)) {
        if (l->sync != NULL) {
            session_check(l->sync);
        }
    }
}
