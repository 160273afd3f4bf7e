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
        .cells_max = CELLS_WANTED_MAX,
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

/* A member's vitals say that it holds something else. */
static struct vitals differing(const struct scene *s)
{
    struct digest root;
    const uint64_t cut_s = s->env.now_ms / 1000 - SYNC_CUT_DELAY_S;
    assert_int_equal(store_root(s->store, cut_s, &root), RC_OK);
    return (struct vitals){.flags = MEMBER_IS_CAUGHT_UP, .cut_s = cut_s, .root = root.sum + 1};
}

static uint64_t hear(struct scene *s, const struct vitals *v)
{
    return reconcile_vitals(&s->reconcile, &s->env, &s->members[0], v);
}

static void vitals_with_another_root_begin_a_session_as_of_their_cut(void **state)
{
    struct scene *s = *state;
    const struct vitals v = differing(s);
    s->links[0]->repair.reasons = REPAIR_ROOT;
    assert_true(hear(s, &v) == UINT64_MAX);
    assert_int_equal(s->counters.syncs_started, 1);
    assert_int_equal(s->links[0]->repair.reasons, 0);
}

static void vitals_with_the_same_root_withdraw_what_was_asked_for(void **state)
{
    struct scene *s = *state;
    struct vitals v = differing(s);
    v.root--;
    s->links[0]->repair.reasons = REPAIR_ROOT | REPAIR_MISSED;
    s->links[0]->repair.differing = 3;
    assert_true(hear(s, &v) == UINT64_MAX);
    assert_int_equal(s->counters.syncs_started, 0);
    assert_int_equal(s->links[0]->repair.reasons, REPAIR_MISSED);
    assert_int_equal(s->links[0]->repair.differing, 0);
}

static void vitals_are_not_compared_where_they_say_nothing(void **state)
{
    struct scene *s = *state;
    struct link *l = s->links[0];
    struct member *m = &s->members[0];
    struct vitals v = differing(s);
    for (int without = 0; without < 7; without++) {
        v = differing(s);
        l->state = without == 1 ? LINK_HELLO : LINK_OPEN;
        m->is_mate = without != 2;
        v.cut_s = without == 3 ? 0 : v.cut_s;
        v.flags = without == 4 ? 0 : v.flags;
        s->env.has_clock = without != 5;
        m->link = without == 6 ? 0 : l->id;
        assert_true(hear(s, &v) == UINT64_MAX);
        assert_int_equal(l->repair.differing, 1); /* the first time only */
    }
    m->link = l->id;
    l->state = LINK_OPEN;
    m->is_mate = true;
    s->env.has_clock = true;
    assert_int_equal(s->counters.syncs_started, 1);
}

/* The smaller id begins. It may not know of the difference, or may not begin. */
static void the_larger_id_begins_only_when_the_roots_have_differed_for_long(void **state)
{
    struct scene *s = *state;
    const struct vitals v = differing(s);
    s->self = (struct uuid){{9}};
    for (int i = 0; i < 4; i++) {
        assert_true(hear(s, &v) == UINT64_MAX);
        assert_int_equal(s->counters.syncs_started, 0);
    }
    assert_true(hear(s, &v) == UINT64_MAX);
    assert_int_equal(s->counters.syncs_started, 1);
}

static void where_no_session_may_begin_now_it_is_tried_again_soon(void **state)
{
    struct scene *s = *state;
    const struct vitals v = differing(s);
    s->env.is_full = true;
    assert_in_range(hear(s, &v), NOW_US + 1, NOW_US + 1000 * 1000);
    assert_int_equal(s->links[0]->repair.reasons, REPAIR_ROOT);
    assert_int_equal(s->counters.syncs_started, 0);
    s->env.is_full = false;
    assert_true(reconcile_link(&s->env, s->links[0]) > NOW_US);
    assert_int_equal(s->counters.syncs_started, 1);
    assert_int_equal(s->links[0]->repair.reasons, 0);
}

/* Why a link to the first member is wanted; 0: none is. */
static uint32_t wanted(const struct scene *s)
{
    return mesh_reasons(s->mesh, &s->members[0].uuid);
}

/* In a large enclave few are linked. */
static void a_member_without_a_link_whose_root_differs_is_dialed_now_and_then(void **state)
{
    struct scene *s = *state;
    const struct vitals v = differing(s);
    struct vitals same = v;
    same.root--;
    s->members[0].link = 0;
    (void)hear(s, &v);
    assert_int_equal(wanted(s), 0); /* of a small enclave all are linked soon */
    s->overlay.is_large = true;
    (void)hear(s, &same);
    assert_int_equal(wanted(s), 0);
    (void)hear(s, &v);
    assert_int_equal(wanted(s), MESH_DEMAND);
    assert_in_range(s->reconcile.demand_at_us, NOW_US + 2000 * 1000, NOW_US + 4000 * 1000);
    mesh_unwant(s->mesh, &s->members[0].uuid, MESH_DEMAND);
    s->env.now_us = s->reconcile.demand_at_us - 1;
    (void)hear(s, &v);
    assert_int_equal(wanted(s), 0);
    s->env.now_us++;
    (void)hear(s, &v);
    assert_int_equal(wanted(s), MESH_DEMAND);
    s->overlay.is_large = false;
    s->members[0].link = s->links[0]->id;
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
        cmocka_unit_test_setup_teardown(vitals_with_another_root_begin_a_session_as_of_their_cut,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(vitals_with_the_same_root_withdraw_what_was_asked_for,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(vitals_are_not_compared_where_they_say_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            the_larger_id_begins_only_when_the_roots_have_differed_for_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_no_session_may_begin_now_it_is_tried_again_soon,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_member_without_a_link_whose_root_differs_is_dialed_now_and_then, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
