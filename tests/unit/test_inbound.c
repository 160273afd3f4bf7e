/* What comes in on a link in pieces, and what records, their acknowledgements and CLOSE do. */
#include "gossip/inbound.h"

#include "engine_rig.h"

static int set_up(void **state)
{
    *state = make_alone(1);
    return 0;
}

enum { NOW_US = START_US + SECOND_US };

static uint32_t mate(struct engine *e)
{
    const struct frame_hello hello = hello_of(2, NOW_US);
    return link_with(e, &hello, NOW_US);
}

static void say(struct engine *e, uint32_t link, uint8_t type, const void *payload, size_t len)
{
    say_frame(e, link, type, FRAME_CRITICAL, payload, len, NOW_US);
}

/* The link is as before, or it has been ended for what came, which was counted. */
static void expect(const struct engine *e, uint32_t link, bool is_taken, uint8_t type)
{
    if (is_open(e, link) != is_taken || e->counters.frames_malformed != !is_taken ||
        close_reason(e, link) != (is_taken ? 0 : CLOSE_MALFORMED)) {
        fail_msg("type %d is not %s", type, is_taken ? "taken" : "refused");
    }
}

/* ---- Pieces ---- */

static void frames_may_come_in_pieces_and_together(void **state)
{
    struct engine *e = *state;
    const uint32_t link = mate(e);
    /* Two that are unknown, and the header of a third. */
    static const uint8_t bytes[] = {200, 0, 0, 0, 0, 2, 'a', 'b', 201, 0, 0, 0, 0, 0, 202, 0, 0, 0};
    engine_link_input(e, link, bytes, sizeof(bytes), NOW_US);
    assert_int_equal(e->counters.frames_unknown, 2);
    static const uint8_t rest[] = {0, 1, 'c'};
    engine_link_input(e, link, rest, sizeof(rest), NOW_US);
    assert_int_equal(e->counters.frames_unknown, 3);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        engine_link_input(e, link, bytes + i, 1, NOW_US);
    }
    assert_int_equal(e->counters.frames_unknown, 5);
    assert_true(is_open(e, link));
    assert_int_equal(mesh_find(e->mesh, link)->in.len, 4);
}

static void a_length_beyond_the_most_ends_the_link_before_the_payload_comes(void **state)
{
    struct engine *e = *state;
    uint8_t header[FRAME_HEADER_BYTES];
    for (uint8_t pieces = 0; pieces < 2; pieces++) {
        const struct frame_hello hello = hello_of((uint8_t)(pieces + 2), NOW_US);
        const uint32_t link = link_with(e, &hello, NOW_US);
        struct cursor c = cursor_writer(header, sizeof(header));
        frame_header_write(&c, (enum frame_type)200, 0, FRAME_PAYLOAD_MAX);
        engine_link_input(e, link, header, sizeof(header), NOW_US);
        assert_true(is_open(e, link));
        static const uint8_t payload[FRAME_PAYLOAD_MAX];
        engine_link_input(e, link, payload, sizeof(payload), NOW_US);
        assert_int_equal(e->counters.frames_unknown, pieces + 1);
        c = cursor_writer(header, sizeof(header));
        frame_header_write(&c, (enum frame_type)200, 0, FRAME_PAYLOAD_MAX + 1);
        const size_t first = pieces ? 3 : sizeof(header);
        engine_link_input(e, link, header, first, NOW_US);
        engine_link_input(e, link, header + first, sizeof(header) - first, NOW_US);
        assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
        assert_int_equal(e->counters.frames_malformed, pieces + 1);
    }
}

/* ---- Records, and what is said of them ---- */

/* A write of so many bytes which expires in a minute, stamped `ahead_ms` after now. */
static struct record write_of(const struct engine *e, size_t value_len, uint64_t ahead_ms)
{
    static const uint8_t zeroes[VALUE_INLINE_MAX];
    const uint64_t now_ms = engine_clock_ms(e, NOW_US);
    return (struct record){
        .key = (const uint8_t *)"key",
        .key_len = 3,
        .value = zeroes,
        .value_len = value_len,
        .version = {.stamp = (now_ms + ahead_ms) << VERSION_COUNTER_BITS, .origin = {{2}}},
        .expiry_ms = now_ms + ahead_ms + 60000,
    };
}

