#include "gossip/hello.h"

#include "engine_rig.h"

enum { NOW_US = START_US + SECOND_US };

static int set_up(void **state)
{
    *state = make_alone(5);
    return 0;
}

static const struct member *find(const struct engine *e, uint8_t id)
{
    const struct uuid uuid = {{id}};
    return swim_find(e->swim, &uuid);
}

/* ---- Ours ---- */

static void a_node_says_who_it_is_and_on_which_terms(void **state)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr from = addr_v4(ip, 5555);
    struct frame_hello hello;
    struct engine *e = *state;
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    read_ours(e, link, &hello);
    assert_int_equal(hello.cluster, swim_cluster_hash("net"));
    assert_int_equal(hello.version_min, PROTOCOL_VERSION_MIN);
    assert_int_equal(hello.version_max, PROTOCOL_VERSION_MAX);
    assert_int_equal(hello.flags, engine_flags(e));
    assert_int_equal(hello.clock_us, WALL_MS * 1000 + SECOND_US);
    assert_int_equal(hello.value_max, 1 << 20);
    assert_int_equal(hello.ttl_min_ms, 1000);
    assert_int_equal(hello.ttl_max_ms, UINT64_C(86400) * 1000);
    assert_true(addr_equal(&hello.seen_as, &from));
    assert_true(uuid_equal(&hello.card.uuid, &e->config.uuid));
    assert_string_equal(hello.card.name, "node");
    assert_string_equal(hello.card.enclave, "default");
    const struct link *l = mesh_find(e->mesh, link);
    assert_int_equal(l->state, LINK_HELLO);
    assert_true(l->terms.said_ready);
    assert_false(l->terms.said_records);
}

static void without_a_clock_it_names_none(void **state)
{
    (void)state;
    const struct addr from = {.port = 9};
    struct frame_hello hello;
    struct engine *e = make_as(5, 8 << 20);
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    read_ours(e, link, &hello);
    assert_int_equal(hello.flags & MEMBER_HAS_CLOCK, 0);
    assert_int_equal(hello.clock_us, 0);
    assert_false(mesh_find(e->mesh, link)->terms.said_ready);
    engine_free(e);
}

/* ---- Theirs ---- */

static void the_terms_of_the_other_are_kept_with_its_link(void **state)
{
    char text[NOTICE_TEXT_SIZE];
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.flags |= MEMBER_IS_CAUGHT_UP;
    hello.value_max = 5000;
    hello.ttl_min_ms = 2000;
    hello.ttl_max_ms = 3000;
    (void)notices(e, NOTICE_LINK_UP, text);
    const uint32_t link = link_with(e, &hello, NOW_US);
    const struct link *l = mesh_find(e->mesh, link);
    assert_int_equal(l->state, LINK_OPEN);
    assert_int_equal(l->terms.value_max, 5000);
    assert_int_equal(l->terms.ttl_min_ms, 2000);
    assert_int_equal(l->terms.ttl_max_ms, 3000);
    assert_ptr_equal(l->member, find(e, 2));
    assert_int_equal(l->member->link, link);
    assert_int_equal(l->member->flags, MEMBER_HAS_CLOCK | MEMBER_IS_CAUGHT_UP);
    assert_true(l->member->is_mate);
    assert_true(l->clock.is_agreed);
    assert_int_equal(e->counters.links_opened, 1);
    assert_int_equal(notices(e, NOTICE_LINK_UP, text), 1);
}

static void what_is_set_otherwise_is_said_once_for_each_setting(void **state)
{
    static const struct {
        uint64_t value_max, ttl_min_ms, ttl_max_ms;
        uint32_t told;
        const char *first;
    } cases[] = {
        {1 << 20, 1000, 86400000, 0, ""},
        {1 << 19, 1000, 86400000, 1, "REPRAM_MAX_VALUE_SIZE is 1048576 here and 524288 there"},
        {1 << 20, 2000, 86400000, 1, "REPRAM_MIN_TTL is 1 here and 2 there"},
        {1 << 20, 1000, 60000, 1, "REPRAM_MAX_TTL is 86400 here and 60 there"},
        {1 << 20, 1999, 86400999, 0, ""}, /* as it is set in seconds */
        {1, 2000, 3000, 3, "REPRAM_MAX_VALUE_SIZE is 1048576 here and 1 there"},
    };
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame_hello hello = hello_of((uint8_t)(10 + i), NOW_US);
        hello.value_max = cases[i].value_max;
        hello.ttl_min_ms = cases[i].ttl_min_ms;
        hello.ttl_max_ms = cases[i].ttl_max_ms;
        assert_true(is_open(e, link_with(e, &hello, NOW_US)));
        assert_int_equal(notices(e, NOTICE_CONFIG_DIFFERS, text), cases[i].told);
        assert_string_equal(text, cases[i].first);
    }
}

