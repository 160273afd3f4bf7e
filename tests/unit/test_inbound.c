/* All that comes in on a link, in one file of past 600 lines: what holds for the types of frames,
 * and what records, their acknowledgements and CLOSE do. */
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

/* ---- Every type of frame, and what holds for it ---- */

struct sample {
    uint8_t type;
    bool is_data, is_sync, is_use;
    bool is_cut_bad, is_more_bad; /* a payload that is one byte shorter, or longer */
    bool needs_more;              /* without something before it, it is no good at all */
    size_t len;
    uint8_t payload[64];
};

#define PLAIN .is_data = false
#define DATA .is_data = true
#define SYNC .is_data = true, .is_sync = true, .is_use = true
#define EXACT .is_cut_bad = true, .is_more_bad = true
#define AT_LEAST .is_cut_bad = true

static const struct sample samples[] = {
    {FRAME_PACKET, PLAIN, .is_use = true, .len = 3},
    {FRAME_ACK, PLAIN, EXACT, .len = 8},
    {FRAME_NACK, PLAIN, EXACT, .needs_more = true, .len = 9},
    {FRAME_ROLE, PLAIN, EXACT, .len = 5},
    /* The clock that this node has. */
    {FRAME_CLOCK, PLAIN, EXACT, .len = 8, .payload = {0, 0x06, 0x47, 0x48, 0x46, 0x2f, 0x82, 0x40}},
    {FRAME_STATE, PLAIN, EXACT, .len = 1},
    /* Kind, stamp, origin, expiry, a key of one byte and no value. */
    {FRAME_RECORD, DATA, AT_LEAST, .len = 36,
     .payload = {[6] = 1, [9] = 9, [30] = 1, [34] = 1, [35] = 'k'}},
    {FRAME_LARGE_BEGIN, DATA, EXACT, .len = 40,
     .payload = {[6] = 1, [9] = 9, [30] = 1, [34] = 1, [38] = 1, [39] = 'k'}},
    {FRAME_LARGE_DATA, DATA, .needs_more = true, .len = 1},
    {FRAME_TREE_HAVE, DATA, EXACT, .len = 10, .payload = {[9] = 1}},
    {FRAME_TREE_GRAFT, DATA, EXACT, .len = 10, .payload = {[9] = 1}},
    {FRAME_TREE_PRUNE, DATA, .len = 1},
    {FRAME_TREE_HELD, DATA, EXACT, .len = 16},
    {FRAME_RECORDS, SYNC, EXACT, .len = 1},
    {FRAME_SYNC_GROUPS, SYNC, EXACT, .len = 17},
    {FRAME_SYNC_EPOCHS, SYNC, AT_LEAST, .len = 2, .payload = {77}},
    {FRAME_SYNC_SCOPE, SYNC, EXACT, .len = 10, .payload = {[0] = 77, [4] = 1}},
    {FRAME_SYNC_LIST, SYNC, EXACT, .len = 2, .payload = {77}},
    {FRAME_SYNC_CELLS, SYNC, AT_LEAST, .len = 10, .payload = {77}},
    {FRAME_SYNC_MORE, SYNC, EXACT, .len = 10, .payload = {77}},
    {FRAME_SYNC_WANT, SYNC, EXACT, .len = 6, .payload = {77}},
    {FRAME_SYNC_DONE, SYNC, EXACT, .len = 5, .payload = {77}},
    {FRAME_SYNC_ROOT, SYNC, EXACT, .len = 16},
    {FRAME_JOIN, SYNC, EXACT, .len = 2, .payload = {0, 1}},
    {FRAME_JOIN_DONE, SYNC, EXACT, .len = 10, .payload = {0, 1}},
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

/* The link is as before, or it has been ended for what came, which was counted. */
static void expect(const struct engine *e, uint32_t link, bool is_taken, uint8_t type)
{
    if (is_open(e, link) != is_taken || e->counters.frames_malformed != !is_taken ||
        close_reason(e, link) != (is_taken ? 0 : CLOSE_MALFORMED)) {
        fail_msg("type %d is not %s", type, is_taken ? "taken" : "refused");
    }
}

/* What the sample says on a new link of a new node, with so many bytes more. */
static void try(const struct sample *s, int more, bool is_taken)
{
    void *e = NULL;
    (void)set_up(&e);
    const uint32_t link = mate(e);
    say(e, link, s->type, s->payload, s->len + (size_t)more);
    expect(e, link, is_taken, s->type);
    (void)free_engine(&e);
}

static void a_frame_of_the_right_length_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        try(&samples[i], 0, !samples[i].needs_more);
    }
}

