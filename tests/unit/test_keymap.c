#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/rng.h"
#include "core/store/keymap.h"

#include <string.h>

enum { COUNT = 20000 };

/* What is in these slots. */
struct slot {
    struct keymap_link link;
    uint32_t hash;
};

static uint32_t hash_of(const void *arg, const void *slot)
{
    (void)arg;
    uint32_t hash = 0;
    memcpy(&hash, (const char *)slot + offsetof(struct slot, hash), sizeof(hash));
    return hash;
}

/* A new slot with this hash, in the map. */
static uint32_t insert(struct keymap *map, struct slab *slab, uint32_t hash)
{
    const uint32_t handle = slab_alloc(slab, 24);
    memcpy((char *)slab_at(slab, handle) + offsetof(struct slot, hash), &hash, sizeof(hash));
    keymap_insert(map, hash, handle);
    return handle;
}

static bool is_in(const struct keymap *map, uint32_t hash, uint32_t handle)
{
    uint32_t h = keymap_first(map, hash);
    while (h != 0 && h != handle) {
        h = keymap_next(map, h);
    }
    return h == handle;
}

static void what_was_inserted_is_found_until_it_is_removed(void **state)
{
    (void)state;
    struct slab slab;
    struct keymap map;
    struct rng rng;
    static uint32_t handles[COUNT];
    static uint32_t hashes[COUNT];
    slab_init(&slab, NULL);
    keymap_init(&map, &slab, 3, hash_of, NULL);
    rng_init(&rng, 1);
    assert_int_equal(keymap_first(&map, 5), 0);
    for (int i = 0; i < COUNT; i++) {
        const uint32_t any = (uint32_t)rng_next(&rng);
        hashes[i] = any >> rng_below(&rng, 2) * 20;
        handles[i] = insert(&map, &slab, hashes[i]);
        assert_true(map.count <= 3 * (uint64_t)map.bucket_count);
    }
    keymap_check(&map, NULL, NULL);
    for (int i = 0; i < COUNT; i++) {
        assert_true(is_in(&map, hashes[i], handles[i]));
    }
    for (int i = 0; i < COUNT; i += 2) {
        keymap_remove(&map, hashes[i], handles[i]);
        assert_false(is_in(&map, hashes[i], handles[i]));
    }
    keymap_check(&map, NULL, NULL);
    for (int i = 1; i < COUNT; i += 2) {
        assert_true(is_in(&map, hashes[i], handles[i]));
    }
    keymap_fini(&map);
    slab_fini(&slab);
}

static void the_table_shrinks_with_its_content(void **state)
{
    (void)state;
    struct slab slab;
    struct keymap map;
    static uint32_t handles[COUNT];
    slab_init(&slab, NULL);
    keymap_init(&map, &slab, 1, hash_of, NULL);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < COUNT; i++) {
            handles[i] = insert(&map, &slab, i * 2654435761U);
        }
        assert_int_equal(map.bucket_count, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            keymap_remove(&map, i * 2654435761U, handles[i]);
            slab_free(&slab, handles[i]);
            assert_true(map.bucket_count <= 2 * map.count + COUNT / 4 || map.count > COUNT / 2 ||
                        map.bucket_count <= COUNT);
        }
        assert_int_equal(map.count, 0);
        assert_int_equal(map.bucket_count, 16);
        keymap_check(&map, NULL, NULL);
    }
    keymap_fini(&map);
    slab_fini(&slab);
}

/* A bucket's 4 bytes are shared by as many slots as the map was made for. */
static void the_load_is_what_the_map_was_made_for(void **state)
{
    (void)state;
    for (uint32_t load = 1; load <= KEYMAP_LOAD_MAX; load++) {
        struct slab slab;
        struct keymap map;
        slab_init(&slab, NULL);
        keymap_init(&map, &slab, load, hash_of, NULL);
        assert_int_equal(keymap_memory(&map), 0);
        for (uint32_t i = 0; i < COUNT; i++) {
            (void)insert(&map, &slab, i * 2654435761U);
        }
        assert_int_equal(map.bucket_count, (COUNT + load - 1) / load);
        assert_true(keymap_memory(&map) >= 4 * (uint64_t)map.bucket_count);
        assert_true(keymap_memory(&map) <= 4 * ((uint64_t)map.bucket_count + 4096) + 64);
        keymap_check(&map, NULL, NULL);
        keymap_fini(&map);
        slab_fini(&slab);
    }
}

static void equal_hashes_are_all_found(void **state)
{
    (void)state;
    struct slab slab;
    struct keymap map;
    slab_init(&slab, NULL);
    keymap_init(&map, &slab, 1, hash_of, NULL);
    for (int i = 0; i < 100; i++) {
        (void)insert(&map, &slab, 77);
        (void)insert(&map, &slab, 77 + (1U << 20));
    }
    int count = 0;
    for (uint32_t h = keymap_first(&map, 77); h != 0; h = keymap_next(&map, h)) {
        count += hash_of(NULL, slab_at(&slab, h)) == 77;
    }
    assert_int_equal(count, 100);
    assert_int_equal(keymap_first(&map, 78), 0);
    keymap_check(&map, NULL, NULL);
    keymap_fini(&map);
    slab_fini(&slab);
}

static void a_bucket_is_crowded_when_its_chain_is_as_long_as_chance_never_makes_it(void **state)
{
    (void)state;
    struct slab slab;
    struct keymap map;
    struct rng rng;
    slab_init(&slab, NULL);
    keymap_init(&map, &slab, 1, hash_of, NULL);
    rng_init(&rng, 1);
    assert_false(keymap_is_crowded(&map, 77));
    for (int i = 0; i < KEYMAP_CHAIN_MAX; i++) {
        assert_false(keymap_is_crowded(&map, 77));
        (void)insert(&map, &slab, 77);
    }
    assert_true(keymap_is_crowded(&map, 77));
    assert_false(keymap_is_crowded(&map, 78));
    for (int i = 0; i < COUNT; i++) {
        const uint32_t hash = (uint32_t)rng_next(&rng);
        assert_true(hash % 16 == 77 % 16 || !keymap_is_crowded(&map, hash));
        (void)insert(&map, &slab, hash);
    }
    keymap_fini(&map);
    slab_fini(&slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_inserted_is_found_until_it_is_removed),
        cmocka_unit_test(the_table_shrinks_with_its_content),
        cmocka_unit_test(the_load_is_what_the_map_was_made_for),
        cmocka_unit_test(equal_hashes_are_all_found),
        cmocka_unit_test(a_bucket_is_crowded_when_its_chain_is_as_long_as_chance_never_makes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