static void one_of_another_cluster_is_told_so_and_is_nobody_here(void **state)
{
    char text[NOTICE_TEXT_SIZE];
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.cluster = swim_cluster_hash("net2");
    hello.version_min = hello.version_max = PROTOCOL_VERSION_MAX + 1; /* which tells us nothing */
    for (uint32_t i = 1; i <= 3; i++) {
        const uint32_t link = link_with(e, &hello, NOW_US);
        assert_int_equal(close_reason(e, link), CLOSE_STRANGER);
        assert_int_equal(e->counters.links_stranger, i);
        assert_int_equal(notices(e, NOTICE_STRANGER, text), i == 1);
    }
    assert_int_equal(e->counters.frames_malformed, 0);
    assert_null(find(e, 2));
}

static void one_with_no_version_in_common_is_told_so(void **state)
{
    static const struct {
        uint8_t min, max;
        uint8_t reason;
    } cases[] = {
        {PROTOCOL_VERSION_MIN - 1, PROTOCOL_VERSION_MIN - 1, CLOSE_VERSION},
        {PROTOCOL_VERSION_MAX + 1, PROTOCOL_VERSION_MAX + 9, CLOSE_VERSION},
        {PROTOCOL_VERSION_MIN - 1, PROTOCOL_VERSION_MIN, 0},
        {PROTOCOL_VERSION_MAX, PROTOCOL_VERSION_MAX + 9, 0},
        {PROTOCOL_VERSION_MAX + 1, PROTOCOL_VERSION_MAX, CLOSE_MALFORMED},
    };
    char text[NOTICE_TEXT_SIZE];
    struct engine *e = *state;
    uint32_t strangers = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct frame_hello hello = hello_of((uint8_t)(10 + i), NOW_US);
        hello.version_min = hello.card.version_min = cases[i].min;
        hello.version_max = hello.card.version_max = cases[i].max;
        const uint32_t link = link_with(e, &hello, NOW_US);
        strangers += cases[i].reason == CLOSE_VERSION;
        assert_int_equal(close_reason(e, link), cases[i].reason);
        assert_int_equal(is_open(e, link), cases[i].reason == 0);
        assert_int_equal(find(e, (uint8_t)(10 + i)) != NULL, cases[i].reason == 0);
        assert_int_equal(e->counters.links_stranger, strangers);
        assert_int_equal(notices(e, NOTICE_VERSION, text), i == 0); /* once a minute */
    }
    assert_int_equal(e->counters.frames_malformed, 1);
}

static void a_node_that_meets_itself_ends_the_link_and_is_no_member_twice(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(5, NOW_US);
    const uint32_t link = link_with(e, &hello, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_SELF);
    assert_int_equal(e->counters.frames_malformed, 0);
    assert_int_equal(e->counters.links_opened, 0);
    assert_true(find(e, 5)->is_self);
    assert_int_equal(find(e, 5)->link, 0);
}

static void where_the_table_is_full_a_newcomer_is_told_and_a_member_comes_in(void **state)
{
    struct engine *e = *state;
    fill_table(e, NOW_US);
    struct frame_hello hello = hello_of(2, NOW_US);
    assert_int_equal(close_reason(e, link_with(e, &hello, NOW_US)), CLOSE_FULL);
    assert_null(find(e, 2));
    assert_int_equal(e->counters.frames_malformed, 0);
    hello.card.uuid = (struct uuid){{9, 0, 1}};
    assert_true(is_open(e, link_with(e, &hello, NOW_US)));
}

