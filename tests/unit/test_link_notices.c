/* What an operator hears of the end of a link: once, with the reason. */
#include "gossip/inbound.h"

#include "engine_rig.h"

#include <stdio.h>

enum { NOW_US = START_US + SECOND_US };

/* A link of node 2, and nothing to be told yet. */
struct linked {
    struct engine *e;
    uint32_t link;
};

static struct linked linked_new(void)
{
    const struct frame_hello hello = hello_of(2, NOW_US);
    struct linked n = {.e = make_alone(1)};
    struct action action;
    n.link = link_with(n.e, &hello, NOW_US);
    while (outbox_next(engine_outbox(n.e), &action)) {
    }
    return n;
}

/* Of the only notice that node 2's link is down why it is so; "" where there is none. */
static void expect_told(struct linked *n, const char *why)
{
    char told[NOTICE_TEXT_SIZE] = "";
    struct action action;
    while (outbox_next(engine_outbox(n->e), &action)) {
        if (action.kind == ACTION_NOTICE && action.notice->kind == NOTICE_LINK_DOWN) {
            assert_string_equal(told, "");
            assert_int_equal(action.notice->member.bytes[0], 2);
            assert_string_equal(action.notice->name, "peer");
            assert_int_equal(action.notice->value, 0);
            (void)snprintf(told, sizeof(told), "%s", action.notice->text);
        }
    }
    assert_string_equal(told, why);
    (void)free_engine((void **)&n->e);
}

static void a_link_that_the_system_ends_is_told_with_what_it_says(void **state)
{
    (void)state;
    static const struct {
        enum link_end why;
        const char *text;
    } rows[] = {
        {LINK_END_EOF, "closed by the peer"},
        {LINK_END_RESET, "reset"},
        {LINK_END_REFUSED, "refused"},
        {LINK_END_TIMEOUT, "timed out"},
        {LINK_END_REJECTED, "rejected by something that is no peer"},
        {LINK_END_SELF, "reached this node itself"},
        {LINK_END_NO_HOST, "no route to this host (EHOSTUNREACH)"},
        {LINK_END_NO_NET, "no route to this network (ENETUNREACH)"},
        {LINK_END_DENIED, "not permitted on this host (EACCES)"},
        {LINK_END_NO_FD, "no descriptor is left (EMFILE)"},
        {LINK_END_UNSEALED, "the handshake failed, as with a node of other keys"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct linked n = linked_new();
        engine_link_down(n.e, n.link, rows[i].why, NOW_US);
        assert_null(mesh_find(n.e->mesh, n.link));
        assert_int_equal(n.e->counters.links_lost, 1);
        engine_check(n.e);
        expect_told(&n, rows[i].text);
    }
}

/* A link that is not wanted, or of which there is another, is no loss. */
static void one_that_the_member_ends_is_told_with_its_reason_unless_nothing_is_lost(void **state)
{
    (void)state;
    static const struct {
        uint8_t reason;
        const char *text;
    } rows[] = {
        {CLOSE_DUPLICATE, ""},
        {CLOSE_IDLE, ""},
        {CLOSE_KEY, ""},
        {CLOSE_STRANGER, "close, reason 3"},
        {CLOSE_MALFORMED, "close, reason 6"},
        {CLOSE_FULL, "close, reason 8"},
        {250, "close, reason 250"}, /* of a later version */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct linked n = linked_new();
        say_frame(n.e, n.link, FRAME_CLOSE, FRAME_CRITICAL, &rows[i].reason, 1, NOW_US);
        assert_false(is_open(n.e, n.link));
        expect_told(&n, rows[i].text);
    }
}

static void one_that_this_node_ends_for_what_came_is_told_with_the_fault(void **state)
{
    (void)state;
    struct linked n = linked_new();
    say_frame(n.e, n.link, FRAME_STATE, FRAME_CRITICAL, NULL, 0, NOW_US);
    assert_int_equal(close_reason(n.e, n.link), CLOSE_MALFORMED);
    expect_told(&n, rc_text(RC_MALFORMED));
}

static void one_on_which_nobody_answers_is_told_as_silent(void **state)
{
    (void)state;
    struct linked n = linked_new();
    uint64_t now_us = NOW_US;
    while (is_open(n.e, n.link)) {
        assert_true(now_us < NOW_US + UINT64_C(10) * SECOND_US);
        run_for(n.e, 1, &now_us);
    }
    expect_told(&n, "silent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_the_system_ends_is_told_with_what_it_says),
        cmocka_unit_test(one_that_the_member_ends_is_told_with_its_reason_unless_nothing_is_lost),
        cmocka_unit_test(one_that_this_node_ends_for_what_came_is_told_with_the_fault),
        cmocka_unit_test(one_on_which_nobody_answers_is_told_as_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
