/* When a node takes no more writes of clients: too many wait for their quorum, or for links. */
#include "gossip/engine.h"

#include "gossip/hello.h"

#include "engine_rig.h"

#include <stdio.h>

enum { NOW_US = START_US + SECOND_US };

/* Members 2, 3 and so on, each on a link of its own. */
struct crowded {
    struct engine *e;
    uint32_t links[3];
    uint32_t written;
};

static struct crowded crowd_of(uint32_t mates)
{
    struct crowded c = {.e = make_as(1, 64 << 20)};
    engine_candidates_done(c.e, true, START_US);
    engine_tick(c.e, NOW_US);
    for (uint32_t i = 0; i < mates; i++) {
        const struct frame_hello hello = hello_of((uint8_t)(2 + i), NOW_US);
        c.links[i] = link_with(c.e, &hello, NOW_US);
        assert_true(is_open(c.e, c.links[i]));
    }
    return c;
}

static void crowd_free(struct crowded *c)
{
    engine_check(c->e);
    engine_free(c->e);
}

static enum rc put_next(struct crowded *c)
{
    char key[16];
    const int len = snprintf(key, sizeof(key), "key-%u", c->written);
    const struct put put = {.key = (const uint8_t *)key, .key_len = (size_t)len, .ttl_ms = 60000};
    const enum rc rc = engine_put(c->e, &put, NOW_US);
    c->written += rc == RC_OK;
    return rc;
}

/* Takes what waits on the link. */
static void drain(const struct crowded *c, uint32_t link)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    while (engine_link_output(c->e, link, &out, NULL, 65536, NOW_US) > 0) {
        buf_clear(&out);
    }
    buf_fini(&out);
}

static void with_half_a_queue_on_the_only_link_writes_are_refused_until_it_drains(void **state)
{
    (void)state;
    struct crowded c = crowd_of(1);
    assert_true(engine_has_room(c.e));
    while (put_next(&c) == RC_OK) {
        assert_true(c.written <= LINK_QUEUE_MAX / 2);
    }
    assert_int_equal(c.written, LINK_QUEUE_MAX / 2);
    assert_int_equal(put_next(&c), RC_OVERLOADED);
    assert_false(engine_has_room(c.e));
    drain(&c, c.links[0]);
    assert_true(engine_has_room(c.e));
    assert_int_equal(put_next(&c), RC_OK);
    crowd_free(&c);
}

static void with_half_of_all_that_may_wait_for_a_quorum_writes_are_refused_until_one_is_settled(
    void **state)
{
    (void)state;
    struct crowded c = crowd_of(1);
    enum rc rc = RC_OK;
    while ((rc = put_next(&c)) == RC_OK) {
        assert_true(c.written <= QUORUM_WAITING_MAX / 2);
        if (c.written % 1024 == 0) {
            drain(&c, c.links[0]);
        }
    }
    assert_int_equal(rc, RC_OVERLOADED);
    assert_int_equal(c.written, QUORUM_WAITING_MAX / 2);
    drain(&c, c.links[0]);
    assert_int_equal(put_next(&c), RC_OVERLOADED);
    say_frame(c.e, c.links[0], FRAME_ACK, FRAME_CRITICAL, (const uint8_t[8]){[7] = 1}, 8, NOW_US);
    assert_int_equal(put_next(&c), RC_OK);
    assert_int_equal(put_next(&c), RC_OVERLOADED);
    crowd_free(&c);
}

/* Who does not read is not waited for while others are a quorum. */
static void a_full_link_matters_only_where_the_others_are_no_quorum(void **state)
{
    (void)state;
    struct crowded c = crowd_of(2);
    while (put_next(&c) == RC_OK) {
        assert_true(c.written <= LINK_QUEUE_MAX / 2);
    }
    assert_int_equal(c.written, LINK_QUEUE_MAX / 2);
    drain(&c, c.links[1]);
    assert_int_equal(mesh_find(c.e->mesh, c.links[0])->live.count, LINK_QUEUE_MAX / 2);
    assert_int_equal(put_next(&c), RC_OK);
    crowd_free(&c);
}

static void large_values_that_wait_count_like_small_ones(void **state)
{
    (void)state;
    struct crowded c = crowd_of(1);
    struct link *l = mesh_find(c.e->mesh, c.links[0]);
    const size_t count = l->big.count;
    l->big.count = LINK_QUEUE_MAX / 2 - 1; /* only counted here: so many values have no memory */
    assert_true(engine_has_room(c.e));
    l->big.count = LINK_QUEUE_MAX / 2;
    assert_false(engine_has_room(c.e));
    l->big.count = count;
    crowd_free(&c);
}

/* Their links may be back before the client's time is over. */
static void without_any_link_to_its_members_a_write_waits_for_them(void **state)
{
    (void)state;
    struct crowded c = crowd_of(1);
    hello_answered(c.e, mesh_find(c.e->mesh, c.links[0])->member);
    engine_link_down(c.e, c.links[0], LINK_END_RESET, NOW_US);
    assert_int_equal(voters_needed(c.e), 2);
    assert_int_equal(put_next(&c), RC_OK);
    assert_int_equal(quorum_count(c.e->quorum), 1);
    crowd_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_half_a_queue_on_the_only_link_writes_are_refused_until_it_drains),
        cmocka_unit_test(
            with_half_of_all_that_may_wait_for_a_quorum_writes_are_refused_until_one_is_settled),
        cmocka_unit_test(a_full_link_matters_only_where_the_others_are_no_quorum),
        cmocka_unit_test(large_values_that_wait_count_like_small_ones),
        cmocka_unit_test(without_any_link_to_its_members_a_write_waits_for_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
