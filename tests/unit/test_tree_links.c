#include "gossip/tree_links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_open_link_is_lazy_in_all_trees_until_it_is_grafted),
        cmocka_unit_test(data_go_along_an_open_link_of_a_mate_whose_clock_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
