/* By what a link that was accepted shows that its other end reads there. (What HELLOs say:
 * test_hello.c.) */
#include "gossip/hello.h"

#include "engine_rig.h"

enum { NOW_US = START_US + SECOND_US };

static int set_up(void **state)
{
    *state = make_alone(5);
    return 0;
}

/* On a link that was accepted, with that token; 0 when it stays open. */
static uint8_t refusal_of(struct engine *e, uint32_t link, uint64_t token)
{
    uint8_t payload[512];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    struct frame_hello hello = hello_of(2, NOW_US);
    hello.token = token;
    frame_hello_write(&c, &hello);
    say_frame(e, link, FRAME_HELLO, FRAME_CRITICAL, payload, c.pos, NOW_US);
    return close_reason(e, link);
}

/* Whoever opens links by the hundred and reads nothing on them makes no members. */
static void who_has_not_read_our_hello_on_its_link_is_nobody(void **state)
{
    const struct uuid two = {{2}};
    struct engine *e = *state;
    const struct addr from = {.port = 9};
    struct frame_hello first, second;
    const uint32_t links[] = {engine_link_accept(e, &from, 0, NOW_US),
                              engine_link_accept(e, &from, 0, NOW_US)};
    read_ours(e, links[0], &first);
    read_ours(e, links[1], &second);
    assert_true(first.token != second.token);
    assert_int_equal(refusal_of(e, links[0], second.token), CLOSE_MALFORMED);
    assert_int_equal(refusal_of(e, engine_link_accept(e, &from, 0, NOW_US), 0), CLOSE_MALFORMED);
    assert_null(swim_find(e->swim, &two));
    assert_int_equal(e->counters.frames_malformed, 2);
    assert_int_equal(refusal_of(e, links[1], second.token), 0);
    assert_true(is_open(e, links[1]));
    assert_non_null(swim_find(e->swim, &two));
}

/* Nobody can tell a link's token from those of other processes, or of a link before. */
static void a_token_is_of_one_process_and_one_link(void **state)
{
    struct engine *e = *state;
    struct engine *other = make_alone(5);
    const struct addr from = {.port = 9};
    other->config.secret[0] ^= 1;
    const uint32_t link = engine_link_accept(e, &from, 0, NOW_US);
    const uint64_t token = hello_token(e, mesh_find(e->mesh, link));
    assert_int_equal(engine_link_accept(other, &from, 0, NOW_US), link);
    assert_true(hello_token(other, mesh_find(other->mesh, link)) != token);
    mesh_find(e->mesh, link)->begun_us++;
    assert_true(hello_token(e, mesh_find(e->mesh, link)) != token);
    engine_free(other);
}

/* Also where that is no member: it hears whose we are. */
static void who_has_dialed_says_hello_once_it_has_heard_the_others(void **state)
{
    static const struct {
        uint64_t cluster; /* added to ours */
        uint8_t version;  /* likewise */
        uint8_t reason;
        uint64_t token;
    } cases[] = {{0, 0, 0, 77}, {1, 0, CLOSE_STRANGER, 77}, {0, 1, CLOSE_VERSION, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct engine *e = make_alone(5);
        struct cursor ours;
        struct frame_hello said;
        uint8_t payload[512];
        uint64_t now_us = NOW_US;
        const uint32_t link = dial_candidate(e, 1001, &now_us);
        assert_int_equal(mesh_find(e->mesh, link)->state, LINK_HELLO);
        hello_tell_clock(e); /* nothing comes before HELLO */
        assert_false(next_of_type(e, link, FRAME_CLOCK, &ours));
        assert_false(next_of_type(e, link, FRAME_HELLO, &ours));
        struct frame_hello hello = hello_of(2, now_us);
        struct cursor c = cursor_writer(payload, sizeof(payload));
        hello.cluster += cases[i].cluster;
        hello.version_min = hello.version_max = PROTOCOL_VERSION_MAX + cases[i].version;
        hello.token = 77;
        frame_hello_write(&c, &hello);
        say_frame(e, link, FRAME_HELLO, FRAME_CRITICAL, payload, c.pos, now_us);
        read_ours(e, link, &said);
        assert_int_equal(said.token, cases[i].token);
        assert_int_equal(close_reason(e, link), cases[i].reason);
        assert_int_equal(is_open(e, link), cases[i].reason == 0);
        engine_free(e);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, free_engine)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_has_not_read_our_hello_on_its_link_is_nobody),
        TEST(a_token_is_of_one_process_and_one_link),
        cmocka_unit_test(who_has_dialed_says_hello_once_it_has_heard_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
