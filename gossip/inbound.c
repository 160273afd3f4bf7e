#include "gossip/inbound.h"

#include "core/base/mem.h"
#include "gossip/engine.h"
#include "gossip/engine_state.h"
#include "gossip/hello.h"
#include "gossip/spread.h"
#include "gossip/tree_links.h"
#include "gossip/wiring.h"

#include <stdio.h>
#include <string.h>

/* ---- Records ---- */

/*
 * Called after a peer's record. The entry may now have a later guard than the record had, because
 * an older version was replaced or refused here. The guard is passed on like a write: another node
 * may hold the newer version without knowing how long an older one could still come back. A small
 * record goes whole, as it may arrive before the link brings it on which it should have come.
 */
static void pass_guard_on(struct engine *e, const struct record *r, bool is_applied)
{
    struct record held;
    if (store_get(e->store, r->key, r->key_len, engine_now_ms(e), &held) == RC_OK &&
        (!is_applied || held.guard_ms > r->guard_ms)) {
        spread_guard(engine_spread(e), &held);
    }
}

/* The peer holds the records that it sends in reconciliation, and a client may be waiting for that.
 * And records that are news here may be news to the other links. */
static void note_reconciled(struct engine *e, const struct link *l, const struct record *r,
                            bool is_news)
{
    sync_received(e->sync, is_news, e->now_us);
    if (quorum_count(e->quorum) > 0) {
        const uint32_t waiter =
            quorum_find(e->quorum, record_write_id(r, store_digest_seed(e->store)), &r->version);
        if (waiter != 0) {
            quorum_held(e->quorum, waiter, &l->member->uuid);
        }
    }
}

/* It is no longer noted as missing. So it will be fetched when it is announced again. */
static enum nack_reason refuse_record(struct engine *e, const struct frame_record *f,
                                      enum nack_reason reason)
{
    e->counters.records_refused++;
    tree_gone(e->tree, record_write_id(&f->record, store_digest_seed(e->store)));
    return reason;
}

/* Applies a peer's record; 0, or why it is refused. */
static enum nack_reason apply(struct engine *e, struct link *l, const struct frame_record *f)
{
    const struct record *r = &f->record;
    const uint64_t now_ms = engine_now_ms(e);
    enum merge_outcome outcome = MERGE_SAME;
    e->counters.records_received++;
    if (!e->clock.is_set || !l->clock.is_agreed ||
        version_ms(&r->version) > now_ms + RECORD_AHEAD_MAX_MS) {
        return refuse_record(e, f, NACK_CLOCK);
    }
    if (f->kind & RECORD_IS_GUARD) {
        outcome = store_guard(e->store, r, now_ms);
    } else if (engine_merge(e, r, &outcome) != RC_OK) {
        return refuse_record(e, f, NACK_FULL);
    }
    if (outcome == MERGE_APPLIED) {
        e->counters.records_applied++;
    }
    spread_arrived(engine_spread(e), l, f, outcome);
    const bool is_news = outcome == MERGE_GUARDED || outcome == MERGE_APPLIED;
    if (is_news && r->is_shadow) {
        spread_shadow(engine_spread(e), l, r);
    } else if (is_news) {
        pass_guard_on(e, r, outcome == MERGE_APPLIED);
    }
    if ((f->kind & (RECORD_IS_COUNTED | RECORD_IS_FORWARD)) == 0) {
        note_reconciled(e, l, r, is_news);
    }
    return (enum nack_reason)0;
}

static enum rc count_record(struct engine *e, struct link *l, const struct frame_record *f,
                            enum nack_reason refused)
{
    l->records_in++;
    if ((f->kind & RECORD_IS_COUNTED) == 0) {
        const bool is_synced = (f->kind & RECORD_IS_FORWARD) == 0;
        e->counters.sync_records_received += is_synced;
        e->counters.sync_shadows_received += is_synced && f->record.is_shadow;
        l->progress += is_synced;
        return RC_OK;
    }
    l->received_count++;
    if (refused == 0) {
        return RC_OK;
    }
    uint8_t payload[9];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, l->received_count);
    cursor_put_u8(&c, (uint8_t)refused);
    return link_control(l, FRAME_NACK, FRAME_CRITICAL, payload, c.pos);
}

