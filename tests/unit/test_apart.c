/* Whose clock is apart from the node's, what it says of that, and whose it jumps to. */
#include "engine_rig.h"

enum {
    NOW_US = START_US + SECOND_US,
    OURS = 5,
    APART_US = 120 * SECOND_US, /* more than clocks may differ */
    ASK_US = 50 * 1000
};

/* Meets member `id`. */
static struct member *meet(struct engine *e, uint8_t id)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    const struct addr at = addr_v4(ip, id);
    struct member *m = NULL;
    const struct frame_hello hello = hello_of(id, e->now_us);
    assert_int_equal(swim_meet(e->swim, &hello.card, &at, e->now_us, &m), RC_OK);
    engine_settle(e);
    return m;
}

static uint64_t clock_us(const struct engine *e)
{
    return WALL_MS * 1000 + e->now_us - START_US;
}

/* The answer to a ping comes which says that clock. */
static void sample(struct engine *e, struct member *m, uint64_t clock_us)
{
    const struct vitals vitals = {.flags = m->flags | MEMBER_HAS_CLOCK, .clock_us = clock_us};
    m->flags = vitals.flags;
    m->has_answered = true;
    clock_source_sample(e, m, &vitals, 2, e->now_us);
}

/* While it has none itself, it only guesses which of the two is wrong. */
static void a_clock_that_is_apart_from_the_nodes_first_is_told(void **state)
{
    (void)state;
    char text[NOTICE_TEXT_SIZE];
    struct engine *e = make_as(OURS, 8 << 20);
    struct member *near = meet(e, 2);
    struct member *far = meet(e, 3);
    far->flags = MEMBER_HAS_RECORDS;
    apart_judge(e, near, clock_us(e), 2, e->now_us);
    apart_judge(e, far, clock_us(e) + APART_US, 2, e->now_us);
    assert_int_equal(near->clock, MEMBER_CLOCK_AGREES);
    assert_int_equal(far->clock, MEMBER_CLOCK_APART);
    assert_int_equal(notices(e, NOTICE_CLOCK_CONFLICT, text), 0);
    clock_source_found(e);
    assert_int_equal(far->clock, MEMBER_CLOCK_APART);
    assert_int_equal(e->counters.clock_conflicts, 1);
    assert_int_equal(notices(e, NOTICE_CLOCK_CONFLICT, text), 1);
    engine_check(e);
    engine_free(e);
}

/* How many datagrams wait for the member, which go. */
static uint32_t asked(struct engine *e, const struct member *m)
{
    struct action action;
    uint32_t count = 0;
    while (outbox_next(engine_outbox(e), &action)) {
        count += action.kind == ACTION_DATAGRAM && action.addr.port == m->uuid.bytes[0];
    }
    return count;
}

/* They leave no doubt where they are more by three than all others. */
static void a_node_without_records_asks_who_leads_the_larger_group_and_jumps(void **state)
{
    (void)state;
    enum { COUNT = 4, LEAD = 2 };
    struct engine *e = make_alone(OURS);
    engine_advance(e, NOW_US + SECOND_US);
    const uint64_t theirs_us = clock_us(e) + APART_US;
    struct member *m[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        m[i] = meet(e, (uint8_t)(i < OURS - LEAD ? LEAD + i : LEAD + i + 1));
    }
    struct member *lead = m[0];
    (void)asked(e, lead);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(asked(e, lead), 0);
        sample(e, m[i], theirs_us);
    }
    assert_int_equal(asked(e, lead), 1);
    sample(e, m[1], theirs_us);
    engine_advance(e, e->now_us + ASK_US - 1);
    sample(e, m[1], theirs_us + ASK_US - 1);
    assert_int_equal(asked(e, lead), 0);
    engine_advance(e, e->now_us + 1);
    sample(e, m[1], theirs_us + ASK_US);
    assert_int_equal(asked(e, lead), 1);
    assert_int_equal(lead->clock, MEMBER_CLOCK_APART);
    sample(e, lead, theirs_us + ASK_US);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(m[i]->clock, MEMBER_CLOCK_AGREES);
    }
    assert_int_equal(engine_clock_ms(e, e->now_us), (theirs_us + ASK_US) / 1000);
    engine_check(e);
    engine_free(e);
}

static void who_answers_with_a_clock_leads_and_is_followed_once_it_is_clear(void **state)
{
    (void)state;
    enum { LATER_US = 3 * SECOND_US };
    struct engine *e = make_as(OURS, 8 << 20);
    struct member *m = meet(e, 2);
    const uint64_t theirs_us = clock_us(e) + APART_US;
    sample(e, m, theirs_us);
    assert_ptr_equal(e->leader, m);
    assert_false(e->clock.is_set); /* others may turn up */
    engine_advance(e, e->now_us + LATER_US);
    sample(e, m, theirs_us + LATER_US);
    assert_true(e->clock.is_set);
    assert_int_equal(engine_clock_ms(e, e->now_us), (theirs_us + LATER_US) / 1000);
    assert_int_equal(m->clock, MEMBER_CLOCK_AGREES);
    engine_free(e);
}

