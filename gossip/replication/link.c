#include "gossip/replication/link.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { QUEUE_SIZE_MIN = 64 };

void link_init(struct link *l, uint32_t id, uint32_t slot, enum link_state state, bool is_dialed,
               const struct addr *addr, uint64_t now_us)
{
    ASSERT(id != 0);
    *l = (struct link){.id = id,
                       .slot = slot,
                       .state = state,
                       .is_dialed = is_dialed,
                       .addr = *addr,
                       .begun_us = now_us,
                       .since_us = now_us};
    buf_init(&l->in, FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX);
    buf_init(&l->control, LINK_CONTROL_BYTES_MAX);
    buf_init(&l->bulk, LINK_BULK_BYTES_MAX);
    buf_init(&l->news.entries, LINK_NEWS_BYTES_MAX);
    l->used_us = now_us;
    l->role.peer_flags = ROLE_KEEPS;
}

static void large_free(struct large *large)
{
    if (large != NULL) {
        blob_release(large->blob);
        free(large);
    }
}

void link_fini(struct link *l)
{
    ASSERT(l->sync == NULL);
    buf_fini(&l->in);
    buf_fini(&l->control);
    buf_fini(&l->bulk);
    buf_fini(&l->news.entries);
    free(l->batch);
    free(l->live.items);
    free(l->big.items);
    free(l->unacked.items);
    large_free(l->out_large);
    large_free(l->in_large);
    *l = (struct link){.state = LINK_FREE};
}

uint64_t link_memory(const struct link *l)
{
    const struct large *const larges[] = {l->in_large, l->out_large};
    const struct write_queue *const queues[] = {&l->live, &l->big};
    const struct buf *const bufs[] = {&l->in, &l->control, &l->bulk, &l->news.entries};
    uint64_t bytes = sizeof(*l) + l->unsent_bytes + l->unacked.size * sizeof(struct unacked);
    bytes += l->batch == NULL ? 0 : sizeof(*l->batch);
    for (int i = 0; i < 2; i++) {
        bytes += queues[i]->size * sizeof(struct queued_write);
        bytes += larges[i] == NULL ? 0 : sizeof(struct large);
    }
    for (int i = 0; i < 4; i++) {
        bytes += bufs[i]->size;
    }
    return bytes;
}

/* ---- Queues ---- */

static enum rc queue_push(struct write_queue *q, const struct queued_write *w)
{
    if (q->count == LINK_QUEUE_MAX) {
        return RC_FULL;
    }
    if (q->count == q->size) {
        const size_t size = q->size == 0 ? QUEUE_SIZE_MIN : 2 * q->size;
        struct queued_write *items = mem_new(size, sizeof(*items));
        for (size_t i = 0; i < q->count; i++) {
            items[i] = q->items[(q->head + i) & (q->size - 1)];
        }
        free(q->items);
        *q = (struct write_queue){.items = items, .size = size, .count = q->count};
    }
    q->items[(q->head + q->count++) & (q->size - 1)] = *w;
    return RC_OK;
}

static bool queue_pop(struct write_queue *q, struct queued_write *ret_w)
{
    if (q->count == 0) {
        return false;
    }
    *ret_w = q->items[q->head];
    q->head = (q->head + 1) & (q->size - 1);
    q->count--;
    return true;
}

static void queue_clear(struct write_queue *q)
{
    free(q->items);
    *q = (struct write_queue){.size = 0};
}

static enum rc big_push(struct link *l, const struct queued_write *w)
{
    const enum rc rc = queue_push(&l->big, w);
    l->big_queued += rc == RC_OK;
    return rc;
}

enum rc link_enqueue(struct link *l, const struct queued_write *w, bool is_big)
{
    return is_big ? big_push(l, w) : queue_push(&l->live, w);
}

void link_clear_queue(struct link *l, bool is_big)
{
    l->big_done += is_big ? l->big.count : 0;
    queue_clear(is_big ? &l->big : &l->live);
}

void link_move_queue(struct link *from, struct link *to)
{
    struct queued_write w;
    while (queue_pop(&from->live, &w) && queue_push(&to->live, &w) == RC_OK) {
    }
    while (queue_pop(&from->big, &w) && big_push(to, &w) == RC_OK) {
    }
}

static void unacked_push(struct unacked_queue *q, uint64_t number, uint32_t waiter)
{
    if (q->count == LINK_UNACKED_MAX) {
        q->head = (q->head + 1) & (q->size - 1);
        q->count--;
    }
    if (q->count == q->size) {
        const size_t size = q->size == 0 ? QUEUE_SIZE_MIN : 2 * q->size;
        struct unacked *items = mem_new(size, sizeof(*items));
        for (size_t i = 0; i < q->count; i++) {
            items[i] = q->items[(q->head + i) & (q->size - 1)];
        }
        free(q->items);
        *q = (struct unacked_queue){.items = items, .size = size, .count = q->count};
    }
    q->items[(q->head + q->count++) & (q->size - 1)] =
        (struct unacked){.number = number, .waiter = waiter};
}

