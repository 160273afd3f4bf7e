#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/access/tokens.h"

#include <string.h>

static void make_hash(uint32_t n, uint8_t ret_hash[DIGEST_SIZE])
{
    memset(ret_hash, 0, DIGEST_SIZE);
    memcpy(ret_hash, &n, sizeof(n));
}

static void a_hash_is_found_once_it_was_added_and_only_that_one(void **state)
{
    struct tokens *t = tokens_new();
    uint8_t hash[DIGEST_SIZE];
    uint32_t user = 99;
    (void)state;
    make_hash(7, hash);
    assert_int_equal(tokens_find(t, hash, &user), RC_NOT_FOUND);
    assert_int_equal(tokens_add(t, hash, 3), RC_OK);
    assert_int_equal(tokens_add(t, hash, 4), RC_EXISTS);
    assert_int_equal(tokens_find(t, hash, &user), RC_OK);
    assert_int_equal(user, 3);
    /* One that would lie in the same place. */
    hash[DIGEST_SIZE - 1] = 1;
    assert_int_equal(tokens_find(t, hash, &user), RC_NOT_FOUND);
    assert_int_equal(tokens_add(t, hash, 5), RC_OK);
    assert_int_equal(tokens_find(t, hash, &user), RC_OK);
    assert_int_equal(user, 5);
    tokens_free(t);
    tokens_free(NULL);
}

static void there_is_room_for_two_of_each_user_and_no_more(void **state)
{
    struct tokens *t = tokens_new();
    uint8_t hash[DIGEST_SIZE];
    uint32_t user = 0;
    (void)state;
    for (uint32_t n = 0; n < TOKENS_MAX; n++) {
        make_hash(n * 4096, hash); /* all in one place */
        assert_int_equal(tokens_add(t, hash, n), RC_OK);
    }
    make_hash(TOKENS_MAX * 4096, hash);
    assert_int_equal(tokens_add(t, hash, 0), RC_FULL);
    assert_int_equal(tokens_find(t, hash, &user), RC_NOT_FOUND);
    make_hash((TOKENS_MAX - 1) * 4096, hash);
    assert_int_equal(tokens_find(t, hash, &user), RC_OK);
    assert_int_equal(user, TOKENS_MAX - 1);
    tokens_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_found_once_it_was_added_and_only_that_one),
        cmocka_unit_test(there_is_room_for_two_of_each_user_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
