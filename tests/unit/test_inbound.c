#include "gossip/inbound.h"

#include "engine_rig.h"

/* A node that is alone and has a clock. */
static int set_up(void **state)
{
    struct engine *e = make_as(1, 8 << 20);
    engine_candidates_done(e, true, START_US);
    engine_tick(e, START_US + SECOND_US);
    *state = e;
    return 0;
}

static int tear_down(void **state)
{
    engine_check(*state);
    engine_free(*state);
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
    {FRAME_ACK, PLAIN, AT_LEAST, .len = 8},
    {FRAME_NACK, PLAIN, .needs_more = true, .len = 9},
    {FRAME_ROLE, PLAIN, AT_LEAST, .len = 5},
    /* The clock that this node has. */
    {FRAME_CLOCK, PLAIN, EXACT, .len = 8, .payload = {0, 0x06, 0x47, 0x48, 0x46, 0x2f, 0x82, 0x40}},
    {FRAME_STATE, PLAIN, AT_LEAST, .len = 1},
    /* Kind, stamp, origin, expiry, a key of one byte and no value. */
    {FRAME_RECORD, DATA, AT_LEAST, .len = 36,
     .payload = {[6] = 1, [9] = 9, [30] = 1, [34] = 1, [35] = 'k'}},
    {FRAME_LARGE_BEGIN, DATA, EXACT, .len = 40,
     .payload = {[6] = 1, [9] = 9, [30] = 1, [34] = 1, [38] = 1, [39] = 'k'}},
    {FRAME_LARGE_DATA, DATA, .needs_more = true, .len = 1},
    {FRAME_TREE_HAVE, DATA, EXACT, .len = 10, .payload = {[9] = 1}},
    {FRAME_TREE_GRAFT, DATA, EXACT, .len = 10, .payload = {[9] = 1}},
    {FRAME_TREE_PRUNE, DATA, .len = 1},
    {FRAME_TREE_HELD, DATA, AT_LEAST, .len = 16},
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
    {FRAME_JOIN, SYNC, AT_LEAST, .len = 2, .payload = {0, 1}},
    {FRAME_JOIN_DONE, SYNC, AT_LEAST, .len = 10, .payload = {0, 1}},
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
    (void)tear_down(&e);
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

static void so_does_a_byte_too_many_where_the_type_says_how_long_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < SAMPLES; i++) {
        if (samples[i].is_more_bad) {
            try(&samples[i], 1, false);
        }
    }
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
        (void)tear_down(&e);
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
        assert_true(mesh_find(((struct engine *)e)->mesh, link)->clock.is_conflict);
        say(e, link, s->type, s->payload, s->len - 1);
        expect(e, link, s->is_sync || (!s->is_cut_bad && !s->needs_more), s->type);
        (void)tear_down(&e);
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
        (void)tear_down((void **)&e);
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
    const uint8_t reason = CLOSE_LEAVING;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_of_the_right_length_is_taken),
        cmocka_unit_test(one_that_is_cut_by_a_byte_ends_the_link_and_is_counted),
        cmocka_unit_test(so_does_a_byte_too_many_where_the_type_says_how_long_it_is),
        cmocka_unit_test(data_of_a_member_of_another_enclave_end_its_link),
        cmocka_unit_test(reconciliation_is_not_looked_at_while_the_clocks_are_in_conflict),
        cmocka_unit_test(what_was_wanted_of_a_link_keeps_it_in_use),
        cmocka_unit_test_setup_teardown(nothing_is_taken_before_hello, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_close_before_hello_is_no_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_unknown_type_is_skipped_and_counted_unless_it_is_critical, set_up, tear_down),
        cmocka_unit_test_setup_teardown(frames_may_come_in_pieces_and_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_length_beyond_the_most_ends_the_link_before_the_payload_comes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