bool link_pop_acked(struct link *l, uint64_t number, uint32_t *ret_waiter)
{
    struct unacked_queue *q = &l->unacked;
    while (q->count > 0 && q->items[q->head].number <= number) {
        const uint32_t waiter = q->items[q->head].waiter;
        q->head = (q->head + 1) & (q->size - 1);
        q->count--;
        if (waiter != 0) {
            *ret_waiter = waiter;
            return true;
        }
    }
    return false;
}

uint32_t link_take_refused(struct link *l, uint64_t number)
{
    struct unacked_queue *q = &l->unacked;
    for (size_t i = 0; i < q->count; i++) {
        struct unacked *item = &q->items[(q->head + i) & (q->size - 1)];
        if (item->number == number) {
            const uint32_t waiter = item->waiter;
            item->waiter = 0;
            return waiter;
        }
        if (item->number > number) {
            break;
        }
    }
    return 0;
}

/* ---- Frames out ---- */

static enum rc append_frame(struct buf *to, enum frame_type type, uint8_t flags,
                            const void *payload, size_t len)
{
    ASSERT(len <= FRAME_PAYLOAD_MAX);
    uint8_t *room = NULL;
    const enum rc rc = buf_reserve(to, FRAME_HEADER_BYTES + len, &room);
    if (rc != RC_OK) {
        return rc;
    }
    struct cursor c = cursor_writer(room, FRAME_HEADER_BYTES + len);
    frame_header_write(&c, type, flags, len);
    cursor_put_bytes(&c, payload, len);
    ASSERT(cursor_ok(&c));
    buf_commit(to, FRAME_HEADER_BYTES + len);
    return RC_OK;
}

enum rc link_control(struct link *l, enum frame_type type, uint8_t flags, const void *payload,
                     size_t len)
{
    return append_frame(&l->control, type, flags, payload, len);
}

/* Appends the records that were collected to the bulk buffer. */
static enum rc close_batch(struct link *l)
{
    const uint8_t *frame = NULL;
    const size_t len = l->batch == NULL ? 0 : batch_frame(l->batch, &frame);
    const enum rc rc = len == 0 ? RC_OK : buf_append(&l->bulk, frame, len);
    if (len > 0 && rc == RC_OK) {
        batch_clear(l->batch);
    }
    return rc;
}

enum rc link_bulk(struct link *l, enum frame_type type, const void *payload, size_t len)
{
    enum rc rc = close_batch(l);
    if (rc == RC_OK) {
        rc = append_frame(&l->bulk, type, FRAME_CRITICAL, payload, len);
        l->bulk_frames_bytes += rc == RC_OK ? FRAME_HEADER_BYTES + len : 0;
    }
    return rc;
}

bool link_bulk_has_room(const struct link *l)
{
    return l->bulk.len < LINK_BULK_ROOM_BYTES && l->big.count < LINK_QUEUE_MAX / 2;
}

void link_bulk_rest(struct link *l)
{
    if (l->batch != NULL && close_batch(l) == RC_OK) {
        free(l->batch);
        l->batch = NULL;
    }
}

/* A RECORD frame, header included; a guard goes without its value. */
static enum rc append_record(struct buf *to, const struct record *r, uint8_t kind)
{
    const size_t value_len = kind & RECORD_IS_GUARD ? 0 : r->value_len;
    const size_t most = FRAME_HEADER_BYTES + RECORD_WIRE_OVERHEAD_MAX + r->key_len + value_len;
    uint8_t *room = NULL;
    const enum rc rc = buf_reserve(to, most, &room);
    if (rc != RC_OK) {
        return rc;
    }
    struct cursor c = cursor_writer(room, most);
    frame_header_write(&c, FRAME_RECORD, FRAME_CRITICAL, 0);
    frame_record_write(&c, r, kind, false);
    cursor_put_bytes(&c, r->value, value_len);
    ASSERT(cursor_ok(&c));
    const size_t len = c.pos;
    struct cursor header = cursor_writer(room, FRAME_HEADER_BYTES);
    frame_header_write(&header, FRAME_RECORD, FRAME_CRITICAL, len - FRAME_HEADER_BYTES);
    buf_commit(to, len);
    return RC_OK;
}