static enum rc take_record(struct engine *e, struct link *l, struct cursor *c)
{
    struct frame_record f;
    frame_record_read(c, false, &f);
    if (!cursor_ok(c)) {
        return RC_MALFORMED;
    }
    return count_record(e, l, &f, apply(e, l, &f));
}

/* Records of reconciliation and joining, many in one frame. */
static enum rc take_records(struct engine *e, struct link *l, struct cursor *c)
{
    struct batch_reader reader;
    struct frame_record f;
    enum rc rc = batch_read(&reader, c);
    while (rc == RC_OK && (rc = batch_next(&reader, &f)) == RC_OK) {
        rc = count_record(e, l, &f, apply(e, l, &f));
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* The same while they cannot be taken: they are to be records even so. */
static enum rc pass_records(const struct cursor *c)
{
    struct batch_reader reader;
    struct frame_record f;
    enum rc rc = batch_read(&reader, c);
    while (rc == RC_OK) {
        rc = batch_next(&reader, &f);
    }
    return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* Memory of large values that have not come whole, over all links. */
static uint64_t bytes_under_way(const struct engine *e)
{
    uint64_t bytes = 0;
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        const bool is_held = l->in_large != NULL && l->in_large->blob != NULL;
        bytes += is_held ? l->in_large->record.value_len : 0;
    }
    return bytes;
}

static enum rc begin_large(struct engine *e, struct link *l, struct cursor *c)
{
    struct frame_record f;
    frame_record_read(c, true, &f);
    if (!cursor_ok(c) || cursor_left(c) > 0 || f.record.value_len <= VALUE_INLINE_MAX) {
        return RC_MALFORMED;
    }
    if (l->in_large == NULL) {
        l->in_large = mem_new(1, sizeof(*l->in_large));
    }
    struct large *large = l->in_large;
    if (large->is_active) {
        return RC_MALFORMED;
    }
    /* A record that surely does not fit is not collected. A write that does not grow the store
     * is. */
    const struct store_stats stats = store_stats(e->store);
    struct record held = {.value_len = 0};
    (void)!store_get(e->store, f.record.key, f.record.key_len, engine_now_ms(e), &held);
    const uint64_t used = stats.bytes_used + bytes_under_way(e);
    const bool fits =
        used + f.record.value_len <= stats.bytes_max || f.record.value_len <= held.value_len;
    large->is_active = true;
    large->offset = 0;
    large->kind = f.kind;
    large->record = f.record;
    large->blob = fits ? blob_new(store_pages(e->store), f.record.value_len) : NULL;
    large->is_refused = large->blob == NULL;
    memcpy(large->key, f.record.key, f.record.key_len);
    large->record.key = large->key;
    return RC_OK;
}

static enum rc end_large(struct engine *e, struct link *l)
{
    struct large *large = l->in_large;
    enum nack_reason refused = NACK_FULL;
    const struct frame_record f = {.record = large->record, .kind = large->kind};
    if (!large->is_refused) {
        struct frame_record whole = f;
        whole.record.blob = large->blob;
        refused = apply(e, l, &whole);
    } else {
        engine_refused_room(e);
        (void)refuse_record(e, &f, NACK_FULL);
    }
    blob_release(large->blob);
    large->blob = NULL;
    large->is_active = false;
    return count_record(e, l, &f, refused);
}

/* A LARGE_DATA frame begins, whose payload is taken as it comes. */
static enum rc begin_large_data(struct link *l, size_t len)
{
    const struct large *large = l->in_large;
    if (l->state != LINK_OPEN || !l->member->is_mate || large == NULL || !large->is_active ||
        len == 0 || len > large->record.value_len - large->offset) {
        return RC_MALFORMED;
    }
    l->data_left = len;
    return RC_OK;
}

static enum rc take_large_data(struct engine *e, struct link *l, const uint8_t **data, size_t *len)
{
    struct large *large = l->in_large;
    const size_t piece = *len < l->data_left ? *len : l->data_left;
    if (!large->is_refused && blob_take(large->blob, *data, piece) != RC_OK) {
        blob_release(large->blob);
        large->blob = NULL;
        large->is_refused = true;
    }
    *data += piece;
    *len -= piece;
    l->data_left -= piece;
    large->offset += piece;
    l->progress += l->data_left == 0;
    return large->offset == large->record.value_len ? end_large(e, l) : RC_OK;
}

static enum rc take_ack(struct engine *e, struct link *l, struct cursor *c)
{
    const uint64_t count = cursor_u64(c);
    uint32_t waiter = 0;
    if (count > l->sent_count || count < l->acked_count) {
        return RC_MALFORMED;
    }
    e->counters.acks_received++;
    l->acked_count = count;
    while (link_pop_acked(l, count, &waiter)) {
        quorum_held(e->quorum, waiter, &l->member->uuid);
    }
    return RC_OK;
}

static enum rc take_nack(struct engine *e, struct link *l, struct cursor *c)
{
    const uint64_t number = cursor_u64(c);
    const uint8_t reason = cursor_u8(c);
    if (number > l->sent_count || number <= l->acked_count || reason < NACK_FULL ||
        reason > NACK_INVALID) {
        return RC_MALFORMED;
    }
    e->counters.nacks_received++;
    const uint32_t waiter = link_take_refused(l, number);
    if (reason == NACK_FULL && (l->member->flags & MEMBER_IS_FULL) == 0) {
        l->member->flags |= MEMBER_IS_FULL;
        outbox_notice(e->outbox, NOTICE_PEER_FULL, l->member, 0, NULL);
    }
    if (quorum_at(e->quorum, waiter) == NULL) {
        return RC_OK;
    }
    if (reason == NACK_CLOCK) {
        owed_put_off(e, l, waiter);
    } else {
        voters_refused(e, l, waiter);
    }
    return RC_OK;
}

/* ---- Frames ---- */

static enum rc take_close(struct engine *e, struct link *l, struct cursor *c)
{
    const uint8_t reason = cursor_u8(c);
    char text[32];
    (void)snprintf(text, sizeof(text), "close, reason %u", reason);
    struct member *m = l->member;
    if (reason == CLOSE_FULL) {
        start_refused(e, l);
    }
    if (m == NULL && l->is_dialed) {
        swim_candidate_failed(e->swim, &l->addr, e->now_us);
    }
    const bool is_replaced = reason == CLOSE_DUPLICATE || reason == CLOSE_KEY;
    if (l->state == LINK_OPEN && !is_replaced) {
        tree_links_leave(&engine_spread(e)->env, l);
    }
    /* What was under way is reconciled on the link that waits to take its place. */
    struct link *heir = m == NULL ? NULL : rival_of(e, m);
    if (heir != NULL && m->is_mate) {
        link_ask_repair(heir, REPAIR_TAKEN_OVER);
    }
    if (l->state == LINK_OPEN && !is_replaced && reason != CLOSE_IDLE) {
        outbox_notice(e->outbox, NOTICE_LINK_DOWN, m, 0, text);
        mesh_failed(e->mesh, m, e->now_us);
    }
    peer_end(e, l, 0);
    if (is_replaced) {
        mesh_hurry(e->mesh); /* if it was the last after all */
    }
    return RC_CLOSED;
}

/* A frame of a type that every version has; the link is open. */
static enum rc take_open_frame(struct engine *e, struct link *l, enum frame_type type,
                               struct cursor *c)
{
    switch (type) {
    case FRAME_PACKET:
        rival_answered(e, l, c->in, c->size);
        swim_packet(e->swim, NULL, l->member, c->in, c->size, e->now_us);
        return RC_OK;
    case FRAME_RECORD:
        return take_record(e, l, c);
    case FRAME_RECORDS:
        return take_records(e, l, c);
    case FRAME_SYNC_ROOT:
        peer_take_root(e, l, c);
        return RC_OK;
    case FRAME_LARGE_BEGIN:
        return begin_large(e, l, c);
    case FRAME_ACK:
        return take_ack(e, l, c);
    case FRAME_NACK:
        return take_nack(e, l, c);
    case FRAME_STATE:
        owed_take_state(e, l, c);
        return RC_OK;
    case FRAME_SYNC_GROUPS:
    case FRAME_SYNC_EPOCHS:
    case FRAME_SYNC_SCOPE:
    case FRAME_SYNC_LIST:
    case FRAME_SYNC_CELLS:
    case FRAME_SYNC_MORE:
    case FRAME_SYNC_WANT:
    case FRAME_SYNC_DONE:
    case FRAME_JOIN:
    case FRAME_JOIN_DONE:
        return sync_frame(e->sync, l, type, c, &e->config.uuid, e->now_us);
    case FRAME_CLOCK:
        return hello_take_clock(e, l, c);
    case FRAME_ROLE:
        wiring_role(e, l, c);
        return RC_OK;
    case FRAME_TREE_HAVE:
    case FRAME_TREE_GRAFT:
    case FRAME_TREE_PRUNE:
    case FRAME_TREE_HELD:
        return spread_frame(engine_spread(e), l, type, c);
    case FRAME_HELLO:
    case FRAME_CLOSE:
    case FRAME_LARGE_DATA: /* taken as it comes */
        break;
    }
    return RC_UNSUPPORTED;
}

enum {
    IS_DATA = 1,      /* only between members of one enclave */
    IS_SYNC = 2,      /* of reconciliation: not while the clocks are apart */
    KEEPS_IN_USE = 4, /* something was wanted of the link */
};

/* What the frames of an open link are; of kinds that are not known it says nothing. */
static uint8_t class_of(uint8_t type)
{
    enum { RECORD = IS_DATA, SYNC = IS_DATA | IS_SYNC | KEEPS_IN_USE, PACKET = KEEPS_IN_USE };
    static const uint8_t classes[] = {
        [FRAME_PACKET] = PACKET,    [FRAME_RECORD] = RECORD,     [FRAME_LARGE_BEGIN] = RECORD,
        [FRAME_SYNC_GROUPS] = SYNC, [FRAME_SYNC_EPOCHS] = SYNC,  [FRAME_SYNC_SCOPE] = SYNC,
        [FRAME_SYNC_LIST] = SYNC,   [FRAME_SYNC_CELLS] = SYNC,   [FRAME_SYNC_MORE] = SYNC,
        [FRAME_SYNC_WANT] = SYNC,   [FRAME_SYNC_DONE] = SYNC,    [FRAME_SYNC_ROOT] = SYNC,
        [FRAME_JOIN] = SYNC,        [FRAME_JOIN_DONE] = SYNC,    [FRAME_RECORDS] = SYNC,
        [FRAME_TREE_HAVE] = RECORD, [FRAME_TREE_GRAFT] = RECORD, [FRAME_TREE_PRUNE] = RECORD,
        [FRAME_TREE_HELD] = RECORD,
    };
    return type < sizeof(classes) ? classes[type] : 0;
}

static enum rc take_frame(struct engine *e, struct link *l, uint8_t type, uint8_t flags,
                          const uint8_t *payload, size_t len)
{
    struct cursor c = cursor_reader(payload, len);
    if (!frame_fits(type, payload, len)) {
        return RC_MALFORMED;
    }
    if (type == FRAME_CLOSE) {
        return take_close(e, l, &c);
    }
    if (l->state == LINK_HELLO) {
        return type == FRAME_HELLO ? hello_take(e, l, &c) : RC_MALFORMED;
    }
    const uint8_t class = class_of(type);
    if ((class & IS_DATA) != 0 && !l->member->is_mate) {
        return RC_MALFORMED; /* enclaves share membership, not data */
    }
    if (l->clock.is_conflict && (class & IS_SYNC) != 0) {
        /* The other side will say so too. */
        return type == FRAME_RECORDS ? pass_records(&c) : RC_OK;
    }
    if ((class & KEEPS_IN_USE) != 0) {
        l->used_us = e->now_us;
    }
    const enum rc rc = take_open_frame(e, l, (enum frame_type)type, &c);
    if (rc == RC_UNSUPPORTED && (flags & FRAME_CRITICAL) == 0) {
        e->counters.frames_unknown++;
        return RC_OK;
    }
    return rc;
}

/* Says goodbye to a peer that broke the protocol, or that is none; or for whose words there was no
 * memory, which is no fault of its own. */
static void refuse(struct engine *e, struct link *l, enum rc rc)
{
    if (l->member == NULL && l->is_dialed) {
        swim_candidate_failed(e->swim, &l->addr, e->now_us);
    }
    if (l->member != NULL) {
        mesh_failed(e->mesh, l->member, e->now_us);
    }
    if (rc == RC_STRANGER || rc == RC_VERSION) {
        e->counters.links_stranger++;
        peer_end(e, l, rc == RC_STRANGER ? CLOSE_STRANGER : CLOSE_VERSION);
        return;
    }
    if (rc == RC_FULL && l->state == LINK_HELLO) {
        peer_end(e, l, CLOSE_FULL);
        return;
    }
    const bool is_fault = rc != RC_NO_MEMORY;
    e->counters.frames_malformed += is_fault;
    outbox_notice(e->outbox, NOTICE_LINK_DOWN, l->member, 0, rc_text(rc));
    peer_end(e, l, is_fault ? CLOSE_MALFORMED : 0);
}

/* The frame's whole length from its header, of LARGE_DATA the header's; 0 while that is not
 * complete; RC_TOO_LONG. */
static enum rc frame_len(struct link *l, const uint8_t *data, size_t len, size_t *ret_len)
{
    *ret_len = 0;
    if (len < FRAME_HEADER_BYTES) {
        return RC_OK;
    }
    struct cursor c = cursor_reader(data, len);
    const uint8_t type = cursor_u8(&c);
    (void)cursor_u8(&c);
    const size_t payload_len = cursor_u32(&c);
    if (payload_len > frame_payload_max(type)) {
        return RC_TOO_LONG;
    }
    const bool is_data = type == FRAME_LARGE_DATA;
    *ret_len = FRAME_HEADER_BYTES + (is_data ? 0 : payload_len);
    return is_data ? begin_large_data(l, payload_len) : RC_OK;
}

static enum rc dispatch(struct engine *e, struct link *l, const uint8_t *frame, size_t len)
{
    if (l->data_left > 0) {
        return RC_OK; /* it has begun */
    }
    return take_frame(e, l, frame[0], frame[1], frame + FRAME_HEADER_BYTES,
                      len - FRAME_HEADER_BYTES);
}

/* Takes the frame at the front of *data; what is not a whole frame is kept in the link's buffer. */
static enum rc take_whole(struct engine *e, struct link *l, const uint8_t **data, size_t *len)
{
    size_t whole = 0;
    const uint8_t *frame = *data;
    const enum rc rc = frame_len(l, frame, *len, &whole);
    if (rc != RC_OK) {
        return rc;
    }
    const size_t taken = whole == 0 || whole > *len ? *len : whole;
    *data += taken;
    *len -= taken;
    if (taken != whole) {
        return buf_append(&l->in, frame, taken);
    }
    const enum rc taken_rc = dispatch(e, l, frame, whole);
    return taken_rc == RC_AGAIN ? buf_append(&l->in, frame, whole) : taken_rc;
}

/* Adds to the frame whose beginning is in the link's buffer, and takes it once it is whole. */
static enum rc take_pieced(struct engine *e, struct link *l, const uint8_t **data, size_t *len)
{
    size_t whole = 0;
    enum rc rc = frame_len(l, buf_data(&l->in), l->in.len, &whole);
    if (rc != RC_OK) {
        return rc;
    }
    const size_t missing = (whole == 0 ? FRAME_HEADER_BYTES : whole) - l->in.len;
    const size_t piece = missing < *len ? missing : *len;
    rc = buf_append(&l->in, *data, piece);
    *data += piece;
    *len -= piece;
    if (rc == RC_OK) {
        rc = frame_len(l, buf_data(&l->in), l->in.len, &whole);
    }
    if (rc != RC_OK || whole == 0 || l->in.len < whole) {
        return rc;
    }
    rc = dispatch(e, l, buf_data(&l->in), whole);
    if (rc == RC_OK) {
        buf_clear(&l->in);
    }
    return rc;
}

static enum rc take_some(struct engine *e, struct link *l, const uint8_t **data, size_t *len)
{
    if (l->data_left > 0) {
        return take_large_data(e, l, data, len);
    }
    return l->in.len > 0 ? take_pieced(e, l, data, len) : take_whole(e, l, data, len);
}

/* One cumulative acknowledgement for everything that came in one turn. */
static void acknowledge(struct engine *e, struct link *l)
{
    if (l->told_count == l->received_count) {
        return;
    }
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, l->received_count);
    if (mesh_send(e->mesh, l, FRAME_ACK, payload, c.pos) != RC_OK) {
        peer_end(e, l, 0);
        return;
    }
    l->told_count = l->received_count;
}

static void take_input(struct engine *e, struct link *l, const uint8_t *data, size_t len)
{
    const uint32_t id = l->id;
    enum rc rc = RC_OK;
    while (len > 0 && rc == RC_OK && l->state != LINK_RIVAL) {
        rc = take_some(e, l, &data, &len);
        l = mesh_find(e->mesh, id);
        if (l == NULL || l->state == LINK_CLOSING) {
            return;
        }
    }
    if (l->state == LINK_RIVAL) {
        rival_keep(l, rc == RC_OK || rc == RC_AGAIN, data, len);
    } else if (rc != RC_OK) {
        refuse(e, l, rc);
    } else if (l->state == LINK_OPEN) {
        l->input_us = e->now_us;
        swim_heard(e->swim, l->member, e->now_us);
        if (link_needs_repair(l)) {
            peer_look_by(e, e->now_us);
        }
        acknowledge(e, l); /* the link may be gone after it */
    }
}

void engine_link_input(struct engine *e, uint32_t link, const uint8_t *data, size_t len,
                       uint64_t now_us)
{
    engine_advance(e, now_us);
    struct link *l = mesh_find(e->mesh, link);
    if (l == NULL || l->state == LINK_DIALING || l->state == LINK_CLOSING) {
        return;
    }
    l->bytes_in += len;
    take_input(e, l, data, len);
    l = mesh_find(e->mesh, link);
    if (l != NULL) {
        peer_count(e, l);
    }
    engine_settle(e);
}

size_t engine_link_rooms(struct engine *e, uint32_t link, struct blob_room *ret_rooms)
{
    const struct link *l = mesh_find(e->mesh, link);
    if (l == NULL || l->state != LINK_OPEN || l->data_left == 0 || l->in_large->is_refused) {
        return 0;
    }
    return blob_rooms(l->in_large->blob, l->data_left, ret_rooms);
}

void inbound_resume(struct engine *e, struct link *l)
{
    struct buf kept = l->in;
    buf_init(&l->in, FRAME_HEADER_BYTES + FRAME_PAYLOAD_MAX);
    l->state = LINK_HELLO;
    l->since_us = e->now_us;
    take_input(e, l, buf_data(&kept), kept.len);
    buf_fini(&kept);
}