/* Nobody else is known, and the pass of discovery was over long ago. */
static void whose_first_answer_sets_the_clock_agrees_with_it(void **state)
{
    (void)state;
    struct engine *e = make_as(OURS, 8 << 20);
    struct member *m = meet(e, 2);
    e->is_pass_over = true;
    e->pass_over_us = START_US;
    engine_advance(e, NOW_US + SECOND_US);
    sample(e, m, clock_us(e));
    assert_true(e->clock.is_set);
    assert_int_equal(m->clock, MEMBER_CLOCK_AGREES);
    assert_ptr_equal(e->leader, m);
    engine_check(e);
    engine_free(e);
}

/* One member's clock was the guess, until that of three others, who are clearly more, with the same
 * answer that sets the clock. */
static void who_made_a_better_guess_agrees_with_the_clock_set_by_it(void **state)
{
    (void)state;
    enum { COUNT = 4 };
    struct engine *e = make_as(OURS, 8 << 20);
    struct member *alone = meet(e, 9);
    struct member *m[COUNT];
    sample(e, alone, clock_us(e) + APART_US);
    for (uint32_t i = 0; i < COUNT; i++) {
        m[i] = meet(e, (uint8_t)(1 + i));
    }
    for (uint32_t i = 1; i < COUNT; i++) {
        apart_judge(e, m[i], clock_us(e), 2, e->now_us);
        assert_int_equal(m[i]->clock, MEMBER_CLOCK_APART);
    }
    assert_false(e->clock.is_set);
    sample(e, m[0], clock_us(e));
    assert_true(e->clock.is_set);
    assert_int_equal(engine_clock_ms(e, e->now_us), clock_us(e) / 1000);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(m[i]->clock, MEMBER_CLOCK_AGREES);
    }
    assert_int_equal(alone->clock, MEMBER_CLOCK_APART);
    assert_ptr_equal(e->leader, m[0]);
    engine_check(e);
    engine_free(e);
}

/* One against one is never clear, but this node has nothing to lose. */
static void a_node_without_records_follows_another_clock_after_a_second(void **state)
{
    (void)state;
    struct engine *e = make_alone(OURS);
    engine_advance(e, NOW_US + SECOND_US);
    struct member *m = meet(e, 2);
    const uint64_t theirs_us = clock_us(e) + APART_US;
    sample(e, m, theirs_us);
    engine_advance(e, e->now_us + SECOND_US - 1);
    sample(e, m, theirs_us + SECOND_US - 1);
    assert_int_equal(m->clock, MEMBER_CLOCK_APART);
    engine_advance(e, e->now_us + 1);
    sample(e, m, theirs_us + SECOND_US);
    assert_int_equal(m->clock, MEMBER_CLOCK_AGREES);
    assert_int_equal(engine_clock_ms(e, e->now_us), (theirs_us + SECOND_US) / 1000);
    engine_free(e);
}

/* Three to three, and the smallest uuid is on this side. */
static void its_own_clock_counts_among_those_that_agree_with_it(void **state)
{
    (void)state;
    struct engine *e = make_alone(OURS);
    engine_advance(e, NOW_US + SECOND_US);
    for (uint8_t id = 2; id < 4; id++) {
        sample(e, meet(e, id), clock_us(e));
    }
    struct member *m = NULL;
    for (uint8_t id = 6; id < 9; id++) {
        m = meet(e, id);
        sample(e, m, clock_us(e) + APART_US);
    }
    const uint64_t before_us = clock_us(e);
    engine_advance(e, e->now_us + SECOND_US);
    sample(e, m, before_us + SECOND_US + APART_US);
    assert_int_equal(m->clock, MEMBER_CLOCK_APART);
    assert_int_equal(e->apart.agrees, 2);
    assert_int_equal(e->apart.count, 3);
    engine_free(e);
}

static void who_has_said_hello_without_a_clock_tells_the_one_that_it_founds(void **state)
{
    (void)state;
    struct engine *e = make_as(OURS, 8 << 20);
    struct cursor payload;
    const struct frame_hello hello = hello_of(2, START_US);
    const uint32_t link = link_with(e, &hello, START_US);
    assert_false(next_of_type(e, link, FRAME_CLOCK, &payload));
    clock_source_found(e);
    assert_true(next_of_type(e, link, FRAME_CLOCK, &payload));
    assert_int_equal(cursor_u64(&payload), WALL_MS * 1000);
    engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_is_apart_from_the_nodes_first_is_told),
        cmocka_unit_test(a_node_without_records_asks_who_leads_the_larger_group_and_jumps),
        cmocka_unit_test(who_answers_with_a_clock_leads_and_is_followed_once_it_is_clear),
        cmocka_unit_test(whose_first_answer_sets_the_clock_agrees_with_it),
        cmocka_unit_test(who_made_a_better_guess_agrees_with_the_clock_set_by_it),
        cmocka_unit_test(a_node_without_records_follows_another_clock_after_a_second),
        cmocka_unit_test(its_own_clock_counts_among_those_that_agree_with_it),
        cmocka_unit_test(who_has_said_hello_without_a_clock_tells_the_one_that_it_founds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
