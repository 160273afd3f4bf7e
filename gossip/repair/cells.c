#include "gossip/repair/cells.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELLS_AT_ONCE = 2048, /* in one SYNC_CELLS frame */
    /* An estimate of so many differences from so few cells is checked with a thousand cells, before
     * tens of kilobytes depend on it. */
    ROUGH_ABOVE = 3000,
    ROUGH_BELOW = 512,
    ROUGH_CELLS = 1024,
    PEEL_STEP = 2000, /* cells looked at in a step: about a millisecond */
    CELL_BYTES_MAX = 8 + 4 + VARINT_BYTES_MAX,
};

/* 1.36 cells a difference are enough where there are many. It takes a few percent more where there
 * are hundreds, and twice the estimate's standard error. */
#define CELLS_PER_DIFFERENCE 1.36
#define SPARE_ALWAYS 0.04
#define SPARE_MAX 0.6

uint32_t cells_for(uint64_t differences, uint32_t known)
{
    const uint64_t most = differences < IBLT_CELLS_MAX ? differences : IBLT_CELLS_MAX;
    const double error = known == 0 ? 0 : 2 * sqrt(2.0 / known);
    const double spare = SPARE_ALWAYS + (error < SPARE_MAX ? error : SPARE_MAX);
    const double count = (double)most * CELLS_PER_DIFFERENCE * (1 + spare);
    return count < (double)CELLS_FIRST_MIN ? (uint32_t)CELLS_FIRST_MIN : (uint32_t)count;
}

/* The count that a cell has by an even spread of the ids. Counts travel as differences from it. */
static int64_t expected_count(int32_t total, uint32_t index)
{
    return index == 0 ? 0 : (int64_t)((double)total * iblt_density(index));
}

static void send_found(const struct epoch_sender_env *env, const struct column *column, size_t at,
                       uint64_t *sent, uint64_t *big_until)
{
    struct record r;
    if (store_by_id(env->store, column_handle(column, at), column_id(column, at), column->key,
                    env->now_ms, &r) == RC_OK &&
        epoch_sender_send_record(env, &r)) {
        (*sent)++;
        *big_until = env->link->big_queued;
    }
}

/* Sends what is found of `ids` in the column. RC_OK: all of it. RC_AGAIN, RC_FULL. */
static enum rc send_ids(const struct epoch_sender_env *env, struct column *column,
                        struct idset *ids, uint64_t *sent, uint64_t *big_until)
{
    const size_t from = column->looked_at;
    for (int i = 0; i < EPOCH_SENDER_STEP_ENTRIES && column->looked_at - from < COLUMN_CODE_STEP;
         i++) {
        size_t at = 0;
        if (!link_bulk_has_room(env->link)) {
            return RC_FULL;
        }
        const enum rc rc = column_search(column, ids, &at);
        if (rc == RC_NOT_FOUND) {
            idset_fini(ids); /* ids that are left in it are not here any more */
            return RC_OK;
        }
        if (rc == RC_OK) {
            send_found(env, column, at, sent, big_until);
        }
    }
    return RC_AGAIN;
}

/* ---- The source ---- */

struct cells_source *cells_source_new(uint8_t session, uint64_t key, uint64_t cut_s,
                                      uint32_t share_bits, struct scope *scope, uint32_t first)
{
    struct cells_source *s = mem_new(1, sizeof(*s));
    s->session = session;
    s->is_list = first == 0;
    s->until = first;
    column_init(&s->column, key, cut_s, share_bits, scope);
    idset_init(&s->wanted, IBLT_CELLS_MAX);
    return s;
}

void cells_source_free(struct cells_source *s, struct store *store)
{
    if (s != NULL) {
        column_fini(&s->column, store);
        idset_fini(&s->wanted);
        free(s);
    }
}

enum rc cells_source_more(struct cells_source *s, struct cursor *c)
{
    const uint32_t bits = cursor_u8(c);
    const uint32_t slice = cursor_u32(c);
    const uint32_t until = cursor_u32(c);
    if (!cursor_ok(c) || s->is_list || bits > COLUMN_SLICE_BITS_MAX || slice >> bits != 0 ||
        until > IBLT_CELLS_MAX || s->wishes == CELLS_SOURCE_WISHES_MAX) {
        return RC_MALFORMED;
    }
    s->wishes++;
    if (bits != s->column.slice_bits || slice != s->column.slice) {
        column_select(&s->column, bits, slice);
        s->emitted = 0;
        s->until = until;
    } else if (until > s->until) {
        s->until = until;
    }
    return RC_OK;
}

