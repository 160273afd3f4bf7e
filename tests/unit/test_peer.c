/* What gossip/peer.c does with links that begin and end; what comes over them is of others' tests.
 */
#include "engine_rig.h"

#include "gossip/engine_state.h"
#include "gossip/membership/view.h"

enum { NOW_US = START_US + SECOND_US };

static int set_up(void **state)
{
    *state = make_alone(5);
    return 0;
}

static bool is_told_down(struct engine *e)
{
    struct action action;
    bool is_told = false;
    while (outbox_next(engine_outbox(e), &action)) {
        is_told |= action.kind == ACTION_NOTICE && action.notice->kind == NOTICE_LINK_DOWN;
    }
    return is_told;
}

static void a_link_that_was_not_open_is_lost_without_a_word(void **state)
{
    struct engine *e = *state;
    const struct addr from = {.port = 9};
    const uint32_t link = engine_link_accept(e, &from, NOW_US);
    engine_link_down(e, link, LINK_END_RESET, NOW_US);
    assert_null(mesh_find(e->mesh, link));
    assert_false(is_told_down(e));
    assert_int_equal(e->counters.links_lost, 0);
    engine_link_down(e, link, LINK_END_RESET, NOW_US); /* the driver may say so twice */
    assert_int_equal(e->counters.links_lost, 0);
}

/* Who is dead reads no goodbye. */
static void the_link_of_a_member_that_is_dead_ends_without_one(void **state)
{
    struct engine *e = *state;
    const struct frame_hello hello = hello_of(2, NOW_US);
    const uint32_t link = link_with(e, &hello, NOW_US);
    view_declare_dead(e->swim, mesh_find(e->mesh, link)->member);
    assert_true(is_open(e, link));
    engine_settle(e);
    assert_null(mesh_find(e->mesh, link));
}

static void a_mate_is_dialed_again_once_a_link_that_was_ended_is_gone(void **state)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    struct engine *e = *state;
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.card.addr_count = 1;
    hello.card.addrs[0] = (struct member_addr){.scope = SCOPE_GLOBAL, .addr = addr_v4(ip, 1001)};
    const uint32_t link = link_with(e, &hello, NOW_US);
    peer_end(e, mesh_find(e->mesh, link), CLOSE_MALFORMED);
    engine_link_down(e, link, LINK_END_EOF, NOW_US + SECOND_US);
    const struct link *l = mesh_first(e->mesh);
    assert_non_null(l);
    assert_int_equal(l->state, LINK_DIALING);
    assert_true(addr_equal(&l->addr, &hello.card.addrs[0].addr));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_link_of_a_member_that_is_dead_ends_without_one, set_up,
                                        free_engine),
        cmocka_unit_test_setup_teardown(a_mate_is_dialed_again_once_a_link_that_was_ended_is_gone,
                                        set_up, free_engine),
        cmocka_unit_test_setup_teardown(a_link_that_was_not_open_is_lost_without_a_word, set_up,
                                        free_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
