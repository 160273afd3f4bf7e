/* Writes that a member has put off for its clock: when they go out again. */
#include "gossip/engine_state.h"
#include "gossip/hello.h"

#include "engine_rig.h"

static const uint64_t MS = 1000;

/* A node that is linked to node 2. */
struct linked {
    struct engine *e;
    uint32_t link;
    uint64_t now_us;
};

static int set_up(void **state)
{
    static struct linked n;
    n = (struct linked){.e = make_alone(1), .now_us = START_US + SECOND_US};
    const struct frame_hello hello = hello_of(2, n.now_us);
    n.link = link_with(n.e, &hello, n.now_us);
    hello_answered(n.e, mesh_find(n.e->mesh, n.link)->member); /* so it counts for the quorum */
    *state = &n;
    return 0;
}

static int tear_down(void **state)
{
    struct linked *n = *state;
    return free_engine((void **)&n->e);
}

static struct link *link_of(const struct linked *n)
{
    return mesh_find(n->e->mesh, n->link);
}

/* Takes what waits on the link; returns how many counted records were in it. */
static uint64_t sent(const struct linked *n)
{
    struct buf out;
    const uint64_t before = link_of(n)->sent_count;
    buf_init(&out, 1 << 20);
    (void)engine_link_output(n->e, n->link, &out, NULL, 65536, n->now_us);
    buf_fini(&out);
    return link_of(n)->sent_count - before;
}

/* A client's write is sent, and the member refuses it, as its clock cannot judge it. */
static void write_and_refuse(const struct linked *n)
{
    const struct put put = {
        .token = 77, .key = (const uint8_t *)"own", .key_len = 3, .ttl_ms = 60000};
    uint8_t payload[9];
    struct cursor c = cursor_writer(payload, sizeof(payload));
    assert_int_equal(engine_put(n->e, &put, n->now_us), RC_OK);
    assert_int_equal(sent(n), 1);
    cursor_put_u64(&c, link_of(n)->sent_count);
    cursor_put_u8(&c, NACK_CLOCK);
    say_frame(n->e, n->link, FRAME_NACK, FRAME_CRITICAL, payload, c.pos, n->now_us);
    assert_true(link_of(n)->owed.is_owed);
    assert_int_equal(sent(n), 0);
}

static void say_state(const struct linked *n, uint8_t flags)
{
    say_frame(n->e, n->link, FRAME_STATE, FRAME_CRITICAL, &flags, 1, n->now_us);
}

/* Nothing goes out until just this time is over. */
static void expect_pause(struct linked *n, uint64_t pause_us)
{
    n->now_us += pause_us - 1;
    engine_tick(n->e, n->now_us);
    assert_int_equal(sent(n), 0);
    n->now_us++;
    engine_tick(n->e, n->now_us);
    assert_int_equal(sent(n), 1);
    assert_false(link_of(n)->owed.is_owed);
}

static void a_member_that_seems_to_have_a_clock_gets_it_again_after_a_pause_that_doubles(
    void **state)
{
    struct linked *n = *state;
    static const uint32_t pauses_ms[] = {20, 40, 80, 160, 320, 640, 640};
    for (size_t i = 0; i < sizeof(pauses_ms) / sizeof(pauses_ms[0]); i++) {
        write_and_refuse(n);
        expect_pause(n, pauses_ms[i] * MS);
    }
}

static void its_word_that_it_can_ends_the_pause_and_those_after_begin_anew(void **state)
{
    struct linked *n = *state;
    write_and_refuse(n);
    expect_pause(n, 20 * MS);
    write_and_refuse(n);
    say_state(n, MEMBER_HAS_CLOCK);
    engine_tick(n->e, n->now_us);
    assert_int_equal(sent(n), 1);
    write_and_refuse(n);
    expect_pause(n, 20 * MS);
}

static void while_it_has_no_clock_nothing_is_sent(void **state)
{
    struct linked *n = *state;
    say_state(n, 0);
    write_and_refuse(n);
    n->now_us += 100 * MS;
    engine_tick(n->e, n->now_us);
    assert_int_equal(sent(n), 0);
    assert_true(link_of(n)->owed.is_owed);
    say_state(n, MEMBER_HAS_CLOCK);
    engine_tick(n->e, n->now_us);
    assert_int_equal(sent(n), 1);
}

/* ---- What this node says of itself ---- */

static void a_change_of_its_own_state_is_told_once_to_all(void **state)
{
    struct linked *n = *state;
    struct cursor payload;
    (void)sent(n);
    owed_tell_state(n->e, n->e->told_state);
    assert_false(next_of_type(n->e, n->link, FRAME_STATE, &payload));
    owed_tell_state(n->e, n->e->told_state ^ MEMBER_IS_FULL);
    assert_true(next_of_type(n->e, n->link, FRAME_STATE, &payload));
    (void)sent(n);
    owed_tell_state(n->e, n->e->told_state);
    assert_false(next_of_type(n->e, n->link, FRAME_STATE, &payload));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_that_seems_to_have_a_clock_gets_it_again_after_a_pause_that_doubles),
        TEST(its_word_that_it_can_ends_the_pause_and_those_after_begin_anew),
        TEST(while_it_has_no_clock_nothing_is_sent),
        TEST(a_change_of_its_own_state_is_told_once_to_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