enum rc cells_source_want(struct cells_source *s, uint8_t flags, struct cursor *c)
{
    while (cursor_left(c) > 0) {
        const uint64_t id = cursor_u64(c);
        if (!cursor_ok(c) || idset_add(&s->wanted, id) != RC_OK) {
            return RC_MALFORMED;
        }
    }
    s->is_answering = s->is_answering || (flags & (WANT_IS_WHOLE | WANT_IS_LAST)) != 0;
    s->is_last = s->is_last || (flags & WANT_IS_LAST) != 0;
    return RC_OK;
}

static enum rc emit_list(struct cells_source *s, const struct epoch_sender_env *env)
{
    enum { SIZE = 2 + 8 * SYNC_LIST_MAX };
    uint8_t *payload = mem_new(1, SIZE);
    struct cursor c = cursor_writer(payload, SIZE);
    const size_t left = s->column.count - s->emitted;
    const size_t count = left < SYNC_LIST_MAX ? left : SYNC_LIST_MAX;
    cursor_put_u8(&c, s->session);
    cursor_put_u8(&c, count == left);
    for (size_t i = 0; i < count; i++) {
        cursor_put_u64(&c, column_id(&s->column, s->emitted + i));
    }
    ASSERT(cursor_ok(&c));
    s->emitted += (uint32_t)count;
    s->until = count == left;
    const enum rc rc = link_bulk(env->link, FRAME_SYNC_LIST, payload, c.pos);
    free(payload);
    return rc == RC_OK ? RC_AGAIN : rc;
}

static enum rc emit_cells(struct cells_source *s, const struct epoch_sender_env *env)
{
    enum { SIZE = 1 + 1 + 4 + 4 + CELL_BYTES_MAX * CELLS_AT_ONCE };
    uint8_t *payload = mem_new(1, SIZE);
    struct cursor c = cursor_writer(payload, SIZE);
    const struct iblt *table = &s->column.table;
    const uint32_t left = table->count - s->emitted;
    const uint32_t count = left < CELLS_AT_ONCE ? left : CELLS_AT_ONCE;
    cursor_put_u8(&c, s->session);
    cursor_put_u8(&c, (uint8_t)s->column.slice_bits);
    cursor_put_u32(&c, s->column.slice);
    cursor_put_u32(&c, s->emitted);
    for (uint32_t i = s->emitted; i < s->emitted + count; i++) {
        const struct iblt_cell *cell = &table->cells[i];
        cursor_put_u64(&c, cell->id);
        cursor_put_u32(&c, cell->check);
        cursor_put_signed(&c, cell->count - expected_count(table->cells[0].count, i));
    }
    ASSERT(cursor_ok(&c));
    s->emitted += count;
    const enum rc rc = link_bulk(env->link, FRAME_SYNC_CELLS, payload, c.pos);
    free(payload);
    return rc == RC_OK ? RC_AGAIN : rc;
}

/* Cells or ids that are still to be sent. */
static enum rc offer(struct cells_source *s, const struct epoch_sender_env *env)
{
    if (s->is_list) {
        return s->until == 0 ? emit_list(s, env) : RC_FULL;
    }
    column_grow(&s->column, s->until);
    if (column_code(&s->column) != RC_OK) {
        return RC_AGAIN;
    }
    return s->emitted < s->column.table.count ? emit_cells(s, env) : RC_FULL;
}

enum rc cells_source_step(struct cells_source *s, const struct epoch_sender_env *env)
{
    if (!link_bulk_has_room(env->link)) {
        return RC_FULL;
    }
    enum rc rc = RC_AGAIN;
    if (!s->column.is_collected) {
        rc = column_collect(&s->column, env->store, env->now_ms);
        return rc == RC_TOO_LONG ? RC_OK : RC_AGAIN;
    }
    if (s->is_answering) {
        rc = send_ids(env, &s->column, &s->wanted, &s->sent, &s->big_until);
        s->is_answering = rc != RC_OK;
        return rc == RC_OK ? RC_AGAIN : rc;
    }
    if (!s->is_last) {
        return offer(s, env);
    }
    if (column_shed(&s->column) != RC_OK) {
        return RC_AGAIN;
    }
    return env->link->big_done < s->big_until ? RC_FULL : RC_OK;
}

/* ---- The sink ---- */

struct cells_sink *cells_sink_new(uint8_t session, uint64_t key, uint64_t cut_s,
                                  uint32_t share_bits, struct scope *scope, uint32_t first,
                                  uint32_t cells_max)
{
    ASSERT(cells_max >= 2 * CELLS_FIRST_MIN && cells_max <= CELLS_WANTED_MAX);
    struct cells_sink *k = mem_new(1, sizeof(*k));
    k->session = session;
    k->until = first;
    k->cells_max = cells_max;
    column_init(&k->column, key, cut_s, share_bits, scope);
    iblt_decoder_init(&k->decoder);
    idset_init(&k->ours, IBLT_CELLS_MAX);
    return k;
}