static void one_that_is_cut_by_a_byte_ends_the_link_and_is_counted(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        if (samples[i].is_cut_bad) {
            try(&samples[i], -1, false);
        }
    }
}

static void a_byte_too_many_does_so_unless_the_last_part_is_of_any_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        if (samples[i].is_more_bad || !samples[i].needs_more) {
            try(&samples[i], 1, !samples[i].is_more_bad);
        }
    }
}

static void each_type_that_is_known_has_a_sample(void **state)
{
    struct engine *e = *state;
    const uint32_t link = mate(e);
    uint64_t unknown = 0;
    for (unsigned type = 0; type <= UINT8_MAX; type++) {
        bool is_sampled = type == FRAME_HELLO || type == FRAME_CLOSE;
        for (size_t i = 0; i < SAMPLES; i++) {
            is_sampled = is_sampled || samples[i].type == type;
        }
        if (!is_sampled) {
            say_frame(e, link, (uint8_t)type, 0, NULL, 0, NOW_US);
            assert_int_equal(e->counters.frames_unknown, ++unknown);
        }
    }
}

/* What a later version may say behind them. */
static void hello_and_close_let_later_bytes_pass(void **state)
{
    uint8_t payload[512] = {CLOSE_IDLE};
    const struct addr from = {.port = 9};
    const struct frame_hello hello = hello_of(2, NOW_US);
    struct engine *e = *state;
    uint32_t link = engine_link_accept(e, &from, NOW_US);
    say(e, link, FRAME_CLOSE, payload, 9);
    assert_null(mesh_find(e->mesh, link));
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_hello_write(&c, &hello);
    link = engine_link_accept(e, &from, NOW_US);
    say(e, link, FRAME_HELLO, payload, c.pos + 9);
    assert_true(is_open(e, link));
    assert_int_equal(e->counters.frames_malformed, 0);
    say(e, link, FRAME_CLOSE, NULL, 0);
    assert_int_equal(e->counters.frames_malformed, 1);
}

static void data_of_a_member_of_another_enclave_end_its_link(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct frame_hello hello = hello_of(2, NOW_US);
        void *e = NULL;
        (void)set_up(&e);
        memcpy(hello.card.enclave, "others", sizeof("others"));
        const uint32_t link = link_with(e, &hello, NOW_US);
        assert_true(is_open(e, link));
        say(e, link, s->type, s->payload, s->len);
        expect(e, link, !s->is_data && !s->needs_more, s->type);
        (void)free_engine(&e);
    }
}

static void reconciliation_is_not_looked_at_while_the_clocks_are_in_conflict(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct frame_hello hello = hello_of(2, NOW_US);
        void *e = NULL;
        (void)set_up(&e);
        hello.clock_us += UINT64_C(120) * SECOND_US;
        const uint32_t link = link_with(e, &hello, NOW_US);
        const struct link *l = mesh_find(((struct engine *)e)->mesh, link);
        assert_true(l->clock.is_conflict);
        say_frame(e, link, s->type, FRAME_CRITICAL, s->payload, s->len, NOW_US + 2000);
        expect(e, link, !s->needs_more, s->type);
        assert_true(!s->is_sync || l->used_us != NOW_US + 2000);
        (void)free_engine(&e);
    }
}

static void what_was_wanted_of_a_link_keeps_it_in_use(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const struct sample *s = &samples[i];
        struct engine *e = NULL;
        (void)set_up((void **)&e);
        const uint32_t link = mate(e);
        engine_tick(e, NOW_US + 1000);
        const uint64_t before_us = mesh_find(e->mesh, link)->used_us;
        assert_true(before_us <= NOW_US + 1000);
        say_frame(e, link, s->type, FRAME_CRITICAL, s->payload, s->len, NOW_US + 2000);
        if (!s->needs_more) {
            const struct link *l = mesh_find(e->mesh, link);
            if ((l->used_us == NOW_US + 2000) != s->is_use) {
                fail_msg("type %d %s as use", s->type, s->is_use ? "does not count" : "counts");
            }
        }
        (void)free_engine((void **)&e);
    }
}

