#include "gossip/tree_links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trees_rig.h"

enum { TREE = 3 };

static int set_up(void **state)
{
    struct trees_rig *r = mem_new(1, sizeof(*r));
    trees_rig_init(r, RIG_MEMBERS);
    assert_true(r->overlay.is_large);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    trees_rig_fini(*state);
    free(*state);
    return 0;
}

static void an_open_link_is_lazy_in_all_trees_until_it_is_grafted(void **state)
{
    (void)state;
    struct link l = {.state = LINK_OPEN};
    tree_links_opened(&l);
    for (uint32_t tree = 0; tree < TREE_COUNT; tree++) {
        assert_true(tree_links_is_lazy(&l, tree));
    }
    tree_links_grafted(&l, 3);
    for (uint32_t tree = 0; tree < TREE_COUNT; tree++) {
        assert_int_equal(tree_links_is_lazy(&l, tree), tree != 3);
    }
}

static void data_go_along_an_open_link_of_a_mate_whose_clock_is_ours(void **state)
{
    (void)state;
    struct member m = {.is_mate = true};
    struct link l = {.state = LINK_OPEN, .member = &m};
    assert_true(tree_links_is_usable(&l));
    l.clock.is_conflict = true;
    assert_false(tree_links_is_usable(&l));
    l.clock.is_conflict = false;
    l.state = LINK_CLOSING;
    assert_false(tree_links_is_usable(&l));
    l.state = LINK_OPEN;
    m.is_mate = false;
    assert_false(tree_links_is_usable(&l));
}

static void a_write_is_asked_for_by_a_graft_after_which_the_link_is_eager(void **state)
{
    struct trees_rig *r = *state;
    struct frame_tree entry;
    struct action action;
    tree_links_ask(&r->env, r->links[0], TREE_DIRECT, TREE, 77);
    assert_true(tree_links_is_lazy(r->links[0], TREE)); /* of that one alone */
    assert_int_equal(rig_next_frame(r, 0, &entry), FRAME_TREE_GRAFT);
    assert_int_equal(entry.kind, TREE_DIRECT);
    assert_true(outbox_next(r->outbox, &action));
    assert_int_equal(action.kind, ACTION_OUTPUT);
    tree_links_ask(&r->env, r->links[0], TREE_SMALL, TREE, 78);
    assert_false(tree_links_is_lazy(r->links[0], TREE));
    assert_int_equal(rig_next_frame(r, 0, &entry), FRAME_TREE_GRAFT);
    assert_int_equal(entry.tree, TREE);
    assert_int_equal(entry.id, 78);
}

static void only_a_link_that_was_lazy_is_on_trial_and_for_a_second(void **state)
{
    struct trees_rig *r = *state;
    rig_make_eager(r, 1, TREE);
    tree_links_try(&r->env, r->links[0], TREE, 1);
    tree_links_try(&r->env, r->links[1], TREE, 1);
    assert_true(tree_links_is_on_trial(&r->env, r->links[0], TREE));
    assert_false(tree_links_is_of_tree(&r->env, r->links[0], TREE));
    assert_false(tree_links_is_on_trial(&r->env, r->links[1], TREE));
    assert_true(tree_links_is_of_tree(&r->env, r->links[1], TREE));
    r->env.now_us += TREE_TRIAL_US;
    assert_false(tree_links_is_on_trial(&r->env, r->links[0], TREE));
    assert_true(tree_links_is_of_tree(&r->env, r->links[0], TREE));
}

static void what_comes_just_after_a_prune_does_not_make_the_link_eager_again(void **state)
{
    struct trees_rig *r = *state;
    struct frame_tree entry;
    rig_make_eager(r, 0, TREE);
    tree_links_prune(&r->env, r->links[0], TREE);
    assert_true(tree_links_is_lazy(r->links[0], TREE));
    assert_int_equal(rig_next_frame(r, 0, &entry), FRAME_TREE_PRUNE);
    assert_int_equal(entry.tree, TREE);
    assert_int_equal(r->counters.tree_prunes, 1);
    assert_false(tree_links_is_of_tree(&r->env, r->links[0], TREE));
    r->env.now_us += TREE_TRIAL_US;
    assert_true(tree_links_is_of_tree(&r->env, r->links[0], TREE));
    r->links[0]->role.peer_flags = 0; /* nobody keeps it */
    assert_false(tree_links_is_of_tree(&r->env, r->links[0], TREE));
}

static void the_tree_brings_a_link_in_where_both_sides_hold_the_enclave_for_large(void **state)
{
    struct trees_rig *r = *state;
    struct frame_tree entry;
    tree_links_confirm(&r->env, r->links[0], TREE);
    assert_int_equal(rig_next_frame(r, 0, &entry), 0);
    r->links[0]->role.peer_flags |= ROLE_IS_LARGE;
    tree_links_confirm(&r->env, r->links[0], TREE);
    assert_int_equal(rig_next_frame(r, 0, &entry), FRAME_TREE_GRAFT);
    assert_true(entry.id == TREE_NO_ID);
    tree_links_confirm(&r->env, r->links[0], TREE); /* it is eager already */
    assert_int_equal(rig_next_frame(r, 0, &entry), 0);
}