/* The payload of RECORD or LARGE_BEGIN. */
static size_t write_payload(const struct record *r, uint8_t kind, bool is_large, uint8_t out[256])
{
    struct cursor c = cursor_writer(out, 256);
    frame_record_write(&c, r, kind, is_large);
    if (!is_large) {
        cursor_put_bytes(&c, r->value, r->value_len);
    }
    assert_true(cursor_ok(&c));
    return c.pos;
}

static void say_record(struct engine *e, uint32_t link, uint64_t ahead_ms)
{
    uint8_t payload[256];
    const struct record r = write_of(e, 5, ahead_ms);
    const size_t len = write_payload(&r, RECORD_IS_COUNTED, false, payload);
    say(e, link, FRAME_RECORD, payload, len);
}

static void begin_large(struct engine *e, uint32_t link, size_t value_len)
{
    uint8_t payload[256];
    const struct record r = write_of(e, value_len, 0);
    const size_t len = write_payload(&r, RECORD_IS_COUNTED, true, payload);
    say(e, link, FRAME_LARGE_BEGIN, payload, len);
}

static bool holds_key(const struct engine *e)
{
    struct record held;
    return engine_get(e, (const uint8_t *)"key", 3, NOW_US, &held) == RC_OK;
}

/* The reason of the refusal that waits on the link, and the number of the record; 0: none does. */
static uint8_t refusal(const struct engine *e, uint32_t link, uint64_t *ret_number)
{
    struct cursor payload;
    if (!next_of_type(e, link, FRAME_NACK, &payload)) {
        return 0;
    }
    *ret_number = cursor_u64(&payload);
    return cursor_u8(&payload);
}

static void all_records_of_one_input_are_acknowledged_at_once(void **state)
{
    struct engine *e = *state;
    struct cursor ack;
    uint8_t bytes[512];
    uint8_t payload[256];
    uint64_t number = 0;
    const uint32_t link = mate(e);
    const struct record r = write_of(e, 5, 0);
    const size_t len = write_payload(&r, RECORD_IS_COUNTED, false, payload);
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    for (int i = 0; i < 2; i++) {
        frame_header_write(&c, FRAME_RECORD, FRAME_CRITICAL, len);
        cursor_put_bytes(&c, payload, len);
    }
    engine_link_input(e, link, bytes, c.pos, NOW_US);
    assert_true(holds_key(e));
    assert_true(next_of_type(e, link, FRAME_ACK, &ack));
    assert_int_equal(cursor_u64(&ack), 2);
    assert_int_equal(refusal(e, link, &number), 0);
    assert_int_equal(e->counters.records_received, 2);
    assert_int_equal(e->counters.records_applied, 1);
    const struct link *l = mesh_find(e->mesh, link);
    assert_int_equal(l->records_in, 2);
    assert_int_equal(l->live.count, 0); /* and a plain write has no guard to go back */
    /* And once. */
    const size_t waiting = l->control.len;
    say_frame(e, link, 200, 0, NULL, 0, NOW_US);
    assert_int_equal(l->control.len, waiting);
}

/* Its peer would wait for ever; when it dials again it hears how many have come. */
static void a_link_that_has_no_room_for_an_acknowledgement_is_ended(void **state)
{
    struct engine *e = *state;
    struct action action;
    bool is_closed = false;
    const uint32_t link = mate(e);
    struct link *l = mesh_find(e->mesh, link);
    while (link_control(l, FRAME_STATE, 0, "", 1) == RC_OK) {
    }
    buf_consume(&l->control, FRAME_HEADER_BYTES + 1); /* a CLOSE would have room, which ends less */
    say_record(e, link, 0);
    assert_true(holds_key(e));
    assert_null(mesh_find(e->mesh, link));
    while (outbox_next(engine_outbox(e), &action)) {
        is_closed = is_closed || (action.kind == ACTION_CLOSE && action.link == link);
    }
    assert_true(is_closed);
}

static void what_is_not_counted_is_not_acknowledged(void **state)
{
    struct engine *e = *state;
    struct cursor ack;
    uint8_t payload[256];
    const uint32_t link = mate(e);
    const struct record r = write_of(e, 5, 0);
    size_t len = write_payload(&r, 0, false, payload);
    say(e, link, FRAME_RECORD, payload, len);
    assert_true(holds_key(e));
    assert_false(next_of_type(e, link, FRAME_ACK, &ack));
    assert_int_equal(e->counters.sync_records_received, 1);
    assert_int_equal(e->counters.sync_shadows_received, 0);
    /* A shadow is one of them. */
    struct record shadow = r;
    shadow.is_shadow = true;
    shadow.value_len = 0;
    len = write_payload(&shadow, 0, false, payload);
    say(e, link, FRAME_RECORD, payload, len);
    assert_int_equal(e->counters.sync_records_received, 2);
    assert_int_equal(e->counters.sync_shadows_received, 1);
    /* What is passed on as it was written is not of reconciliation. */
    len = write_payload(&r, RECORD_IS_FORWARD, false, payload);
    say(e, link, FRAME_RECORD, payload, len);
    assert_int_equal(e->counters.sync_records_received, 2);
}

