#include "gossip/repair/reconcile.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW_US = 1000 * 1000, LINKS = 2 };

/* A node and the links that it has; nobody answers on them. */
struct scene {
    struct outbox *outbox;
    struct store *store;
    struct mesh *mesh;
    struct quorum *quorum;
    struct sync *sync;
    struct overlay overlay;
    struct rng rng;
    struct uuid self;
    struct engine_counters counters;
    struct reconcile reconcile;
    struct reconcile_env env;
    struct link *links[LINKS];
    struct member members[LINKS];
};

static void add_link(struct scene *s, int i)
{
    const struct addr addr = {.port = (uint16_t)(i + 1)};
    const struct member_card card = {
        .uuid = {{(uint8_t)(i + 2)}}, .name = "n", .enclave = "default"};
    member_set_card(&s->members[i], &card);
    s->members[i].flags = MEMBER_IS_CAUGHT_UP;
    s->members[i].is_mate = true;
    s->links[i] = mesh_add(s->mesh, LINK_OPEN, true, &addr, NOW_US);
    s->links[i]->member = &s->members[i];
    s->links[i]->terms.said_ready = true;
    s->members[i].link = s->links[i]->id;
}

static int set_up(void **state)
{
    static const uint8_t secret[SIPHASH_KEY_BYTES] = {1};
    struct scene *s = mem_new(1, sizeof(*s));
    const struct store_config store = {.bytes_max = 1 << 20, .table_seed = 1, .digest_seed = 7};
    s->self = (struct uuid){{1}};
    s->outbox = outbox_new();
    s->store = store_new(&store);
    s->mesh = mesh_new(s->outbox);
    s->quorum = quorum_new(NOW_US, s->outbox);
    const struct sync_config sync = {
        .store = s->store,
        .mesh = s->mesh,
        .quorum = s->quorum,
        .outbox = s->outbox,
        .counters = &s->counters,
        .secret = secret,
    };
    s->sync = sync_new(&sync);
    overlay_init(&s->overlay, &s->self, 2);
    rng_init(&s->rng, 1);
    s->env = (struct reconcile_env){
        .store = s->store,
        .mesh = s->mesh,
        .sync = s->sync,
        .overlay = &s->overlay,
        .rng = &s->rng,
        .self = &s->self,
        .has_clock = true,
        .now_us = NOW_US,
        .now_ms = UINT64_C(1767225600000),
    };
    add_link(s, 0);
    add_link(s, 1);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    for (int i = 0; i < LINKS; i++) {
        sync_link_gone(s->sync, s->links[i]);
        member_fini(&s->members[i]);
    }
    sync_free(s->sync);
    overlay_fini(&s->overlay);
    quorum_free(s->quorum);
    mesh_free(s->mesh);
    store_free(s->store);
    outbox_free(s->outbox);
    free(s);
    return 0;
}

static void a_new_link_is_reconciled_by_the_smaller_id(void **state)
{
    struct scene *s = *state;
    reconcile_opened(&s->env, s->links[0], MEMBER_IS_CAUGHT_UP | MEMBER_HAS_RECORDS, true);
    assert_int_equal(s->counters.syncs_started, 1);
    s->self = (struct uuid){{9}};
    reconcile_opened(&s->env, s->links[1], MEMBER_IS_CAUGHT_UP | MEMBER_HAS_RECORDS, true);
    assert_int_equal(s->links[1]->repair.reasons, 0);
    assert_int_equal(s->counters.syncs_started, 1);
}

static void where_both_were_empty_who_has_something_now_reconciles(void **state)
{
    struct scene *s = *state;
    reconcile_opened(&s->env, s->links[0], MEMBER_IS_CAUGHT_UP, false);
    assert_int_equal(s->counters.syncs_started, 0);
    reconcile_opened(&s->env, s->links[0], MEMBER_IS_CAUGHT_UP, true);
    assert_int_equal(s->counters.syncs_started, 1);
}

static void a_reason_stays_until_a_session_begins(void **state)
{
    struct scene *s = *state;
    assert_true(reconcile_link(&s->env, s->links[0]) == UINT64_MAX);
    link_ask_repair(s->links[0], REPAIR_MISSED);
    s->env.is_full = true;
    assert_true(reconcile_link(&s->env, s->links[0]) > NOW_US);
    assert_true(link_needs_repair(s->links[0]));
    s->env.is_full = false;
    (void)reconcile_link(&s->env, s->links[0]);
    assert_false(link_needs_repair(s->links[0]));
    assert_int_equal(s->counters.syncs_started, 1);
}

static void what_a_lost_link_needed_is_owed_once(void **state)
{
    struct scene *s = *state;
    assert_true(reconcile_link_gone(&s->reconcile, s->links[0], NOW_US) == UINT64_MAX);
    link_ask_repair(s->links[0], REPAIR_NO_ROOM);
    assert_true(reconcile_link_gone(&s->reconcile, s->links[0], NOW_US) > NOW_US);
    assert_true(reconcile_link_gone(&s->reconcile, s->links[0], NOW_US) == UINT64_MAX);
    assert_true(s->reconcile.is_owed);
    assert_true(reconcile_settle(&s->reconcile, &s->env) == UINT64_MAX);
    assert_false(s->reconcile.is_owed);
    assert_int_equal(s->counters.syncs_started, 1);
}

static void nothing_is_owed_by_those_who_are_new_or_full(void **state)
{
    struct scene *s = *state;
    s->members[0].flags = MEMBER_IS_CAUGHT_UP | MEMBER_IS_FULL;
    s->members[1].flags = 0;
    (void)reconcile_after_loss(&s->reconcile, NOW_US);
    assert_true(reconcile_settle(&s->reconcile, &s->env) == UINT64_MAX);
    assert_int_equal(s->counters.syncs_started, 0);
}

static void a_root_that_differs_is_asked_for_and_withdrawn(void **state)
{
    struct scene *s = *state;
    struct digest root;
    const uint64_t cut_s = s->env.now_ms / 1000 - SYNC_CUT_DELAY_S;
    assert_int_equal(store_root(s->store, cut_s, &root), RC_OK);
    assert_int_equal(reconcile_root(&s->env, s->links[0], cut_s, root.sum + 1), NOW_US);
    assert_int_equal(s->links[0]->repair.reasons, REPAIR_ROOT);
    assert_false(link_needs_repair(s->links[0]));
    assert_true(reconcile_root(&s->env, s->links[0], cut_s, root.sum) == UINT64_MAX);
    assert_int_equal(s->links[0]->repair.reasons, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_link_is_reconciled_by_the_smaller_id, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(where_both_were_empty_who_has_something_now_reconciles,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reason_stays_until_a_session_begins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_lost_link_needed_is_owed_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_owed_by_those_who_are_new_or_full, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_root_that_differs_is_asked_for_and_withdrawn, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