void cells_sink_free(struct cells_sink *k, struct store *store)
{
    if (k != NULL) {
        column_fini(&k->column, store);
        iblt_decoder_fini(&k->decoder);
        idset_fini(&k->ours);
        free(k->theirs);
        free(k);
    }
}

enum rc cells_sink_cells(struct cells_sink *k, struct cursor *c)
{
    const uint32_t bits = cursor_u8(c);
    const uint32_t slice = cursor_u32(c);
    const uint32_t first = cursor_u32(c);
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    if (bits != k->slice_bits || slice != k->slice) {
        return RC_OK; /* sent before the number of slices was known */
    }
    if (first != k->their_count) {
        return RC_MALFORMED;
    }
    while (cursor_left(c) > 0) {
        if (k->their_count == k->until) {
            return RC_MALFORMED;
        }
        if (k->their_count == k->their_size) {
            k->their_size = k->their_size == 0 ? 64 : 2 * k->their_size;
            k->theirs = mem_resize(k->theirs, k->their_size, sizeof(*k->theirs));
        }
        struct iblt_cell *cell = &k->theirs[k->their_count];
        cell->id = cursor_u64(c);
        cell->check = cursor_u32(c);
        const int64_t off = cursor_signed(c);
        const int32_t total = k->their_count == 0 ? 0 : k->theirs[0].count;
        if (!cursor_ok(c) || off > INT32_MAX / 4 || off < -(INT32_MAX / 4)) {
            return RC_MALFORMED;
        }
        cell->count = (int32_t)(off + expected_count(total, k->their_count));
        k->their_count++;
    }
    return RC_OK;
}

static enum rc emit_more(const struct cells_sink *k, struct link *l)
{
    uint8_t payload[1 + 1 + 4 + 4];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, k->session);
    cursor_put_u8(&c, (uint8_t)k->slice_bits);
    cursor_put_u32(&c, k->slice);
    cursor_put_u32(&c, k->until);
    return link_bulk(l, FRAME_SYNC_MORE, payload, c.pos);
}

static void give_up(struct cells_sink *k)
{
    k->is_failed = true;
    k->phase = CELLS_SINK_ENDS;
}

/* Begins another slice, with as many cells as its share of the differences takes. */
static enum rc begin_slice(struct cells_sink *k, const struct epoch_sender_env *env,
                           uint32_t slice_bits, uint32_t slice, uint64_t differences)
{
    k->slice_bits = slice_bits;
    k->slice = slice;
    const uint32_t cells = cells_for(differences, 0);
    k->until = cells < k->cells_max ? cells : k->cells_max;
    k->their_count = 0;
    k->emitted = 0;
    k->phase = CELLS_SINK_DECODES;
    column_select(&k->column, slice_bits, slice);
    iblt_decoder_clear(&k->decoder);
    return emit_more(k, env->link);
}

/* Into how many slices so many differences of the present one are to be divided, that cells for
 * twice as many as are expected of each would do. Writes how many those are. */
static uint32_t divide(const struct cells_sink *k, uint64_t differences, uint64_t *ret_share)
{
    uint32_t bits = k->slice_bits + 1;
    uint64_t share = differences / 2;
    while (cells_for(share, 0) > k->cells_max / 2 && bits <= COLUMN_SLICE_BITS_MAX) {
        share /= 2;
        bits++;
    }
    *ret_share = share;
    return bits;
}

enum rc cells_sink_hold(struct cells_sink *k, struct link *l)
{
    const double differences = (double)k->until / CELLS_PER_DIFFERENCE;
    k->slice_bits = divide(k, (uint64_t)differences, &k->share);
    k->is_held = true;
    k->until = 0;
    return emit_more(k, l);
}

/* The cells that came are too few. */
static enum rc ask_for_more(struct cells_sink *k, const struct epoch_sender_env *env)
{
    const uint64_t differences = iblt_decoder_estimate(&k->decoder);
    const bool is_rough = differences > ROUGH_ABOVE && k->until < ROUGH_BELOW;
    uint32_t until = is_rough ? (uint32_t)ROUGH_CELLS : cells_for(differences, k->until);
    if (until <= k->until) {
        until = k->until + k->until / 8 + CELLS_FIRST_MIN / 2;
    }
    if (until <= k->cells_max) {
        k->until = until;
        return emit_more(k, env->link);
    }
    uint64_t share = 0;
    const uint32_t bits = divide(k, differences, &share);
    if (bits > COLUMN_SLICE_BITS_MAX) {
        give_up(k);
        return RC_OK;
    }
    return begin_slice(k, env, bits, k->slice << (bits - k->slice_bits), share);
}