/* Its own time is how long it refuses older versions. */
static void a_shadow_with_a_guard_of_its_own_is_no_record(void **state)
{
    struct engine *e = *state;
    uint8_t payload[256];
    const uint32_t link = mate(e);
    struct record shadow = write_of(e, 0, 0);
    shadow.is_shadow = true;
    shadow.guard_ms = shadow.expiry_ms + 60000;
    const size_t len = write_payload(&shadow, 0, false, payload);
    say(e, link, FRAME_RECORD, payload, len);
    expect(e, link, false, FRAME_RECORD);
    assert_int_equal(store_stats(e->store).shadows, 0);
    engine_tick(e, NOW_US + 90 * SECOND_US); /* its time would be over, and that of its guard not */
}

static void a_record_that_no_clock_can_judge_is_refused_for_the_clock(void **state)
{
    struct engine *e = *state;
    uint64_t number = 0;
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.flags = 0;
    hello.clock_us = 0;
    const uint32_t link = link_with(e, &hello, NOW_US);
    say_record(e, link, 0);
    assert_int_equal(refusal(e, link, &number), NACK_CLOCK);
    assert_int_equal(number, 1);
    assert_false(holds_key(e));
    assert_int_equal(e->counters.records_refused, 1);
    assert_true(is_open(e, link));
}

static void so_is_one_whose_stamp_is_too_far_ahead(void **state)
{
    struct engine *e = *state;
    uint64_t number = 0;
    const uint32_t link = mate(e);
    say_record(e, link, RECORD_AHEAD_MAX_MS + 1);
    assert_int_equal(refusal(e, link, &number), NACK_CLOCK);
    assert_false(holds_key(e));
    say_record(e, link, RECORD_AHEAD_MAX_MS);
    assert_true(holds_key(e));
    assert_int_equal(e->counters.records_refused, 1);
}

static void a_large_value_comes_in_pieces_until_it_is_whole(void **state)
{
    struct engine *e = *state;
    static const uint8_t piece[VALUE_INLINE_MAX];
    struct cursor ack;
    const uint32_t link = mate(e);
    begin_large(e, link, VALUE_INLINE_MAX + 1);
    say(e, link, FRAME_LARGE_DATA, piece, sizeof(piece));
    assert_false(holds_key(e));
    assert_false(next_of_type(e, link, FRAME_ACK, &ack));
    say(e, link, FRAME_LARGE_DATA, piece, 1);
    assert_true(holds_key(e));
    assert_true(next_of_type(e, link, FRAME_ACK, &ack));
    /* It is over: another may begin, and a byte too many is nobody's. */
    begin_large(e, link, VALUE_INLINE_MAX + 1);
    assert_true(is_open(e, link));
    say(e, link, FRAME_LARGE_DATA, piece, sizeof(piece));
    say(e, link, FRAME_LARGE_DATA, piece, 1);
    assert_true(is_open(e, link));
    say(e, link, FRAME_LARGE_DATA, piece, 1);
    expect(e, link, false, FRAME_LARGE_DATA);
}

static void a_large_value_that_goes_on_too_long_ends_the_link(void **state)
{
    struct engine *e = *state;
    static const uint8_t piece[VALUE_INLINE_MAX + 2];
    const uint32_t link = mate(e);
    begin_large(e, link, VALUE_INLINE_MAX + 1);
    say(e, link, FRAME_LARGE_DATA, piece, sizeof(piece));
    expect(e, link, false, FRAME_LARGE_DATA);
    assert_false(holds_key(e));
}

static void so_do_an_empty_piece_and_a_second_one_at_a_time(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(3, NOW_US);
    uint32_t link = mate(e);
    begin_large(e, link, VALUE_INLINE_MAX + 1);
    say(e, link, FRAME_LARGE_DATA, NULL, 0);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
    link = link_with(e, &hello, NOW_US);
    begin_large(e, link, VALUE_INLINE_MAX + 1);
    assert_true(is_open(e, link));
    begin_large(e, link, VALUE_INLINE_MAX + 1);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
}