/* Of a second copy on link 0, after a first on link 1: which is pruned, -1 for neither. */
static void a_second_copy_prunes_the_link_that_the_tree_can_spare(void **state)
{
    struct trees_rig *r = *state;
    static const struct {
        bool is_detour, is_0_lazy, is_1_lazy, is_0_on_trial, is_1_on_trial, is_1_gone;
        int pruned;
    } rows[] = {
        {.is_detour = false, .pruned = 0},
        {.is_detour = false, .is_0_on_trial = true, .pruned = 0},
        {.is_detour = true, .pruned = 0}, /* of two established ones the later */
        {.is_detour = true, .is_1_on_trial = true, .pruned = 1},
        {.is_detour = true, .is_0_on_trial = true, .pruned = -1},
        {.is_detour = true, .is_0_on_trial = true, .is_1_on_trial = true, .pruned = -1},
        {.is_detour = true, .is_1_lazy = true, .pruned = -1},
        {.is_detour = true, .is_1_gone = true, .pruned = -1},
        {.is_detour = true, .is_0_lazy = true, .is_1_on_trial = true, .pruned = 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct frame_tree entry;
        const uint64_t soon_us = r->env.now_us + 1;
        const struct tree_seen seen = {
            .id = i + 1,
            .is_detour = rows[i].is_detour,
            .grafted = rows[i].is_1_gone ? 4000000 : r->links[1]->id,
        };
        (void)tree_see(r->env.tree, &seen, r->links[1]->id, r->env.now_us);
        r->links[0]->trees.lazy = rows[i].is_0_lazy ? UINT32_MAX : 0;
        r->links[1]->trees.lazy = rows[i].is_1_lazy ? UINT32_MAX : 0;
        r->links[0]->trees.trial_until_us[TREE] = rows[i].is_0_on_trial ? soon_us : 0;
        r->links[1]->trees.trial_until_us[TREE] = rows[i].is_1_on_trial ? soon_us : 0;
        tree_links_came_twice(&r->env, r->links[0], TREE, i + 1);
        for (int at = 0; at < 2; at++) {
            assert_int_equal(rig_next_frame(r, at, &entry),
                             rows[i].pruned == at ? FRAME_TREE_PRUNE : 0);
        }
    }
}

static void a_link_that_is_left_is_pruned_where_it_was_eager_and_its_rings_take_its_place(
    void **state)
{
    struct trees_rig *r = *state;
    struct frame_tree entry;
    rig_make_eager(r, 0, TREE);
    r->links[1]->role.rings = UINT32_MAX; /* of the rings, but its trees are lazy */
    tree_links_ringed(&r->overlay, r->links[1], 0);
    tree_links_leave(&r->env, r->links[0]);
    assert_true(r->links[0]->trees.is_left);
    assert_int_equal(rig_next_frame(r, 0, &entry), FRAME_TREE_PRUNE);
    assert_int_equal(entry.tree, TREE);
    assert_int_equal(rig_next_frame(r, 0, &entry), 0);
    assert_int_equal(rig_next_frame(r, 1, &entry), FRAME_TREE_GRAFT);
    assert_int_equal(entry.tree, TREE);
    assert_int_equal(rig_next_frame(r, 1, &entry), 0);
    assert_int_equal(rig_next_frame(r, 2, &entry), 0);
}

static void a_peer_that_prunes_a_link_that_nobody_keeps_is_replaced_in_its_tree(void **state)
{
    struct trees_rig *r = *state;
    struct frame_tree entry;
    r->links[1]->role.rings = UINT32_MAX;
    tree_links_ringed(&r->overlay, r->links[1], 0);
    rig_make_eager(r, 0, TREE);
    tree_links_pruned(&r->env, r->links[0], TREE); /* which is kept: the tree can spare it */
    assert_true(tree_links_is_lazy(r->links[0], TREE));
    assert_int_equal(rig_next_frame(r, 1, &entry), 0);
    rig_make_eager(r, 0, TREE);
    r->links[0]->role.peer_flags = 0;
    tree_links_pruned(&r->env, r->links[0], TREE);
    assert_int_equal(rig_next_frame(r, 1, &entry), FRAME_TREE_GRAFT);
}

static void a_write_that_shapes_the_tree_takes_its_rings_too(void **state)
{
    struct trees_rig *r = *state;
    const uint64_t shaping = TREE_SHAPING_EVERY;
    assert_true(tree_is_shaping(shaping));
    assert_false(tree_links_takes(&r->env, r->links[0], TREE, shaping));
    r->links[0]->role.peer_rings = UINT32_MAX; /* the peer says so */
    assert_true(tree_links_takes(&r->env, r->links[0], TREE, shaping));
    assert_false(tree_links_takes(&r->env, r->links[0], TREE, shaping + 1));
    tree_links_grafted(r->links[0], TREE);
    assert_true(tree_links_takes(&r->env, r->links[0], TREE, shaping + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_link_is_lazy_in_all_trees_until_it_is_grafted),
        cmocka_unit_test(data_go_along_an_open_link_of_a_mate_whose_clock_is_ours),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_write_is_asked_for_by_a_graft_after_which_the_link_is_eager),
        TEST(only_a_link_that_was_lazy_is_on_trial_and_for_a_second),
        TEST(what_comes_just_after_a_prune_does_not_make_the_link_eager_again),
        TEST(the_tree_brings_a_link_in_where_both_sides_hold_the_enclave_for_large),
        TEST(a_second_copy_prunes_the_link_that_the_tree_can_spare),
        TEST(a_link_that_is_left_is_pruned_where_it_was_eager_and_its_rings_take_its_place),
        TEST(a_peer_that_prunes_a_link_that_nobody_keeps_is_replaced_in_its_tree),
        TEST(a_write_that_shapes_the_tree_takes_its_rings_too),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
