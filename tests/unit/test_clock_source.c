/* When a node that has no clock may found one, and where nobody has one whom it waits for. */
#include "gossip/engine_state.h"

#include "gossip/membership/view.h"

#include "engine_rig.h"

enum {
    OURS = 5,
    SMALLER = 2,
    LARGER = 9,
    SHORT_US = 3000 * 1000, /* so long a member that has not answered is waited for, */
    LONG_US = 10000 * 1000, /* so long one of smaller uuid that has not, */
    SLOW_US = 30000 * 1000, /* and so long one that has answered and should found it */
};

/* LEADS: this node would take its clock, and has not had an answer that was quick enough. */
enum has { UNHEARD, ANSWERED, HAS_CLOCK, LEADS };

/* A node without a clock, and one member that it has met long ago. */
static struct engine *waiting(uint8_t id, struct member **ret_member)
{
    struct engine *e = make_as(OURS, 8 << 20);
    const struct frame_hello hello = hello_of(id, START_US);
    assert_int_equal(swim_meet(e->swim, &hello.card, NULL, START_US, ret_member), RC_OK);
    assert_false(e->clock.is_set);
    e->pass_over_us = START_US;
    e->newest_member_us = START_US;
    return e;
}

static void whom_the_node_waits_for_and_how_long(void **state)
{
    (void)state;
    static const struct {
        uint8_t id;
        enum has has;
        uint64_t wait_us; /* it founds a microsecond later, and not yet then */
    } rows[] = {
        {SMALLER, UNHEARD, LONG_US}, {SMALLER, ANSWERED, SLOW_US},  {SMALLER, HAS_CLOCK, SHORT_US},
        {LARGER, UNHEARD, SHORT_US}, {LARGER, HAS_CLOCK, SHORT_US}, {LARGER, LEADS, SLOW_US},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct member *m = NULL;
        struct engine *e = waiting(rows[i].id, &m);
        m->has_answered = rows[i].has != UNHEARD;
        m->flags = rows[i].has >= HAS_CLOCK ? MEMBER_HAS_CLOCK : 0;
        e->leader = rows[i].has == LEADS ? m : NULL;
        e->now_us = START_US + rows[i].wait_us;
        if (clock_source_may_found(e)) {
            fail_msg("row %zu: the clock is founded too early", i);
        }
        e->now_us++;
        if (!clock_source_may_found(e)) {
            fail_msg("row %zu: the member is waited for too long", i);
        }
        engine_free(e);
    }
}

/* The node that goes through its members meets itself, and one that is gone, among them. */
static void nobody_is_waited_for_who_has_said_that_it_has_none_or_is_gone(void **state)
{
    (void)state;
    struct member *m = NULL;
    struct member *gone = NULL;
    struct engine *e = waiting(LARGER, &m);
    const struct frame_hello hello = hello_of(SMALLER, START_US);
    assert_int_equal(swim_meet(e->swim, &hello.card, NULL, START_US, &gone), RC_OK);
    m->has_answered = true;
    e->now_us = START_US + SECOND_US;
    assert_false(clock_source_may_found(e));
    view_declare_dead(e->swim, gone);
    assert_true(clock_source_may_found(e));
    engine_free(e);
}

static void somebody_new_puts_it_off_by_a_moment(void **state)
{
    (void)state;
    enum { QUIET_US = 100 * 1000 };
    struct member *m = NULL;
    struct engine *e = waiting(LARGER, &m);
    m->has_answered = true;
    e->now_us = START_US + SECOND_US;
    e->newest_member_us = e->now_us - QUIET_US + 1;
    assert_false(clock_source_may_found(e));
    e->newest_member_us--;
    assert_true(clock_source_may_found(e));
    e->newest_member_us = e->now_us = START_US + LONG_US;
    assert_false(clock_source_may_found(e));
    e->newest_member_us = ++e->now_us; /* new ones that come for ever do not for ever */
    assert_true(clock_source_may_found(e));
    engine_free(e);
}

/* Where many have started at once nobody founds a clock before all may have been heard. */
static void many_ask_seldom_until_somebody_may_found_a_clock(void **state)
{
    (void)state;
    enum { MANY = 64, MET_US = 250 * 1000, SOON_US = 50 * 1000, SELDOM_US = 500 * 1000 };
    static const struct {
        uint32_t members;
        uint64_t after_us, quiet_us, pause_us; /* the pass is over, and nobody new, for so long */
    } rows[] = {
        {MANY + 1, SECOND_US, MET_US, SELDOM_US},
        {MANY + 1, SECOND_US, MET_US - 1, SOON_US},
        {MANY + 1, SHORT_US - 1000, MET_US, 1000},
        {MANY + 1, SHORT_US - SELDOM_US, MET_US, SELDOM_US},
        {MANY + 1, SHORT_US, MET_US, SOON_US},
        {MANY, SECOND_US, MET_US, SOON_US},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct member *m = NULL;
        struct engine *e = waiting(LARGER, &m);
        while (swim_counts(e->swim).alive < rows[i].members) {
            struct frame_hello hello = hello_of(LARGER, START_US);
            hello.card.uuid.bytes[1] = (uint8_t)swim_counts(e->swim).alive;
            assert_int_equal(swim_meet(e->swim, &hello.card, NULL, START_US, &m), RC_OK);
        }
        e->is_pass_over = true;
        e->now_us = START_US + rows[i].after_us;
        e->newest_member_us = e->now_us - rows[i].quiet_us;
        clock_source_ask(e);
        if (e->ask_at_us != e->now_us + rows[i].pause_us) {
            fail_msg("row %zu: a pause of %llu us", i,
                     (unsigned long long)(e->ask_at_us - e->now_us));
        }
        engine_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_the_node_waits_for_and_how_long),
        cmocka_unit_test(nobody_is_waited_for_who_has_said_that_it_has_none_or_is_gone),
        cmocka_unit_test(many_ask_seldom_until_somebody_may_found_a_clock),
        cmocka_unit_test(somebody_new_puts_it_off_by_a_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
