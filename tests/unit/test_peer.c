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
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
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

/* The dial of the engine that is under way; 0: none. */
static uint32_t dialed(struct engine *e)
{
    for (const struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        if (l->state == LINK_DIALING) {
            return l->id;
        }
    }
    return 0;
}

/* Lets so many dials of the mate fail, one after the other. */
static void fail_dials(struct engine *e, uint32_t count, enum link_end why, uint64_t *now_us)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t tenths = 0; dialed(e) == 0 && tenths < 100; tenths++) {
            *now_us += SECOND_US / 10;
            engine_advance(e, *now_us);
            mesh_hurry(e->mesh);
            mesh_turn(e->mesh, e->swim, *now_us);
        }
        assert_int_not_equal(dialed(e), 0);
        engine_link_down(e, dialed(e), why, *now_us);
    }
}

/* Links with a mate that answers datagrams, and ends that link again. */
static void meet_and_part(struct engine *e, uint64_t now_us)
{
    static const uint8_t ip[] = {10, 0, 0, 9};
    struct frame_hello hello = hello_of(2, now_us);
    hello.card.addr_count = 1;
    hello.card.addrs[0] = (struct member_addr){.scope = SCOPE_GLOBAL, .addr = addr_v4(ip, 1001)};
    const uint32_t link = link_with(e, &hello, now_us);
    struct member *m = mesh_find(e->mesh, link)->member;
    peer_end(e, mesh_find(e->mesh, link), 0);
    view_answered(e->swim, m);
}

/* Ten mates by HELLOs, as strangers may say them: each names four ports of one host, and is gone.
 */
static void a_host_where_nobody_has_answered_is_dialed_now_and_then(void **state)
{
    enum { SECONDS = 20, DIALS = QUIET_DIALS + SECONDS * SECOND_US / QUIET_DIAL_US };
    static const uint8_t ip[] = {192, 0, 2, 77};
    struct engine *e = *state;
    uint64_t now_us = NOW_US;
    uint32_t dials = 0;
    for (uint8_t i = 0; i < 10; i++) {
        struct frame_hello hello = hello_of((uint8_t)(10 + i), now_us);
        for (hello.card.addr_count = 0; hello.card.addr_count < 4; hello.card.addr_count++) {
            hello.card.addrs[hello.card.addr_count] = (struct member_addr){
                SCOPE_GLOBAL, addr_v4(ip, (uint16_t)(1000 + 4U * i + hello.card.addr_count))};
        }
        peer_end(e, mesh_find(e->mesh, link_with(e, &hello, now_us)), 0);
    }
    for (uint32_t tenths = 0; tenths < 10 * SECONDS; tenths++) {
        now_us += SECOND_US / 10;
        engine_advance(e, now_us);
        mesh_hurry(e->mesh);
        mesh_turn(e->mesh, e->swim, now_us);
        for (uint32_t link; (link = dialed(e)) != 0; dials++) {
            engine_link_down(e, link, LINK_END_TIMEOUT, now_us);
        }
    }
    assert_in_range(dials, QUIET_DIALS, DIALS);
}

static void expect_undialed(struct engine *e, const char *text)
{
    char told[NOTICE_TEXT_SIZE];
    assert_int_equal(notices(e, NOTICE_UNDIALED, told), 1);
    assert_string_equal(told, text);
}

static uint32_t undialed(struct engine *e, uint64_t now_us)
{
    struct engine_status status = {0};
    engine_status(e, now_us, &status);
    return status.undialed;
}

static void a_mate_that_is_alive_and_cannot_be_dialed_is_told_of_at_3_6_and_12_dials(void **state)
{
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    uint64_t now_us = NOW_US;
    meet_and_part(e, now_us);
    fail_dials(e, 2, LINK_END_TIMEOUT, &now_us);
    assert_int_equal(notices(e, NOTICE_UNDIALED, text), 0);
    assert_int_equal(undialed(e, now_us), 0);
    fail_dials(e, 1, LINK_END_TIMEOUT, &now_us);
    expect_undialed(e, "10.0.0.9:1001: timed out (ETIMEDOUT)");
    assert_int_equal(undialed(e, now_us), 1);
    fail_dials(e, 2, LINK_END_NO_HOST, &now_us);
    assert_int_equal(notices(e, NOTICE_UNDIALED, text), 0);
    fail_dials(e, 1, LINK_END_NO_HOST, &now_us);
    expect_undialed(e, "10.0.0.9:1001: no route to this host (EHOSTUNREACH)");
    fail_dials(e, 5, LINK_END_RESET, &now_us);
    assert_int_equal(notices(e, NOTICE_UNDIALED, text), 0);
    fail_dials(e, 1, LINK_END_RESET, &now_us);
    expect_undialed(e, "10.0.0.9:1001: reset (ECONNRESET)");
}

static void a_link_that_comes_about_has_the_dials_counted_anew(void **state)
{
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    uint64_t now_us = NOW_US;
    meet_and_part(e, now_us);
    fail_dials(e, 2, LINK_END_DENIED, &now_us);
    meet_and_part(e, now_us);
    assert_int_equal(undialed(e, now_us), 0);
    fail_dials(e, 2, LINK_END_DENIED, &now_us);
    assert_int_equal(notices(e, NOTICE_UNDIALED, text), 0);
    fail_dials(e, 1, LINK_END_DENIED, &now_us);
    expect_undialed(e, "10.0.0.9:1001: not permitted on this host (EACCES)");
}

/* Who is not alive is dialed in vain anyway, and told of as dead. */
static void a_suspect_that_cannot_be_dialed_is_not_told_of(void **state)
{
    struct engine *e = *state;
    char text[NOTICE_TEXT_SIZE];
    uint64_t now_us = NOW_US;
    meet_and_part(e, now_us);
    fail_dials(e, 2, LINK_END_TIMEOUT, &now_us);
    view_suspect(e->swim, swim_any_member(e->swim), &e->config.uuid);
    fail_dials(e, 1, LINK_END_TIMEOUT, &now_us);
    assert_int_equal(notices(e, NOTICE_UNDIALED, text), 0);
    assert_int_equal(undialed(e, now_us), 0);
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
        cmocka_unit_test_setup_teardown(
            a_mate_that_is_alive_and_cannot_be_dialed_is_told_of_at_3_6_and_12_dials, set_up,
            free_engine),
        cmocka_unit_test_setup_teardown(a_link_that_comes_about_has_the_dials_counted_anew, set_up,
                                        free_engine),
        cmocka_unit_test_setup_teardown(a_host_where_nobody_has_answered_is_dialed_now_and_then,
                                        set_up, free_engine),
        cmocka_unit_test_setup_teardown(a_suspect_that_cannot_be_dialed_is_not_told_of, set_up,
                                        free_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
