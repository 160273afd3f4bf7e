#include "gossip/repair/initiator.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>

enum {
    /* Entries whose ids are listed instead of streamed: as many bytes as the least stream has. */
    LIST_ENTRIES_MAX = 56,
    FIRST_WHOLE_MAX = 256, /* cells that are asked for on a guess alone */
};

enum rc initiator_begin(const struct sync_config *config, struct link *l, uint64_t cut_s,
                        uint64_t key, uint64_t now_us)
{
    enum { SIZE = 1 + 8 + 8 + 8 * SCOPE_ROWS_MAX };
    struct session *side = session_of(l);
    uint8_t payload[SIZE];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    struct digest digest;
    uint32_t groups = 0;
    cursor_put_u8(&c, (uint8_t)(side->session + 1));
    cursor_put_u64(&c, cut_s);
    cursor_put_u64(&c, key);
    for (uint64_t group = 0; groups < SCOPE_ROWS_MAX &&
                             store_next_group(config->store, cut_s, &group, &digest) == RC_OK;
         group++) {
        cursor_put_u32(&c, (uint32_t)group);
        cursor_put_u32(&c, store_digest_short(&digest, key));
        groups++;
    }
    ASSERT(cursor_ok(&c));
    const enum rc rc = link_bulk(l, FRAME_SYNC_GROUPS, payload, c.pos);
    if (rc == RC_OK) {
        session_begin(side, cut_s, key, now_us);
        side->groups = groups;
    }
    return rc;
}

/* ---- Epochs that differ ---- */

/* The epochs of one group as the peer sent them. */
struct told_group {
    uint64_t epochs;
    uint32_t sums[EPOCHS_PER_GROUP];
    uint64_t counts[EPOCHS_PER_GROUP];
};

static void compare_epoch(struct session *side, const struct told_group *told, uint32_t i,
                          const struct digest *own, struct scope_row *push, struct scope_row *list,
                          struct scope_row *stream)
{
    const uint64_t bit = UINT64_C(1) << i;
    const bool has = own->count != 0 || own->sum != 0;
    const bool peer_has = (told->epochs & bit) != 0;
    side->epochs += has || peer_has;
    if ((!has && !peer_has) ||
        (has && peer_has && told->sums[i] == store_digest_short(own, side->key))) {
        return;
    }
    side->epochs_differing++;
    if (!peer_has) {
        push->epochs |= bit;
    } else if (!has) {
        list->epochs |= bit;
    } else {
        stream->epochs |= bit;
        side->list_entries += own->count;
        side->stream_entries += own->count > told->counts[i] ? own->count : told->counts[i];
    }
}

static enum rc compare_group(const struct sync_config *config, struct session *side, uint64_t group,
                             const struct told_group *told)
{
    struct digest own[EPOCHS_PER_GROUP] = {{0}};
    struct scope_row push = {.epochs = 0}, list = {.epochs = 0}, stream = {.epochs = 0};
    const uint64_t first = group * EPOCHS_PER_GROUP;
    struct digest digest;
    for (uint64_t e = first; store_next_epoch(config->store, side->cut_s, &e, &digest) == RC_OK &&
                             e < first + EPOCHS_PER_GROUP;
         e++) {
        own[e - first] = digest;
    }
    for (uint32_t i = 0; i < EPOCHS_PER_GROUP; i++) {
        compare_epoch(side, told, i, &own[i], &push, &list, &stream);
    }
    if (scope_add(&side->push_scope, group, push.epochs) != RC_OK ||
        scope_add(&side->list_scope, group, list.epochs) != RC_OK ||
        scope_add(&side->stream_scope, group, stream.epochs) != RC_OK) {
        return RC_MALFORMED;
    }
    return RC_OK;
}

static enum rc read_group(const struct sync_config *config, struct session *side, struct cursor *c)
{
    struct told_group told = {.epochs = 0};
    const uint64_t group = cursor_u32(c);
    const bool is_whole = cursor_u8(c) != 0;
    told.epochs = cursor_u64(c);
    side->groups_differing++;
    if (is_whole) {
        struct scope one = {.rows = NULL};
        enum rc rc = scope_add(&one, group, UINT64_MAX);
        const uint64_t entries = scope_entries(&one, config->store, side->cut_s);
        scope_fini(&one);
        side->list_entries += LIST_ENTRIES_MAX + 1;
        side->stream_entries += entries;
        return rc == RC_OK ? scope_add(&side->stream_scope, group, UINT64_MAX) : rc;
    }
    for (uint32_t i = 0; i < EPOCHS_PER_GROUP && cursor_ok(c); i++) {
        if ((told.epochs >> i & 1) != 0) {
            told.sums[i] = cursor_u32(c);
            told.counts[i] = cursor_varint(c);
        }
    }
    return cursor_ok(c) ? compare_group(config, side, group, &told) : RC_MALFORMED;
}

/* Of `all` places so many have a difference. How many differences are there, if they fell at
 * random? It is only a hint of how many cells to begin with. */
