#include "net/watch/prefix_tree.h"

#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/store/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct prefix_tree_entry entry(const char *text)
{
    return (struct prefix_tree_entry){.bytes = (const uint8_t *)text, .len = strlen(text)};
}

/* Walks the whole way: each prefix of the key once, the shorter first. */
static size_t count_on_way(const struct prefix_tree *t, const uint8_t *key, size_t len)
{
    struct prefix_tree_walk walk = prefix_tree_begin(t, key, len);
    const struct prefix_tree_entry *e = NULL;
    size_t count = 0;
    size_t last_len = 0;
    while ((e = prefix_tree_next(&walk)) != NULL) {
        assert_true(e->len <= len && (count == 0 || e->len > last_len));
        assert_true(e->len == 0 || memcmp(e->bytes, key, e->len) == 0);
        last_len = e->len;
        count++;
    }
    assert_null(prefix_tree_next(&walk));
    return count;
}

static void assert_way(const struct prefix_tree *t, const char *key, const char *wanted)
{
    struct prefix_tree_walk walk = prefix_tree_begin(t, (const uint8_t *)key, strlen(key));
    const struct prefix_tree_entry *e = NULL;
    char found[64] = "";
    size_t len = 0;
    while ((e = prefix_tree_next(&walk)) != NULL) {
        len += (size_t)snprintf(found + len, sizeof(found) - len, "%.*s,", (int)e->len,
                                (const char *)e->bytes);
    }
    assert_string_equal(found, wanted);
}

static void a_key_finds_its_prefixes_the_shorter_first(void **state)
{
    struct prefix_tree t = {.root = NULL};
    struct prefix_tree_entry entries[] = {entry("room/1/"), entry("r"),      entry("room/2/"),
                                          entry("room/"),   entry("room/1"), entry("x")};
    (void)state;
    assert_way(&t, "room/1/a", "");
    for (size_t i = 0; i < 6; i++) {
        prefix_tree_add(&t, &entries[i]);
        prefix_tree_check(&t);
    }
    assert_way(&t, "room/1/a", "r,room/,room/1,room/1/,");
    assert_way(&t, "room/1", "r,room/,room/1,");
    assert_way(&t, "room/3/a", "r,room/,");
    assert_way(&t, "roam/1/a", "r,");
    assert_way(&t, "b/1/a", "");
    assert_way(&t, "", "");
    assert_way(&t, "x", "x,");
    for (size_t i = 0; i < 6; i++) {
        prefix_tree_remove(&t, &entries[i]);
        prefix_tree_check(&t);
    }
    assert_null(t.root);
    assert_int_equal(t.nodes, 0);
}

/* What the tree skips is compared later: a key may be led past bytes that are not its own. */
static void a_key_that_parts_within_skipped_bytes_finds_nothing_behind(void **state)
{
    struct prefix_tree t = {.root = NULL};
    struct prefix_tree_entry entries[] = {entry("long/way/a"), entry("long/way/b"), entry("l")};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        prefix_tree_add(&t, &entries[i]);
    }
    assert_way(&t, "long/way/b", "l,long/way/b,");
    assert_way(&t, "long+way/b", "l,");
    assert_null(prefix_tree_find(&t, (const uint8_t *)"long+way/b", 10));
    for (size_t i = 0; i < 3; i++) {
        prefix_tree_remove(&t, &entries[i]);
    }
}

static void the_empty_prefix_is_that_of_every_key(void **state)
{
    struct prefix_tree t = {.root = NULL};
    struct prefix_tree_entry all = {.bytes = NULL, .len = 0};
    struct prefix_tree_entry a = entry("a");
    (void)state;
    prefix_tree_add(&t, &a);
    prefix_tree_add(&t, &all);
    prefix_tree_check(&t);
    assert_ptr_equal(prefix_tree_find(&t, NULL, 0), &all);
    assert_int_equal(count_on_way(&t, (const uint8_t *)"", 0), 1);
    assert_int_equal(count_on_way(&t, (const uint8_t *)"b", 1), 1);
    assert_int_equal(count_on_way(&t, (const uint8_t *)"ab", 2), 2);
    prefix_tree_remove(&t, &all);
    assert_null(prefix_tree_find(&t, NULL, 0));
    assert_int_equal(count_on_way(&t, (const uint8_t *)"ab", 2), 1);
    prefix_tree_remove(&t, &a);
    assert_null(t.root);
}

/* Prefixes of a few bytes, so that they have much in common, and a list to compare with. */
enum { MANY = 400, LEN_MAX = 6, LETTERS = 3 };

struct model {
    struct prefix_tree tree;
    struct prefix_tree_entry entries[MANY];
    uint8_t bytes[MANY][LEN_MAX];
    bool is_in[MANY];
};

static bool is_prefix(const struct prefix_tree_entry *e, const uint8_t *key, size_t len)
{
    return e->len <= len && memcmp(e->bytes, key, e->len) == 0;
}