static void a_hello_that_is_cut_is_counted(void **state)
{
    uint8_t payload[512];
    const struct addr from = {.port = 9};
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    struct cursor c = cursor_writer(payload, sizeof(payload));
    frame_hello_write(&c, &hello);
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    say_frame(e, link, FRAME_HELLO, FRAME_CRITICAL, payload, c.pos - 1, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
    assert_int_equal(e->counters.frames_malformed, 1);
    assert_null(find(e, 2));
}

static void a_second_hello_on_one_link_ends_it(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    const struct frame_hello other = hello_of(3, NOW_US);
    const uint32_t link = link_with(e, &hello, NOW_US);
    say_this_hello(e, link, &other, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
    assert_int_equal(e->counters.frames_malformed, 1);
    assert_null(find(e, 3));
}

/* ---- Clocks ---- */

static void a_clock_that_cannot_be_right_is_none(void **state)
{
    static const uint64_t clocks_us[] = {0, UINT64_C(64060588800) * 1000000 + 1, UINT64_MAX};
    struct engine *e = *state;
    for (size_t i = 0; i < sizeof(clocks_us) / sizeof(clocks_us[0]); i++) {
        struct frame_hello hello = hello_of((uint8_t)(10 + i), NOW_US);
        hello.clock_us = clocks_us[i];
        const uint32_t link = link_with(e, &hello, NOW_US);
        const struct link *l = mesh_find(e->mesh, link);
        assert_int_equal(l->state, LINK_OPEN);
        assert_int_equal(l->member->flags & MEMBER_HAS_CLOCK, 0);
        assert_false(l->clock.is_agreed);
        assert_false(l->clock.is_conflict);
    }
}

static void say_clock(struct engine *e, uint32_t link, uint64_t clock_us, uint64_t now_us)
{
    uint8_t payload[8];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    cursor_put_u64(&c, clock_us);
    say_frame(e, link, FRAME_CLOCK, FRAME_CRITICAL, payload, c.pos, now_us);
}

static void a_clock_that_is_set_later_is_taken_note_of(void **state)
{
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    const uint64_t ours_us = hello.clock_us;
    hello.flags = 0;
    hello.clock_us = 0;
    const uint32_t link = link_with(e, &hello, NOW_US);
    const struct link *l = mesh_find(e->mesh, link);
    assert_false(l->clock.is_agreed);
    say_clock(e, link, ours_us + UINT64_C(59) * SECOND_US, NOW_US);
    assert_true(l->clock.is_agreed);
    assert_int_equal(l->member->flags, MEMBER_HAS_CLOCK);
    say_clock(e, link, ours_us + UINT64_C(61) * SECOND_US, NOW_US);
    assert_false(l->clock.is_agreed);
    assert_true(l->clock.is_conflict);
    say_clock(e, link, ours_us, NOW_US);
    assert_true(l->clock.is_agreed);
    assert_false(l->clock.is_conflict);
    say_clock(e, link, 0, NOW_US);
    assert_int_equal(close_reason(e, link), CLOSE_MALFORMED);
}

static void a_clock_that_this_node_sets_goes_to_all_who_have_its_hello(void **state)
{
    (void)state;
    const struct addr from = {.port = 9};
    const struct frame_hello hello = hello_of(9, START_US);
    struct cursor payload;
    struct engine *e = make_as(5, 8 << 20);
    struct frame_hello none = hello;
    none.flags = 0;
    none.clock_us = 0;
    const uint32_t open = link_with(e, &none, START_US);
    const uint32_t waits = engine_link_accept(e, &from, 0, START_US);
    assert_false(next_of_type(e, open, FRAME_CLOCK, &payload));
    e->clock.is_set = true;
    e->clock.offset_us = 4000;
    hello_tell_clock(e);
    assert_true(next_of_type(e, open, FRAME_CLOCK, &payload));
    assert_int_equal(cursor_u64(&payload), START_US + 4000);
    assert_true(next_of_type(e, waits, FRAME_CLOCK, &payload));
    engine_free(e);
}

/* ---- What opens with it ---- */

/* A write of this node: in how many links' queues it waits. */
static uint32_t put_one(struct engine *e)
{
    const struct put put = {.key = (const uint8_t *)"k", .key_len = 1, .ttl_ms = 60000};
    uint32_t queued = 0;
    assert_int_equal(engine_put(e, &put, NOW_US), RC_OK);
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        queued += (uint32_t)l->live.count;
    }
    return queued;
}

static void who_has_said_hello_counts_and_its_clock_may_lead(void **state)
{
    struct engine *e = *state;
    struct frame_hello hello = hello_of(9, NOW_US);
    hello.flags = 0;
    hello.clock_us = 0;
    (void)link_with(e, &hello, NOW_US);
    assert_int_equal(voters_count(e), 2);
    assert_null(e->leader);
    hello = hello_of(2, NOW_US);
    (void)link_with(e, &hello, NOW_US);
    assert_int_equal(voters_count(e), 3);
    assert_ptr_equal(e->leader, find(e, 2));
}

static void so_may_one_that_is_set_later(void **state)
{
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    const uint64_t ours_us = hello.clock_us;
    hello.flags = 0;
    hello.clock_us = 0;
    const uint32_t link = link_with(e, &hello, NOW_US);
    assert_null(e->leader);
    say_clock(e, link, ours_us, NOW_US);
    assert_ptr_equal(e->leader, find(e, 2));
}

static void a_write_that_waits_goes_to_a_newcomer_too(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    const struct frame_hello late = hello_of(3, NOW_US);
    (void)link_with(e, &hello, NOW_US);
    assert_int_equal(put_one(e), 1);
    const uint32_t link = link_with(e, &late, NOW_US);
    assert_int_equal(mesh_find(e->mesh, link)->live.count, 1);
}

static void who_has_records_is_reconciled_with(void **state)
{
    struct engine *e = *state;
    const struct addr from = {.port = 9};
    struct frame_hello hello = hello_of(9, NOW_US);
    hello.flags |= MEMBER_IS_CAUGHT_UP | MEMBER_HAS_RECORDS;
    assert_int_equal(put_one(e), 0);
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    assert_true(mesh_find(e->mesh, link)->terms.said_records);
    say_this_hello(e, link, &hello, NOW_US);
    assert_int_equal(e->counters.syncs_started, 1);
}

static void a_link_waits_for_a_hello_for_three_seconds(void **state)
{
    struct engine *e = *state;
    const struct addr from = {.port = 9};
    engine_tick(e, NOW_US);
    assert_true(e->peers_at_us > NOW_US + LINK_HELLO_TIMEOUT_US);
    (void)engine_link_accept(e, &from, 0, NOW_US);
    assert_int_equal(e->peers_at_us, NOW_US + LINK_HELLO_TIMEOUT_US);
}

/* Both dial at once: the link that the smaller id has dialed stays, and takes over. */
static void a_surplus_link_ends_and_what_waits_on_it_goes_on_the_other(void **state)
{
    struct engine *e = *state;
    const struct addr from = {.port = 9};
    uint64_t now_us = NOW_US;
    const uint32_t dialed = dial_candidate(e, 1001, &now_us);
    struct frame_hello hello = hello_of(9, now_us);
    hello.flags |= MEMBER_HAS_RECORDS; /* a link alone is no reason for us to reconcile */
    const uint32_t accepted = engine_link_accept(e, &from, 0, now_us);
    say_this_hello(e, accepted, &hello, now_us);
    const struct member *m = find(e, 9);
    assert_int_equal(m->link, accepted);
    const struct put put = {.key = (const uint8_t *)"k", .key_len = 1, .ttl_ms = 60000};
    assert_int_equal(engine_put(e, &put, now_us), RC_OK);
    assert_int_equal(mesh_find(e->mesh, accepted)->live.count, 1);
    say_this_hello(e, dialed, &hello, now_us);
    assert_int_equal(close_reason(e, accepted), CLOSE_DUPLICATE);
    const struct link *l = mesh_find(e->mesh, dialed);
    assert_int_equal(l->state, LINK_OPEN);
    assert_int_equal(m->link, dialed);
    assert_int_equal(l->live.count, 2); /* that, and as a client waits for it */
    assert_true(l->terms.is_only_word); /* as of the link before */
    assert_int_equal(e->counters.syncs_started, 1);
}

static void a_hello_is_the_only_word_of_who_has_not_answered(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    uint32_t link = link_with(e, &hello, NOW_US);
    assert_true(mesh_find(e->mesh, link)->terms.is_only_word);
    hello_answered(e, find(e, 2));
    assert_false(mesh_find(e->mesh, link)->terms.is_only_word);
    engine_link_down(e, link, LINK_END_EOF, NOW_US);
    assert_true(find(e, 2)->has_answered);
    link = link_with(e, &hello, NOW_US);
    assert_false(mesh_find(e->mesh, link)->terms.is_only_word);
}

static void an_older_card_opens_the_link_and_is_not_kept(void **state)
{
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.card.incarnation = 5;
    engine_link_down(e, link_with(e, &hello, NOW_US), LINK_END_EOF, NOW_US);
    hello.card.incarnation = 3;
    assert_true(is_open(e, link_with(e, &hello, NOW_US)));
    assert_int_equal(find(e, 2)->incarnation, 5);
}

static void who_was_dead_is_met_anew(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    struct frame_hello hello = hello_of(2, now_us);
    uint32_t link = link_with(e, &hello, now_us);
    hello_answered(e, find(e, 2));
    engine_link_down(e, link, LINK_END_EOF, now_us);
    run_for(e, 300, &now_us);
    assert_int_equal(find(e, 2)->state, MEMBER_DEAD);
    assert_int_equal(voters_count(e), 1);
    hello = hello_of(2, now_us); /* it does not know that it was */
    link = link_with(e, &hello, now_us);
    assert_true(is_open(e, link));
    assert_true(mesh_find(e->mesh, link)->terms.is_only_word);
}

/* ---- Addresses ---- */

static void only_where_this_node_has_dialed_the_member_is_known_to_be(void **state)
{
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    struct frame_hello hello = hello_of(2, now_us);
    (void)link_with(e, &hello, now_us);
    assert_int_equal(member_last_addr(find(e, 2)).port, 0);
    const uint32_t link = dial_candidate(e, 1001, &now_us);
    hello = hello_of(3, now_us);
    say_this_hello(e, link, &hello, now_us);
    assert_int_equal(member_last_addr(find(e, 3)).port, 1001);
}

/* How many addresses of its own the node has learned from a HELLO on a link of either kind. */
static uint32_t learned(bool is_dialed)
{
    static const uint8_t ip[] = {203, 0, 113, 5};
    void *state = NULL;
    uint64_t now_us = NOW_US;
    (void)set_up(&state);
    struct engine *e = state;
    const struct addr from = {.port = 9};
    e->config.addr_count = 1;
    e->config.addrs[0].addr.port = 8081;
    const uint32_t link =
        is_dialed ? dial_candidate(e, 1001, &now_us) : engine_link_accept(e, &from, 0, now_us);
    struct frame_hello hello = hello_of(2, now_us);
    hello.seen_as = addr_v4(ip, 40000);
    say_this_hello(e, link, &hello, now_us);
    const struct member *self = find(e, 5);
    const uint32_t count = self->addr_count;
    if (count > 0) {
        const struct addr here = addr_v4(ip, 8081);
        const struct member_addr own = member_addr_at(self, 0);
        assert_true(addr_equal(&own.addr, &here));
    }
    (void)free_engine(&state);
    return count;
}

static void whom_this_node_has_dialed_tells_it_where_it_is(void **state)
{
    (void)state;
    assert_int_equal(learned(true), 1);
    assert_int_equal(learned(false), 0);
}

static void a_candidate_that_is_this_node_or_a_stranger_is_settled(void **state)
{
    (void)state;
    for (int is_stranger = 0; is_stranger < 2; is_stranger++) {
        struct engine *e = make_as(5, 8 << 20);
        uint64_t now_us = START_US;
        const uint32_t link = dial_candidate(e, 1001, &now_us);
        struct frame_hello hello = hello_of(5, now_us);
        hello.cluster += is_stranger != 0;
        engine_candidates_done(e, true, now_us);
        assert_false(e->is_pass_over);
        say_this_hello(e, link, &hello, now_us);
        engine_tick(e, now_us);
        assert_true(now_us < START_US + UINT64_C(2) * SECOND_US);
        assert_true(e->is_pass_over);
        engine_free(e);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_node_says_who_it_is_and_on_which_terms),
        cmocka_unit_test(without_a_clock_it_names_none),
        TEST(the_terms_of_the_other_are_kept_with_its_link),
        TEST(what_is_set_otherwise_is_said_once_for_each_setting),
        TEST(one_of_another_cluster_is_told_so_and_is_nobody_here),
        TEST(one_with_no_version_in_common_is_told_so),
        TEST(a_node_that_meets_itself_ends_the_link_and_is_no_member_twice),
        TEST(where_the_table_is_full_a_newcomer_is_told_and_a_member_comes_in),
        TEST(a_hello_that_is_cut_is_counted),
        TEST(a_second_hello_on_one_link_ends_it),
        TEST(a_clock_that_cannot_be_right_is_none),
        TEST(a_clock_that_is_set_later_is_taken_note_of),
        cmocka_unit_test(a_clock_that_this_node_sets_goes_to_all_who_have_its_hello),
        TEST(who_has_said_hello_counts_and_its_clock_may_lead),
        TEST(so_may_one_that_is_set_later),
        TEST(a_write_that_waits_goes_to_a_newcomer_too),
        TEST(who_has_records_is_reconciled_with),
        TEST(a_link_waits_for_a_hello_for_three_seconds),
        TEST(a_surplus_link_ends_and_what_waits_on_it_goes_on_the_other),
        TEST(a_hello_is_the_only_word_of_who_has_not_answered),
        TEST(an_older_card_opens_the_link_and_is_not_kept),
        TEST(who_was_dead_is_met_anew),
        TEST(only_where_this_node_has_dialed_the_member_is_known_to_be),
        cmocka_unit_test(whom_this_node_has_dialed_tells_it_where_it_is),
        cmocka_unit_test(a_candidate_that_is_this_node_or_a_stranger_is_settled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
