/* Whom a node that starts waits for, before it takes its data from members as new as itself. */
#include "engine_rig.h"

#include "gossip/repair/join.h"

enum {
    NEW_ONE = 2,
    OTHER = 3,
    UNHEARD_US = 3000 * 1000,   /* so long a member may take until it says whether it is ready, */
    DONOR_US = 60 * 1000 * 1000 /* and so long one that is ready until it has a link */
};

#define NOW_US (START_US + UINT64_C(100) * SECOND_US)

/* A node that catches up, which has a link to a member as new as itself. */
static struct engine *joining(uint32_t *ret_link)
{
    struct engine *e = make_as(1, 8 << 20);
    const struct frame_hello hello = hello_of(NEW_ONE, NOW_US);
    *ret_link = link_with(e, &hello, NOW_US);
    clock_source_found(e);
    e->expect.may_begin = true;
    assert_int_not_equal(engine_unready(e) & READY_JOINING, 0);
    return e;
}

/* Whether the node, `age_us` after it could begin, waits for another member with those flags and
 * leaves the one alone that it has a link to. */
static bool waits(bool is_heard, bool is_mate, uint8_t flags, uint64_t age_us)
{
    uint32_t link = 0;
    struct member *m = NULL;
    struct cursor payload;
    struct engine *e = joining(&link);
    struct frame_hello hello = hello_of(OTHER, NOW_US);
    if (!is_mate) {
        memcpy(hello.card.enclave, "others", sizeof("others"));
    }
    assert_int_equal(swim_meet(e->swim, &hello.card, NULL, NOW_US, &m), RC_OK);
    mesh_want(e->mesh, &e->config.uuid, m, MESH_DEMAND, NOW_US);
    m->heard_us = is_heard ? NOW_US : 0;
    m->flags = flags;
    e->begun_us = NOW_US + SECOND_US - age_us;
    engine_tick(e, NOW_US + SECOND_US);
    const bool is_asked = next_of_type(e, link, FRAME_JOIN, &payload);
    engine_free(e);
    return !is_asked;
}

static void a_node_waits_for_members_that_may_be_ready_and_have_no_link(void **state)
{
    (void)state;
    static const struct {
        bool is_heard, is_other_enclaves;
        uint8_t flags;
        uint64_t wait_us; /* this long it does not, and a microsecond less it does; 0: not at all */
    } rows[] = {
        {true, false, MEMBER_IS_CAUGHT_UP, DONOR_US + 1},
        {true, false, MEMBER_IS_DRAINING, DONOR_US + 1},
        {false, false, 0, UNHEARD_US},
        {true, false, 0, 0},
        {true, true, MEMBER_IS_CAUGHT_UP, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const bool is_mate = !rows[i].is_other_enclaves;
        if (waits(rows[i].is_heard, is_mate, rows[i].flags, rows[i].wait_us)) {
            fail_msg("row %zu: the node waits too long", i);
        }
        if (rows[i].wait_us > 0 &&
            !waits(rows[i].is_heard, is_mate, rows[i].flags, rows[i].wait_us - 1)) {
            fail_msg("row %zu: the node does not wait so long", i);
        }
    }
}

static void before_its_enclave_may_begin_a_node_asks_nobody_as_new_as_itself(void **state)
{
    (void)state;
    uint32_t link = 0;
    struct cursor payload;
    struct engine *e = joining(&link);
    expect_init(&e->expect, 9);
    for (uint32_t id = OTHER; id < OTHER + JOIN_PARTS_MAX; id++) {
        const struct frame_hello hello = hello_of((uint8_t)id, NOW_US);
        (void)link_with(e, &hello, NOW_US); /* all that a join would wait for */
    }
    engine_tick(e, NOW_US + SECOND_US);
    assert_false(next_of_type(e, link, FRAME_JOIN, &payload));
    expect_init(&e->expect, 0);
    engine_tick(e, NOW_US + UINT64_C(2) * SECOND_US);
    assert_true(next_of_type(e, link, FRAME_JOIN, &payload));
    engine_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_waits_for_members_that_may_be_ready_and_have_no_link),
        cmocka_unit_test(before_its_enclave_may_begin_a_node_asks_nobody_as_new_as_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