static void a_large_value_that_is_small_is_none(void **state)
{
    struct engine *e = *state;
    const uint32_t link = mate(e);
    begin_large(e, link, VALUE_INLINE_MAX);
    expect(e, link, false, FRAME_LARGE_BEGIN);
}

static void one_for_which_there_is_no_room_is_refused_when_it_is_over(void **state)
{
    struct engine *e = *state;
    static const uint8_t piece[FRAME_LARGE_COPY_MAX];
    uint64_t number = 0;
    const uint32_t link = mate(e);
    const size_t value_len = 9 << 20;
    begin_large(e, link, value_len);
    assert_null(mesh_find(e->mesh, link)->in_large->blob);
    for (size_t sent = 0; sent < value_len; sent += sizeof(piece)) {
        assert_int_equal(refusal(e, link, &number), 0);
        say(e, link, FRAME_LARGE_DATA, piece, sizeof(piece));
    }
    assert_int_equal(refusal(e, link, &number), NACK_FULL);
    assert_int_equal(number, 1);
    assert_true(is_open(e, link));
    assert_false(holds_key(e));
    assert_int_not_equal(engine_unready(e) & READY_FULL, 0);
    assert_int_equal(e->counters.records_refused, 1);
}

/* What a link's reads get of a stream: what its rooms hold, and a little of what is behind. */
static void a_large_value_is_read_into_its_place_in_a_few_pieces(void **state)
{
    struct engine *e = *state;
    enum { VALUE = 1 << 20, REST = 16 << 10, FRAMES = VALUE / FRAME_LARGE_DATA_MAX };
    static uint8_t stream[VALUE + FRAMES * FRAME_HEADER_BYTES];
    const uint32_t link = mate(e);
    struct cursor c = cursor_writer(stream, sizeof(stream));
    for (int i = 0; i < FRAMES; i++) {
        frame_header_write(&c, FRAME_LARGE_DATA, FRAME_CRITICAL, FRAME_LARGE_DATA_MAX);
        for (int j = 0; j < FRAME_LARGE_DATA_MAX; j++) {
            cursor_put_u8(&c, (uint8_t)(j * 7 >> 5));
        }
    }
    assert_true(cursor_ok(&c));
    begin_large(e, link, VALUE);
    size_t at = 0;
    size_t copied = 0;
    int reads = 0;
    for (; at < sizeof(stream); reads++) {
        struct blob_room rooms[BLOB_ROOMS_MAX];
        const size_t count = engine_link_rooms(e, link, rooms);
        const size_t begun = at;
        for (size_t i = 0; i < count; i++) {
            memcpy(rooms[i].at, stream + at, rooms[i].len);
            at += rooms[i].len;
        }
        at = begun; /* the engine is given all of them after the read */
        for (size_t i = 0; i < count; at += rooms[i].len, i++) {
            engine_link_input(e, link, rooms[i].at, rooms[i].len, NOW_US);
        }
        const size_t rest = sizeof(stream) - at < REST ? sizeof(stream) - at : REST;
        engine_link_input(e, link, stream + at, rest, NOW_US);
        at += rest;
        copied += rest;
    }
    assert_in_range(reads, FRAMES, 2 * FRAMES + 1);
    assert_true(copied <= (size_t)reads * REST);
    assert_true(holds_key(e));
    assert_true(is_open(e, link));
    assert_int_equal(engine_link_rooms(e, link, (struct blob_room[BLOB_ROOMS_MAX]){{NULL, 0}}), 0);
}

/* Whether a large value that a mate begins to send is kept while it comes. */
static bool is_collected(struct engine *e, size_t value_len)
{
    const uint32_t link = mate(e);
    begin_large(e, link, value_len);
    const struct large *large = mesh_find(e->mesh, link)->in_large;
    assert_true(large->is_active);
    const bool is_kept = large->blob != NULL;
    engine_link_down(e, link, LINK_END_EOF, NOW_US);
    return is_kept;
}

static void a_large_value_may_fill_the_store_to_the_byte(void **state)
{
    struct engine *e = *state;
    const struct store_stats stats = store_stats(e->store);
    const size_t room = stats.bytes_max - stats.bytes_used;
    assert_true(is_collected(e, room));
    assert_false(is_collected(e, room + 1));
}