enum rc link_bulk_record(struct link *l, const struct record *r, uint32_t handle)
{
    if (r->blob == NULL) {
        if (l->batch == NULL) {
            l->batch = mem_new(1, sizeof(*l->batch));
        }
        enum rc rc = batch_add(l->batch, r);
        if (rc == RC_FULL) {
            rc = close_batch(l);
            rc = rc == RC_OK ? batch_add(l->batch, r) : rc;
        }
        l->records_out += rc == RC_OK;
        l->progress += rc == RC_OK;
        return rc;
    }
    const struct queued_write w = {
        .handle = handle, .version = r->version, .kind = RECORD_IS_COUNTED};
    return big_push(l, &w);
}

bool link_has_output(const struct link *l)
{
    return l->control.len > 0 || l->bulk.len > 0 || (l->batch != NULL && l->batch->count > 0) ||
           l->live.count > 0 || l->big.count > 0 ||
           (l->out_large != NULL && l->out_large->is_active);
}

static void count_sent(struct link *l, uint8_t kind, uint32_t waiter)
{
    if ((kind & RECORD_IS_COUNTED) == 0) {
        return;
    }
    l->sent_count++;
    if (waiter != 0) {
        unacked_push(&l->unacked, l->sent_count, waiter);
    }
}

/* The record behind a queued write as it is now; false when there is nothing to send any more. */
static bool find_record(const struct link_source *source, const struct queued_write *w,
                        struct record *ret_record)
{
    if (store_at(source->store, w->handle, &w->version, source->now_ms, ret_record) == RC_OK) {
        return true;
    }
    return w->waiter != 0 && source->replacement(source->arg, w, ret_record);
}

/* Starts sending a large value; the blob is held until its last byte is out. */
static void begin_large(struct link *l, const struct record *r, const struct queued_write *w,
                        struct buf *out)
{
    if (l->out_large == NULL) {
        l->out_large = mem_new(1, sizeof(*l->out_large));
    }
    struct large *large = l->out_large;
    uint8_t payload[RECORD_WIRE_OVERHEAD_MAX + KEY_BYTES_MAX];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_record_write(&c, r, w->kind, true);
    ASSERT(cursor_ok(&c));
    if (append_frame(out, FRAME_LARGE_BEGIN, FRAME_CRITICAL, payload, c.pos) != RC_OK) {
        link_ask_repair(l, REPAIR_NO_ROOM);
        l->big_done++;
        return;
    }
    large->is_active = true;
    large->waiter = w->waiter;
    large->kind = w->kind;
    large->offset = 0;
    large->blob = blob_hold(r->blob);
}

static void end_large(struct link *l)
{
    struct large *large = l->out_large;
    large->is_active = false;
    blob_release(large->blob);
    large->blob = NULL;
    l->records_out++;
    l->big_done++;
    count_sent(l, large->kind, large->waiter);
}

/* A frame whose payload is noted and not copied. RC_FULL: there is no room for so many pieces. */
static enum rc refer_frame(struct buf *out, struct blobrefs *refs, const struct large *large,
                           size_t len)
{
    uint8_t *room = NULL;
    if (refs->count > BLOBREFS_MAX / 2) {
        return RC_FULL;
    }
    const enum rc rc = buf_reserve(out, FRAME_HEADER_BYTES, &room);
    if (rc != RC_OK) {
        return rc;
    }
    /* Where the pieces are many and small it ends before its length. */
    size_t done = 0;
    while (done < len && blobrefs_has_room(refs)) {
        done += blobrefs_add(refs, out->len + FRAME_HEADER_BYTES, large->blob, large->offset + done,
                             len - done);
    }
    struct cursor c = cursor_writer(room, FRAME_HEADER_BYTES);
    frame_header_write(&c, FRAME_LARGE_DATA, FRAME_CRITICAL, done);
    buf_commit(out, FRAME_HEADER_BYTES);
    return RC_OK;
}

/* The same copied. */
static enum rc copy_frame(struct buf *out, const struct large *large, size_t len)
{
    uint8_t *room = NULL;
    const enum rc rc = buf_reserve(out, FRAME_HEADER_BYTES + len, &room);
    if (rc != RC_OK) {
        return rc;
    }
    struct cursor c = cursor_writer(room, FRAME_HEADER_BYTES + len);
    frame_header_write(&c, FRAME_LARGE_DATA, FRAME_CRITICAL, len);
    for (size_t done = 0; done < len;) {
        const uint8_t *run = NULL;
        const size_t all = blob_run(large->blob, large->offset + done, &run);
        const size_t taken = all < len - done ? all : len - done;
        cursor_put_bytes(&c, run, taken);
        done += taken;
    }
    ASSERT(cursor_ok(&c));
    buf_commit(out, FRAME_HEADER_BYTES + len);
    return RC_OK;
}