/* ---- Before HELLO, and what no version knows ---- */

static void nothing_is_taken_before_hello(void **state)
{
    const struct addr from = {.port = 9};
    struct engine *e = *state;
    for (size_t i = 0; i < SAMPLES; i++) {
        const uint32_t link = engine_link_accept(e, &from, NOW_US);
        say(e, link, samples[i].type, samples[i].payload, samples[i].len);
        assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
        assert_int_equal(e->counters.frames_malformed, i + 1);
    }
    /* Not even what may be skipped later. */
    const uint32_t link = engine_link_accept(e, &from, NOW_US);
    say_frame(e, link, 200, 0, NULL, 0, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
    assert_int_equal(e->counters.frames_unknown, 0);
}

static void a_close_before_hello_is_no_fault(void **state)
{
    const struct addr from = {.port = 9};
    const uint8_t reason = CLOSE_IDLE;
    struct engine *e = *state;
    const uint32_t link = engine_link_accept(e, &from, NOW_US);
    say(e, link, FRAME_CLOSE, &reason, 1);
    assert_null(mesh_find(e->mesh, link));
    assert_int_equal(e->counters.frames_malformed, 0);
}

static void an_unknown_type_is_skipped_and_counted_unless_it_is_critical(void **state)
{
    static const uint8_t types[] = {0, 12, 15, 28, 31, 36, 255};
    struct engine *e = *state;
    for (size_t i = 0; i < sizeof(types); i++) {
        const struct frame_hello hello = hello_of((uint8_t)(i + 2), NOW_US);
        const uint32_t link = link_with(e, &hello, NOW_US);
        const uint64_t unknown = e->counters.frames_unknown;
        say_frame(e, link, types[i], 0, "abc", 3, NOW_US);
        assert_true(is_open(e, link));
        assert_int_equal(e->counters.frames_unknown, unknown + 1);
        say(e, link, types[i], "abc", 3);
        assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
        assert_int_equal(e->counters.frames_unknown, unknown + 1);
        assert_int_equal(e->counters.frames_malformed, i + 1);
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
    /* And once. */
    const size_t waiting = l->control.len;
    say_frame(e, link, 200, 0, NULL, 0, NOW_US);
    assert_int_equal(l->control.len, waiting);
}

static void what_is_not_counted_is_not_acknowledged(void **state)
{
    struct engine *e = *state;
    struct cursor ack;
    uint8_t payload[256];
    const uint32_t link = mate(e);
    const struct record r = write_of(e, 5, 0);
    const size_t len = write_payload(&r, 0, false, payload);
    say(e, link, FRAME_RECORD, payload, len);
    assert_true(holds_key(e));
    assert_false(next_of_type(e, link, FRAME_ACK, &ack));
    assert_int_equal(e->counters.sync_records_received, 1);
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
    static const uint8_t piece[FRAME_CHUNK_BYTES];
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
}

/* A write of this node waits for the member, to which it has been sent. */
static uint32_t link_with_write(struct engine *e)
{
    const struct put put = {
        .token = 77, .key = (const uint8_t *)"own", .key_len = 3, .ttl_ms = 60000};
    struct buf out;
    const uint32_t link = mate(e);
    assert_int_equal(engine_put(e, &put, NOW_US), RC_OK);
    buf_init(&out, 1 << 20);
    assert_true(engine_link_output(e, link, &out, 65536, NOW_US) > 0);
    buf_fini(&out);
    assert_int_equal(mesh_find(e->mesh, link)->sent_count, 1);
    return link;
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
    const uint32_t link = link_with_write(e);
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
        const uint32_t link = link_with_write(e);
        say_count(e, link, FRAME_ACK, cases[i].acked, 0);
        say_count(e, link, cases[i].type, cases[i].count, NACK_FULL);
        expect(e, link, false, cases[i].type);
        (void)free_engine(&e);
    }
}

static void a_refusal_for_room_is_final_and_one_for_the_clock_is_not(void **state)
{
    struct engine *e = *state;
    uint32_t link = link_with_write(e);
    say_count(e, link, FRAME_NACK, 1, NACK_CLOCK);
    assert_int_equal(writes_done(e, PUT_PENDING), 0);
    assert_int_equal(mesh_find(e->mesh, link)->member->flags & MEMBER_IS_FULL, 0);
    assert_true(mesh_find(e->mesh, link)->owed.is_owed);
    engine_link_down(e, link, LINK_END_EOF, NOW_US);
    assert_int_equal(writes_done(e, PUT_PENDING), 1); /* as nobody is left to wait for */
    link = link_with_write(e);
    say_count(e, link, FRAME_NACK, 1, NACK_FULL);
    assert_int_equal(writes_done(e, PUT_PENDING), 1);
    assert_int_not_equal(mesh_find(e->mesh, link)->member->flags & MEMBER_IS_FULL, 0);
    assert_false(mesh_find(e->mesh, link)->owed.is_owed);
    assert_int_equal(e->counters.nacks_received, 2);
}

/* ---- CLOSE ---- */

static void a_close_is_told_unless_it_changes_nothing(void **state)
{
    struct engine *e = *state;
    struct action action;
    for (int i = CLOSE_DUPLICATE; i <= CLOSE_FULL; i++) {
        const uint8_t reason = (uint8_t)i;
        const uint32_t link = mate(e);
        uint32_t told = 0;
        while (outbox_next(engine_outbox(e), &action)) {
        }
        say(e, link, FRAME_CLOSE, &reason, 1);
        assert_null(mesh_find(e->mesh, link));
        while (outbox_next(engine_outbox(e), &action)) {
            told += action.kind == ACTION_NOTICE && action.notice->kind == NOTICE_LINK_DOWN;
        }
        assert_int_equal(told, reason != CLOSE_DUPLICATE && reason != CLOSE_IDLE);
    }
    assert_int_equal(e->counters.frames_malformed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_of_the_right_length_is_taken),
        cmocka_unit_test(one_that_is_cut_by_a_byte_ends_the_link_and_is_counted),
        cmocka_unit_test(a_byte_too_many_does_so_unless_the_last_part_is_of_any_length),
        TEST(each_type_that_is_known_has_a_sample),
        TEST(hello_and_close_let_later_bytes_pass),
        cmocka_unit_test(data_of_a_member_of_another_enclave_end_its_link),
        cmocka_unit_test(reconciliation_is_not_looked_at_while_the_clocks_are_in_conflict),
        cmocka_unit_test(what_was_wanted_of_a_link_keeps_it_in_use),
        TEST(nothing_is_taken_before_hello),
        TEST(a_close_before_hello_is_no_fault),
        TEST(an_unknown_type_is_skipped_and_counted_unless_it_is_critical),
        TEST(frames_may_come_in_pieces_and_together),
        TEST(a_length_beyond_the_most_ends_the_link_before_the_payload_comes),
        TEST(all_records_of_one_input_are_acknowledged_at_once),
        TEST(what_is_not_counted_is_not_acknowledged),
        TEST(a_record_that_no_clock_can_judge_is_refused_for_the_clock),
        TEST(so_is_one_whose_stamp_is_too_far_ahead),
        TEST(a_large_value_comes_in_pieces_until_it_is_whole),
        TEST(a_large_value_that_goes_on_too_long_ends_the_link),
        TEST(so_do_an_empty_piece_and_a_second_one_at_a_time),
        TEST(a_large_value_that_is_small_is_none),
        TEST(one_for_which_there_is_no_room_is_refused_when_it_is_over),
        TEST(an_acknowledgement_counts_for_the_write_that_waits),
        cmocka_unit_test(what_was_not_sent_cannot_be_acknowledged_or_refused),
        TEST(a_refusal_for_room_is_final_and_one_for_the_clock_is_not),
        TEST(a_close_is_told_unless_it_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