/* It takes the place of the other, so the store does not grow. */
static void a_large_value_that_is_no_larger_than_the_one_it_replaces_has_room(void **state)
{
    struct engine *e = *state;
    static const uint8_t piece[FRAME_LARGE_COPY_MAX];
    const uint32_t link = mate(e);
    const size_t value_len = 5 << 20;
    begin_large(e, link, value_len);
    for (size_t sent = 0; sent < value_len; sent += sizeof(piece)) {
        say(e, link, FRAME_LARGE_DATA, piece, sizeof(piece));
    }
    assert_true(holds_key(e));
    engine_link_down(e, link, LINK_END_EOF, NOW_US);
    assert_true(is_collected(e, value_len));
    assert_false(is_collected(e, value_len + 1));
}

static uint32_t writes_done(struct engine *e, enum put_status status)
{
    struct action action;
    uint32_t count = 0;
    while (outbox_next(engine_outbox(e), &action)) {
        count += action.kind == ACTION_PUT_DONE && action.put.status == status;
    }
    return count;
}

static void say_count(struct engine *e, uint32_t link, uint8_t type, uint64_t count, uint8_t reason)
{
    uint8_t payload[9];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, count);
    if (type == FRAME_NACK) {
        cursor_put_u8(&c, reason);
    }
    say(e, link, type, payload, c.pos);
}

static void an_acknowledgement_counts_for_the_write_that_waits(void **state)
{
    struct engine *e = *state;
    const uint32_t link = link_with_write(e, NOW_US);
    say_count(e, link, FRAME_ACK, 0, 0);
    assert_int_equal(writes_done(e, PUT_QUORUM), 0);
    say_count(e, link, FRAME_ACK, 1, 0);
    assert_int_equal(writes_done(e, PUT_QUORUM), 1);
    say_count(e, link, FRAME_ACK, 1, 0);
    assert_true(is_open(e, link));
    assert_int_equal(e->counters.acks_received, 3);
    /* It cannot be taken back. */
    say_count(e, link, FRAME_ACK, 0, 0);
    expect(e, link, false, FRAME_ACK);
}

/* Its acknowledgement may be lost with a link. */
static void so_does_the_write_itself_when_the_member_reconciles_it(void **state)
{
    struct engine *e = *state;
    uint8_t payload[256];
    struct record own;
    const struct record other = write_of(e, 5, 0);
    const uint32_t link = link_with_write(e, NOW_US);
    say(e, link, FRAME_RECORD, payload, write_payload(&other, 0, false, payload));
    assert_int_equal(writes_done(e, PUT_QUORUM), 0);
    assert_int_equal(engine_get(e, (const uint8_t *)"own", 3, NOW_US, &own), RC_OK);
    say(e, link, FRAME_RECORD, payload, write_payload(&own, 0, false, payload));
    assert_int_equal(writes_done(e, PUT_QUORUM), 1);
}