/* One more chunk of the large value in progress; false when there is no room for it. */
static bool continue_large(struct link *l, struct buf *out, struct blobrefs *refs)
{
    struct large *large = l->out_large;
    const size_t most = refs == NULL ? FRAME_LARGE_COPY_MAX : FRAME_LARGE_DATA_MAX;
    const size_t left = blob_len(large->blob) - large->offset;
    const size_t noted = refs == NULL ? 0 : refs->bytes;
    size_t len = left < most ? left : most;
    const enum rc rc =
        refs == NULL ? copy_frame(out, large, len) : refer_frame(out, refs, large, len);
    if (rc != RC_OK) {
        return false;
    }
    len = refs == NULL ? len : refs->bytes - noted;
    large->offset += len;
    l->progress++;
    if (large->offset == blob_len(large->blob)) {
        end_large(l);
    }
    return true;
}

/* A record in one frame. False when there is no room for it; then reconciliation brings it. */
static bool send_record(struct link *l, const struct record *r, const struct queued_write *w,
                        struct buf *out)
{
    if (append_record(out, r, w->kind) != RC_OK) {
        link_ask_repair(l, REPAIR_NO_ROOM);
        return false;
    }
    l->records_out++;
    count_sent(l, w->kind, w->waiter);
    return true;
}

/* The next of the queue that is one, or what has become of it; false when there is none. */
static bool next_large(struct link *l, const struct link_source *source, struct buf *out)
{
    struct queued_write w;
    struct record r;
    while ((l->out_large == NULL || !l->out_large->is_active) && queue_pop(&l->big, &w)) {
        const bool is_found = find_record(source, &w, &r);
        if (is_found && r.blob != NULL) {
            begin_large(l, &r, &w, out);
            continue;
        }
        l->big_done++;
        if (is_found && !send_record(l, &r, &w, out)) {
            return false;
        }
    }
    return l->out_large != NULL && l->out_large->is_active;
}

static void fill_large(struct link *l, const struct link_source *source, struct buf *out)
{
    struct blobrefs *refs = source->refs;
    bool goes_on = true;
    while (goes_on && next_large(l, source, out)) {
        goes_on = continue_large(l, out, refs) && refs != NULL && refs->bytes < LINK_REFS_BYTES &&
                  out->len < LINK_REFS_BYTES;
    }
}

/* Small writes until `out` has reached `stop` bytes. A write that has become large goes to the
 * other queue. */
static void fill_small(struct link *l, const struct link_source *source, struct buf *out,
                       size_t stop)
{
    struct queued_write w;
    struct record r;
    while (out->len < stop && queue_pop(&l->live, &w)) {
        if (!find_record(source, &w, &r)) {
            continue;
        }
        if (r.blob != NULL && (w.kind & RECORD_IS_GUARD) == 0) {
            if (big_push(l, &w) != RC_OK) {
                link_ask_repair(l, REPAIR_NO_ROOM);
            }
            continue;
        }
        if (!send_record(l, &r, &w, out)) {
            return;
        }
    }
}

/* Moves up to `len` bytes of whole frames; the buffers hold nothing but whole frames. False when
 * there is no memory for that. */
static bool move_frames(struct buf *from, struct buf *out, size_t len_max)
{
    size_t len = 0;
    while (len < from->len && len < len_max) {
        struct cursor c = cursor_reader(buf_data(from) + len, from->len - len);
        (void)cursor_u16(&c);
        len += FRAME_HEADER_BYTES + (size_t)cursor_u32(&c);
        ASSERT(cursor_ok(&c) && len <= from->len);
    }
    if (buf_append(out, buf_data(from), len) != RC_OK) {
        return false;
    }
    buf_consume(from, len);
    return true;
}

size_t link_fill(struct link *l, const struct link_source *source, struct buf *out, size_t len_max)
{
    const size_t start = out->len;
    const size_t stop = start + len_max;
    /* Without memory for them nothing else goes either: a HELLO comes before all records. */
    if (move_frames(&l->control, out, len_max) && l->state == LINK_OPEN) {
        if (out->len < stop) {
            fill_small(l, source, out, start + len_max / 2);
        }
        if (l->bulk.len == 0) {
            (void)!close_batch(l); /* without memory for it now, the next time */
        }
        if (out->len < stop) {
            (void)move_frames(&l->bulk, out, (stop - out->len) / 2);
        }
        if (out->len < stop) {
            fill_large(l, source, out);
        }
        fill_small(l, source, out, stop);
    }
    const size_t len = out->len - start + (source->refs == NULL ? 0 : source->refs->bytes);
    l->bytes_out += len;
    return len;
}