static enum rc decode(struct cells_sink *k, const struct epoch_sender_env *env)
{
    column_grow(&k->column, k->until);
    if (column_code(&k->column) != RC_OK) {
        return RC_AGAIN;
    }
    const uint32_t known = k->decoder.diff.count;
    if (k->their_count > known) {
        iblt_decoder_extend(&k->decoder, k->theirs + known, k->column.table.cells + known,
                            k->their_count - known);
        return RC_AGAIN;
    }
    enum rc rc = iblt_decoder_peel(&k->decoder, PEEL_STEP);
    if (rc == RC_MALFORMED) {
        give_up(k);
    } else if (rc == RC_OK) {
        k->phase = CELLS_SINK_WANTS;
    } else if (rc == RC_NOT_FOUND && k->their_count < k->until) {
        return RC_FULL;
    } else if (rc == RC_NOT_FOUND) {
        rc = ask_for_more(k, env);
        return rc == RC_OK ? RC_AGAIN : rc;
    }
    return RC_AGAIN;
}

/* Asks for the ids that only they have, and notes those that only we have. */
static enum rc want(struct cells_sink *k, const struct epoch_sender_env *env)
{
    enum { SIZE = 6 + 8 * SYNC_LIST_MAX };
    uint8_t *payload = mem_new(1, SIZE);
    struct cursor c = cursor_writer(payload, SIZE);
    cursor_put_u8(&c, k->session);
    cursor_put_u8(&c, 0);
    cursor_put_u32(&c, 0);
    for (int n = 0; n < SYNC_LIST_MAX && k->emitted < k->decoder.item_count; k->emitted++) {
        const struct iblt_item *item = &k->decoder.items[k->emitted];
        if (item->sign > 0) {
            cursor_put_u64(&c, item->id);
            n++;
        } else {
            /* A refused id is none of ours: the peer's cells were made to yield it. */
            (void)!idset_add(&k->ours, item->id);
        }
    }
    if (k->emitted == k->decoder.item_count) {
        payload[1] = WANT_IS_WHOLE;
        k->phase = CELLS_SINK_SENDS;
    }
    ASSERT(cursor_ok(&c));
    const enum rc rc = link_bulk(env->link, FRAME_SYNC_WANT, payload, c.pos);
    free(payload);
    return rc == RC_OK ? RC_AGAIN : rc;
}

/* Sends the records that only we have, then goes on with the next slice. */
static enum rc send_ours(struct cells_sink *k, const struct epoch_sender_env *env)
{
    enum rc rc = send_ids(env, &k->column, &k->ours, &k->sent, &k->big_until);
    if (rc != RC_OK) {
        return rc;
    }
    if (k->slice + 1 < UINT32_C(1) << k->slice_bits) {
        rc = begin_slice(k, env, k->slice_bits, k->slice + 1, k->decoder.item_count);
        return rc == RC_OK ? RC_AGAIN : rc;
    }
    k->phase = CELLS_SINK_ENDS;
    return RC_AGAIN;
}

static enum rc end(struct cells_sink *k, const struct epoch_sender_env *env)
{
    if (column_shed(&k->column) != RC_OK) {
        return RC_AGAIN;
    }
    if (env->link->big_done < k->big_until) {
        return RC_FULL;
    }
    uint8_t payload[6];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u8(&c, k->session);
    cursor_put_u8(&c, WANT_IS_LAST);
    cursor_put_u32(&c, (uint32_t)k->sent);
    env->counters->syncs_undecoded += k->is_failed;
    return link_bulk(env->link, FRAME_SYNC_WANT, payload, c.pos);
}

enum rc cells_sink_step(struct cells_sink *k, const struct epoch_sender_env *env)
{
    if (!link_bulk_has_room(env->link)) {
        return RC_FULL;
    }
    if (k->is_held) {
        k->is_held = false;
        const enum rc rc = begin_slice(k, env, k->slice_bits, 0, k->share);
        if (rc != RC_OK) {
            return rc;
        }
    }
    if (!k->column.is_collected) {
        const enum rc rc = column_collect(&k->column, env->store, env->now_ms);
        if (rc == RC_TOO_LONG) {
            k->column.is_collected = true;
            give_up(k);
        }
        return RC_AGAIN;
    }
    switch (k->phase) {
    case CELLS_SINK_DECODES:
        return decode(k, env);
    case CELLS_SINK_WANTS:
        return want(k, env);
    case CELLS_SINK_SENDS:
        return send_ours(k, env);
    case CELLS_SINK_ENDS:
        break;
    }
    return end(k, env);
}