static void what_was_not_sent_cannot_be_acknowledged_or_refused(void **state)
{
    static const struct {
        uint8_t type;
        uint64_t acked, count;
    } cases[] = {{FRAME_ACK, 0, 2}, {FRAME_NACK, 0, 0}, {FRAME_NACK, 0, 2}, {FRAME_NACK, 1, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        void *e = NULL;
        (void)set_up(&e);
        const uint32_t link = link_with_write(e, NOW_US);
        say_count(e, link, FRAME_ACK, cases[i].acked, 0);
        say_count(e, link, cases[i].type, cases[i].count, NACK_FULL);
        expect(e, link, false, cases[i].type);
        (void)free_engine(&e);
    }
}

static void a_refusal_for_room_is_final_and_one_for_the_clock_is_not(void **state)
{
    struct engine *e = *state;
    uint32_t link = link_with_write(e, NOW_US);
    say_count(e, link, FRAME_NACK, 1, NACK_CLOCK);
    assert_int_equal(writes_done(e, PUT_PENDING), 0);
    assert_int_equal(mesh_find(e->mesh, link)->member->flags & MEMBER_IS_FULL, 0);
    assert_true(mesh_find(e->mesh, link)->owed.is_owed);
    engine_link_down(e, link, LINK_END_EOF, NOW_US);
    assert_int_equal(writes_done(e, PUT_PENDING), 1); /* as nobody is left to wait for */
    link = link_with_write(e, NOW_US);
    say_count(e, link, FRAME_NACK, 1, NACK_FULL);
    assert_int_equal(writes_done(e, PUT_PENDING), 1);
    assert_int_not_equal(mesh_find(e->mesh, link)->member->flags & MEMBER_IS_FULL, 0);
    assert_false(mesh_find(e->mesh, link)->owed.is_owed);
    assert_int_equal(e->counters.nacks_received, 2);
}

/* The last that could have taken it is gone, so its client need not wait for the timeout. */
static void a_write_that_others_refused_is_settled_when_who_put_it_off_is_gone(void **state)
{
    struct engine *e = *state;
    struct buf out;
    const struct frame_hello third = hello_of(3, NOW_US);
    const uint32_t full = link_with(e, &third, NOW_US);
    const uint32_t waits = link_with_write(e, NOW_US);
    buf_init(&out, 1 << 20);
    assert_true(engine_link_output(e, full, &out, NULL, 65536, NOW_US) > 0);
    buf_fini(&out);
    assert_int_equal(voters_needed(e), 2);
    say_count(e, full, FRAME_NACK, 1, NACK_FULL);
    say_count(e, waits, FRAME_NACK, 1, NACK_CLOCK);
    assert_int_equal(writes_done(e, PUT_PENDING), 0);
    engine_link_down(e, waits, LINK_END_EOF, NOW_US);
    assert_int_equal(voters_needed(e), 2);
    assert_int_equal(writes_done(e, PUT_PENDING), 1);
}

/* ---- CLOSE ---- */

static void a_close_is_told_unless_it_changes_nothing(void **state)
{
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    for (int i = CLOSE_DUPLICATE; i <= CLOSE_FULL; i++) {
        const uint8_t reason = (uint8_t)i;
        const uint32_t link = mate(e);
        (void)notices(e, NOTICE_LINK_DOWN, text);
        say(e, link, FRAME_CLOSE, &reason, 1);
        assert_null(mesh_find(e->mesh, link));
        const bool is_told = reason != CLOSE_DUPLICATE && reason != CLOSE_IDLE;
        assert_int_equal(notices(e, NOTICE_LINK_DOWN, text), is_told);
    }
    assert_int_equal(e->counters.frames_malformed, 0);
}

/* ---- Repair ---- */

static void what_comes_on_a_link_that_needs_repair_has_it_looked_at_at_once(void **state)
{
    struct engine *e = *state;
    const uint32_t link = mate(e);
    engine_tick(e, NOW_US);
    say(e, link, FRAME_TREE_PRUNE, "", 1);
    assert_true(e->peers_at_us > NOW_US);
    link_ask_repair(mesh_find(e->mesh, link), REPAIR_MISSED);
    say(e, link, FRAME_TREE_PRUNE, "", 1);
    assert_true(engine_deadline(e) <= NOW_US);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_may_come_in_pieces_and_together),
        TEST(a_length_beyond_the_most_ends_the_link_before_the_payload_comes),
        TEST(all_records_of_one_input_are_acknowledged_at_once),
        TEST(a_link_that_has_no_room_for_an_acknowledgement_is_ended),
        TEST(what_is_not_counted_is_not_acknowledged),
        TEST(a_shadow_with_a_guard_of_its_own_is_no_record),
        TEST(a_record_that_no_clock_can_judge_is_refused_for_the_clock),
        TEST(so_is_one_whose_stamp_is_too_far_ahead),
        TEST(a_large_value_comes_in_pieces_until_it_is_whole),
        TEST(a_large_value_that_goes_on_too_long_ends_the_link),
        TEST(so_do_an_empty_piece_and_a_second_one_at_a_time),
        TEST(a_large_value_that_is_small_is_none),
        TEST(one_for_which_there_is_no_room_is_refused_when_it_is_over),
        TEST(a_large_value_is_read_into_its_place_in_a_few_pieces),
        TEST(a_large_value_may_fill_the_store_to_the_byte),
        TEST(a_large_value_that_is_no_larger_than_the_one_it_replaces_has_room),
        TEST(an_acknowledgement_counts_for_the_write_that_waits),
        TEST(so_does_the_write_itself_when_the_member_reconciles_it),
        cmocka_unit_test(what_was_not_sent_cannot_be_acknowledged_or_refused),
        TEST(a_refusal_for_room_is_final_and_one_for_the_clock_is_not),
        TEST(a_close_is_told_unless_it_changes_nothing),
        TEST(what_comes_on_a_link_that_needs_repair_has_it_looked_at_at_once),
        TEST(a_write_that_others_refused_is_settled_when_who_put_it_off_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
