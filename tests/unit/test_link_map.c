#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/link/link_map.h"

/* The map never looks into a link: any address will do. */
static struct peer_link *link_at(char *place)
{
    return (struct peer_link *)(void *)place;
}

static void links_are_found_by_id_until_removed(void **state)
{
    (void)state;
    char places[3];
    struct link_map *m = link_map_new();
    link_map_add(m, 1, link_at(&places[0]));
    link_map_add(m, 257, link_at(&places[1])); /* same chain */
    link_map_add(m, 513, link_at(&places[2]));
    link_map_remove(m, 257);
    assert_ptr_equal(link_map_find(m, 1), link_at(&places[0]));
    assert_null(link_map_find(m, 257));
    assert_ptr_equal(link_map_find(m, 513), link_at(&places[2]));
    link_map_remove(m, 257);
    assert_ptr_equal(link_map_find(m, 1), link_at(&places[0]));
    assert_ptr_equal(link_map_find(m, 513), link_at(&places[2]));
    link_map_free(m);
}

static void flagged_links_are_taken_once_in_order(void **state)
{
    (void)state;
    char places[4];
    struct link_map *m = link_map_new();
    for (uint32_t i = 0; i < 4; i++) {
        link_map_add(m, i + 1, link_at(&places[i]));
    }
    link_map_flag(m, 3);
    link_map_flag(m, 1);
    link_map_flag(m, 3);
    link_map_flag(m, 4);
    link_map_flag(m, 99);
    assert_ptr_equal(link_map_take_flagged(m), link_at(&places[2]));
    assert_ptr_equal(link_map_take_flagged(m), link_at(&places[0]));
    link_map_flag(m, 3);
    assert_ptr_equal(link_map_take_flagged(m), link_at(&places[3]));
    assert_ptr_equal(link_map_take_flagged(m), link_at(&places[2]));
    assert_null(link_map_take_flagged(m));
    link_map_free(m);
}

static void removed_link_is_not_taken(void **state)
{
    (void)state;
    char places[3];
    for (uint32_t gone = 1; gone <= 3; gone++) {
        struct link_map *m = link_map_new();
        for (uint32_t i = 0; i < 3; i++) {
            link_map_add(m, i + 1, link_at(&places[i]));
            link_map_flag(m, i + 1);
        }
        link_map_remove(m, gone);
        link_map_add(m, gone, link_at(&places[gone - 1]));
        link_map_flag(m, gone);
        for (uint32_t i = 1; i <= 3; i++) {
            if (i != gone) {
                assert_ptr_equal(link_map_take_flagged(m), link_at(&places[i - 1]));
            }
        }
        assert_ptr_equal(link_map_take_flagged(m), link_at(&places[gone - 1]));
        assert_null(link_map_take_flagged(m));
        link_map_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_found_by_id_until_removed),
        cmocka_unit_test(flagged_links_are_taken_once_in_order),
        cmocka_unit_test(removed_link_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