static size_t draw_key(struct rng *rng, uint8_t key[LEN_MAX])
{
    const size_t len = (size_t)rng_below(rng, LEN_MAX + 1);
    for (size_t i = 0; i < LEN_MAX; i++) {
        key[i] = (uint8_t)(0x7f + rng_below(rng, LETTERS));
    }
    return len;
}

static void assert_like_model(const struct model *m, const uint8_t *key, size_t len)
{
    size_t wanted = 0;
    const struct prefix_tree_entry *same = NULL;
    for (size_t i = 0; i < MANY; i++) {
        wanted += m->is_in[i] && is_prefix(&m->entries[i], key, len);
        if (m->is_in[i] && m->entries[i].len == len && is_prefix(&m->entries[i], key, len)) {
            same = &m->entries[i];
        }
    }
    assert_int_equal(count_on_way(&m->tree, key, len), wanted);
    assert_ptr_equal(prefix_tree_find(&m->tree, key, len), same);
}

static void it_finds_what_a_list_finds_whatever_comes_and_goes(void **state)
{
    struct model *m = mem_new(1, sizeof(*m));
    struct rng rng;
    size_t in_count = 0;
    (void)state;
    rng_init(&rng, 7);
    for (int round = 0; round < 6000; round++) {
        const size_t i = (size_t)rng_below(&rng, MANY);
        struct prefix_tree_entry *e = &m->entries[i];
        if (m->is_in[i]) {
            prefix_tree_remove(&m->tree, e);
            m->is_in[i] = false;
            in_count--;
        } else {
            *e = (struct prefix_tree_entry){.bytes = m->bytes[i],
                                            .len = draw_key(&rng, m->bytes[i])};
            m->is_in[i] = prefix_tree_find(&m->tree, e->bytes, e->len) == NULL;
            if (m->is_in[i]) {
                prefix_tree_add(&m->tree, e);
                in_count++;
            }
        }
        uint8_t key[LEN_MAX];
        const size_t len = draw_key(&rng, key);
        assert_like_model(m, key, len);
        assert_true(m->tree.nodes < 2 * in_count || in_count == 0);
        if (round % 100 == 0) {
            prefix_tree_check(&m->tree);
        }
    }
    for (size_t i = 0; i < MANY; i++) {
        if (m->is_in[i]) {
            prefix_tree_remove(&m->tree, &m->entries[i]);
        }
    }
    assert_null(m->tree.root);
    assert_int_equal(m->tree.nodes, 0);
    free(m);
}

/* The deepest tree that there can be: one more node for each byte of the longest key. */
static void every_length_of_the_longest_key_may_be_watched(void **state)
{
    struct prefix_tree t = {.root = NULL};
    uint8_t key[KEY_BYTES_MAX];
    struct prefix_tree_entry *entries = mem_new(KEY_BYTES_MAX + 1, sizeof(*entries));
    (void)state;
    memset(key, 'k', sizeof(key));
    for (size_t len = 0; len <= KEY_BYTES_MAX; len++) {
        entries[len] = (struct prefix_tree_entry){.bytes = key, .len = len};
        prefix_tree_add(&t, &entries[len]);
    }
    prefix_tree_check(&t);
    assert_int_equal(t.nodes, KEY_BYTES_MAX + 1);
    assert_int_equal(count_on_way(&t, key, KEY_BYTES_MAX), KEY_BYTES_MAX + 1);
    assert_int_equal(count_on_way(&t, key, KEY_BYTES_MAX - 1), KEY_BYTES_MAX);
    for (size_t len = 0; len <= KEY_BYTES_MAX; len++) {
        prefix_tree_remove(&t, &entries[len]);
    }
    assert_null(t.root);
    free(entries);
}

static void every_byte_may_follow(void **state)
{
    struct prefix_tree t = {.root = NULL};
    static struct prefix_tree_entry entries[256];
    static uint8_t bytes[256];
    (void)state;
    for (size_t i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)(i * 77); /* odd: each byte once, in no order */
        entries[i] = (struct prefix_tree_entry){.bytes = &bytes[i], .len = 1};
        prefix_tree_add(&t, &entries[i]);
    }
    prefix_tree_check(&t);
    for (size_t i = 0; i < 256; i++) {
        assert_ptr_equal(prefix_tree_find(&t, &bytes[i], 1), &entries[i]);
        prefix_tree_remove(&t, &entries[i]);
        assert_null(prefix_tree_find(&t, &bytes[i], 1));
    }
    assert_null(t.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_finds_its_prefixes_the_shorter_first),
        cmocka_unit_test(a_key_that_parts_within_skipped_bytes_finds_nothing_behind),
        cmocka_unit_test(the_empty_prefix_is_that_of_every_key),
        cmocka_unit_test(it_finds_what_a_list_finds_whatever_comes_and_goes),
        cmocka_unit_test(every_length_of_the_longest_key_may_be_watched),
        cmocka_unit_test(every_byte_may_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
