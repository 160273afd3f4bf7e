#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/keytree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 6000 };

struct fixture {
    struct entries entries;
    struct keytree tree;
    uint32_t handles[COUNT];
    bool is_in[COUNT];
};

static struct fixture f;

static void key_text(uint32_t i, char text[static 12])
{
    (void)snprintf(text, 12, "%06u", i);
}

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof(f));
    entry_init(&f.entries, NULL, 1);
    keytree_init(&f.tree, &f.entries);
    for (uint32_t i = 0; i < COUNT; i++) {
        char key[12];
        key_text(i, key);
        const struct record r = {
            .key = (const uint8_t *)key,
            .key_len = 6,
            .version = {1, {{1}}},
            .expiry_ms = 1000,
        };
        const uint32_t origin = origin_hold(&f.entries.origins, &r.version.origin);
        f.handles[i] = entry_new(&f.entries, &r, origin);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keytree_fini(&f.tree);
    for (uint32_t i = 0; i < COUNT; i++) {
        entry_free(&f.entries, f.handles[i]);
    }
    entry_fini(&f.entries);
    return 0;
}

static void toggle(uint32_t i)
{
    if (f.is_in[i]) {
        keytree_remove(&f.tree, f.handles[i]);
    } else {
        keytree_insert(&f.tree, f.handles[i]);
    }
    f.is_in[i] = !f.is_in[i];
}

static void assert_seek(uint32_t from, bool is_strict)
{
    char key[12];
    key_text(from, key);
    uint32_t expected = from + (is_strict ? 1 : 0);
    while (expected < COUNT && !f.is_in[expected]) {
        expected++;
    }
    struct keytree_cursor cursor;
    uint32_t handle = keytree_seek(&f.tree, (const uint8_t *)key, 6, is_strict, &cursor);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(handle, expected < COUNT ? f.handles[expected] : 0);
        if (handle == 0) {
            return;
        }
        do {
            expected++;
        } while (expected < COUNT && !f.is_in[expected]);
        handle = keytree_next(&f.tree, &cursor);
    }
}

static void random_changes_keep_the_order(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    for (int step = 0; step < 60000; step++) {
        toggle((uint32_t)rng_below(&rng, COUNT));
        if (step % 50 == 0) {
            const uint32_t at = (uint32_t)rng_below(&rng, COUNT);
            assert_seek(at, rng_below(&rng, 2) == 0);
        }
        if (step % 5000 == 0) {
            keytree_check(&f.tree);
        }
    }
    keytree_check(&f.tree);
}

static void ascending_keys_fill_the_leaves(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < COUNT; i++) {
        toggle(i);
    }
    keytree_check(&f.tree);
    assert_true(f.tree.memory < UINT64_C(5) * COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        toggle(i);
        if (i % 64 > 61) {
            keytree_check(&f.tree); /* a leaf ran empty just now */
        }
    }
    keytree_check(&f.tree);
    assert_int_equal(f.tree.memory, 0);
}

static void descending_keys_come_and_go_too(void **state)
{
    (void)state;
    for (uint32_t i = COUNT; i-- > 0;) {
        toggle(i);
        if (i % 997 == 0) {
            keytree_check(&f.tree);
        }
    }
    assert_true(f.tree.memory < UINT64_C(10) * COUNT);
    for (uint32_t i = COUNT; i-- > 0;) {
        toggle(i);
    }
    assert_int_equal(f.tree.memory, 0);
}

static void memory_follows_the_content_when_most_of_it_goes(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2);
    for (uint32_t i = 0; i < COUNT; i++) {
        toggle(i * 7919 % COUNT);
    }
    assert_true(f.tree.memory < UINT64_C(8) * COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        if (i % 20 != 0) {
            toggle(i);
        }
    }
    keytree_check(&f.tree);
    assert_true(f.tree.memory < UINT64_C(24) * COUNT / 20);
}

static void an_empty_tree_finds_nothing(void **state)
{
    (void)state;
    struct keytree_cursor cursor;
    assert_int_equal(keytree_seek(&f.tree, NULL, 0, false, &cursor), 0);
    toggle(5);
    assert_int_equal(keytree_seek(&f.tree, NULL, 0, false, &cursor), f.handles[5]);
    assert_int_equal(keytree_next(&f.tree, &cursor), 0);
    assert_int_equal(keytree_seek(&f.tree, (const uint8_t *)"1", 1, false, &cursor), 0);
    toggle(5);
    keytree_check(&f.tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_changes_keep_the_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ascending_keys_fill_the_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descending_keys_come_and_go_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(memory_follows_the_content_when_most_of_it_goes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_empty_tree_finds_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
