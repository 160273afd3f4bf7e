/* When a write of a large enclave can have its quorum no more. */
#include "engine_rig.h"

enum { NOW_US = START_US + SECOND_US, SELF = 1, LARGE = OVERLAY_LARGE_UP };

static int set_up(void **state)
{
    *state = make_alone(SELF);
    return 0;
}

static bool is_neighbour(const struct engine *e, const struct member *m)
{
    return overlay_rings(&e->overlay, &m->uuid) != 0;
}

/* All members have links; those that are no neighbours lose theirs, but for one, which stays of the
 * trees until its ROLE comes. Returns that one. */
static struct member *link_all(struct engine *e)
{
    struct member *m[LARGE + 1];
    struct member *other = NULL;
    for (uint32_t id = SELF + 1; id <= LARGE; id++) {
        m[id] = link_of_voter(e, (uint8_t)id, 0, NOW_US);
    }
    assert_true(e->overlay.is_large);
    for (uint32_t id = SELF + 1; id <= LARGE; id++) {
        if (is_neighbour(e, m[id])) {
            continue;
        }
        if (other == NULL) {
            other = m[id];
        } else {
            engine_link_down(e, m[id]->link, LINK_END_EOF, NOW_US);
        }
    }
    assert_non_null(other);
    return other;
}

static uint32_t begin_write(struct engine *e)
{
    const struct put put = {
        .token = 77, .key = (const uint8_t *)"key", .key_len = 3, .ttl_ms = 60000};
    assert_int_equal(engine_put(e, &put, NOW_US), RC_OK);
    const uint32_t waiter = quorum_first(e->quorum);
    assert_int_not_equal(waiter, 0);
    return waiter;
}

static uint32_t writes_pending(struct engine *e)
{
    struct action action;
    uint32_t count = 0;
    while (outbox_next(engine_outbox(e), &action)) {
        count += action.kind == ACTION_PUT_DONE && action.put.status == PUT_PENDING;
    }
    return count;
}

/* Its client need not wait for the timeout. */
static void a_write_ends_when_all_have_refused_it_but_one_whose_link_is_gone(void **state)
{
    struct engine *e = *state;
    const struct member *other = link_all(e);
    const uint32_t waiter = begin_write(e);
    for (struct link *l = mesh_first(e->mesh); l != NULL; l = mesh_after(e->mesh, l->id)) {
        assert_int_equal(quorum_part(e->quorum, waiter, &l->member->uuid), QUORUM_ASKED);
        if (l->member != other) {
            voters_refused(e, l, waiter);
        }
    }
    assert_int_equal(writes_pending(e), 0);
    engine_link_down(e, other->link, LINK_END_EOF, NOW_US);
    assert_true(other->is_counted);
    assert_int_equal(writes_pending(e), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_write_ends_when_all_have_refused_it_but_one_whose_link_is_gone, set_up, free_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