static uint64_t fallen(double all, double hit)
{
    const double missed = all - hit > 0.5 ? all - hit : 0.5;
    return (uint64_t)(all * log(all / missed));
}

static uint64_t guess_differences(const struct session *side)
{
    if (side->epochs == 0 || side->groups < side->groups_differing) {
        return side->groups_differing;
    }
    const double scale = (double)side->groups / side->groups_differing;
    return fallen(side->epochs * scale, side->epochs_differing);
}

/* ---- What follows ---- */

static enum rc emit_scope(struct link *l, uint32_t cells, uint32_t share_bits)
{
    enum { SIZE = 1 + 4 + 1 + 2 * (2 + SCOPE_ROW_BYTES * SCOPE_ROWS_MAX) };
    const struct session *side = l->sync;
    uint8_t payload[SIZE];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, side->session);
    cursor_put_u32(&c, cells);
    cursor_put_u8(&c, (uint8_t)share_bits);
    scope_write(&side->list_scope, &c);
    scope_write(&side->stream_scope, &c);
    ASSERT(cursor_ok(&c));
    return link_bulk(l, FRAME_SYNC_SCOPE, payload, c.pos);
}

/* Where there seem to be many differences, half of the cells that they would take. Differences that
 * do not fall at random look like more, and the cells themselves show whether the other half is
 * needed. */
static uint32_t first_cells(const struct session *side)
{
    const uint32_t all = cells_for(guess_differences(side), 0);
    const uint32_t first = all < FIRST_WHOLE_MAX ? all : all / 2;
    return first < CELLS_WANTED_MAX / 4 ? first : (uint32_t)CELLS_WANTED_MAX / 4;
}

/* All epochs are compared: begins the work on those that differ. */
static enum rc open_scopes(const struct sync_config *config, struct link *l)
{
    struct session *side = l->sync;
    if (side->list_entries <= LIST_ENTRIES_MAX) {
        if (scope_merge(&side->list_scope, &side->stream_scope) != RC_OK) {
            return RC_MALFORMED;
        }
        scope_fini(&side->stream_scope);
    }
    const uint32_t share_bits = column_share_bits(side->stream_entries);
    const uint32_t cells = first_cells(side);
    if (side->list_scope.count + side->stream_scope.count > 0) {
        const enum rc rc = emit_scope(l, cells, share_bits);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (side->list_scope.count > 0) {
        side->list =
            cells_source_new(side->session, side->key, side->cut_s, 0, &side->list_scope, 0);
    }
    if (side->stream_scope.count > 0) {
        side->stream = cells_source_new(side->session, side->key, side->cut_s, share_bits,
                                        &side->stream_scope, cells);
    }
    if (side->push_scope.count > 0) {
        session_push(side, epoch_sender_new(EPOCH_SENDER_PUSH, &side->push_scope));
        side->is_pushing = true;
    }
    (void)config;
    return RC_OK;
}

static bool is_ours(const struct session *side, struct cursor *c)
{
    return cursor_u8(c) == side->session && side->is_active;
}

enum rc initiator_epochs(const struct sync_config *config, struct link *l, struct cursor *c)
{
    struct session *side = session_of(l);
    if (!is_ours(side, c) || side->is_answered) {
        return RC_OK; /* of a session that was given up */
    }
    const bool is_last = cursor_u8(c) != 0;
    while (cursor_ok(c) && cursor_left(c) > 0) {
        if (read_group(config, side, c) != RC_OK) {
            return RC_MALFORMED;
        }
    }
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    side->is_answered = is_last;
    return is_last ? open_scopes(config, l) : RC_OK;
}

enum rc initiator_more(struct link *l, struct cursor *c)
{
    const struct session *side = session_of(l);
    return is_ours(side, c) && side->stream != NULL ? cells_source_more(side->stream, c) : RC_OK;
}

enum rc initiator_want(struct link *l, struct cursor *c)
{
    struct session *side = session_of(l);
    const bool is_of_ours = is_ours(side, c);
    const uint8_t flags = cursor_u8(c);
    const uint32_t sent = cursor_u32(c);
    struct cells_source *source = (flags & WANT_OF_LIST) != 0 ? side->list : side->stream;
    if (!is_of_ours || source == NULL || source->is_last) {
        return RC_OK;
    }
    side->exchanged += (flags & WANT_IS_LAST) != 0 ? sent : 0;
    return cells_source_want(source, flags, c);
}

bool initiator_finish(const struct sync_config *config, struct link *l, uint64_t now_us)
{
    struct session *side = l->sync;
    if (!side->is_active || !side->is_answered || side->is_pushing || side->list != NULL ||
        side->stream != NULL || !link_bulk_has_room(l)) {
        return false;
    }
    uint8_t payload[5];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, side->session);
    cursor_put_u32(&c, (uint32_t)side->exchanged);
    if (link_bulk(l, FRAME_SYNC_DONE, payload, c.pos) != RC_OK) {
        return false;
    }
    session_end(side, config->store, now_us);
    config->counters->syncs_finished++;
    config->counters->syncs_vain += side->exchanged == 0;
    return true;
}
