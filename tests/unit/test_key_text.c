#include "net/crypto/key_text.h"

#include "core/base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Made by another implementation: Python's hashlib and base64. */
static const char ZEROES[] = "rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQa0F";
static const char RISING[] = "rk1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8wUrl";
static const char ONES[] = "rk1___________________________________________8Kw46";
static const char HUNDRED[] = "rk1_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1-f4CBgoMNNeX";
static const char DASHES[] = "rk1_yMnKy8zNzs_Q0dLT1NXW19jZ2tvc3d7f4OHi4-Tl5ucrl32";

static char fault[KEY_TEXT_FAULT_SIZE];
static struct keyring_items items;

static enum rc parse(const char *text)
{
    memset(&items, 0xee, sizeof(items));
    fault[0] = '\0';
    return key_text_parse(text, strlen(text), &items, fault);
}

/* What is refused changes nothing. */
static void assert_refused(const char *text, enum rc rc, const char *expected)
{
    struct keyring_items before;
    memset(&before, 0xee, sizeof(before));
    assert_int_equal(parse(text), rc);
    assert_memory_equal(&items, &before, sizeof(items));
    assert_string_equal(fault, expected);
}

static void golden_vectors_are_made_and_read(void **state)
{
    (void)state;
    uint8_t keys[5][KEY_TEXT_KEY_BYTES];
    const char *const texts[] = {ZEROES, RISING, ONES, HUNDRED, DASHES};
    for (size_t i = 0; i < KEY_TEXT_KEY_BYTES; i++) {
        keys[0][i] = 0;
        keys[1][i] = (uint8_t)i;
        keys[2][i] = 0xff;
        keys[3][i] = (uint8_t)(100 + i);
        keys[4][i] = (uint8_t)(200 + i);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char text[KEY_TEXT_SIZE];
        assert_int_equal(key_text_make(keys[i], text), RC_OK);
        assert_string_equal(text, texts[i]);
        assert_int_equal(parse(text), RC_OK);
        assert_int_equal(items.count, 1);
        assert_false(items.items[0].is_open);
        assert_memory_equal(items.items[0].key, keys[i], sizeof(keys[i]));
    }
}

static void a_list_keeps_its_order_and_open_is_an_item(void **state)
{
    (void)state;
    char text[4 * KEY_TEXT_SIZE];
    (void)snprintf(text, sizeof(text), "%s,open,%s,%s", RISING, ZEROES, ONES);
    assert_int_equal(parse(text), RC_OK);
    assert_int_equal(items.count, 4);
    static const uint8_t none[KEY_TEXT_KEY_BYTES];
    assert_int_equal(items.items[0].key[31], 31);
    assert_true(items.items[1].is_open);
    assert_memory_equal(items.items[1].key, none, sizeof(none));
    /* A key of zeroes is a key all the same, and not the word. */
    assert_false(items.items[2].is_open);
    assert_int_equal(items.items[3].key[0], 0xff);
    assert_int_equal(parse("open"), RC_OK);
    assert_int_equal(items.count, 1);
    assert_true(items.items[0].is_open);
}

static void four_items_are_taken_and_five_refused(void **state)
{
    (void)state;
    char text[6 * KEY_TEXT_SIZE];
    (void)snprintf(text, sizeof(text), "%s,%s,%s", ZEROES, RISING, ONES);
    assert_int_equal(parse(text), RC_OK);
    assert_int_equal(items.count, 3);
    (void)snprintf(text, sizeof(text), "%s,%s,%s,%s", ZEROES, RISING, ONES, HUNDRED);
    assert_int_equal(parse(text), RC_OK);
    assert_int_equal(items.count, KEYRING_KEYS_MAX);
    (void)snprintf(text, sizeof(text), "%s,%s,%s,%s,%s", ZEROES, RISING, ONES, HUNDRED, DASHES);
    assert_refused(text, RC_FULL, "there are more than 4 items");
}

static void each_typo_is_named_with_its_item_and_without_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } typos[] = {
        {"", "item 1 is empty"},
        {",open", "item 1 is empty"},
        {"open,", "item 2 is empty"},
        {"correct-horse-battery-staple",
         "item 1 is neither a key, which begins with rk1_, nor the word open; a phrase of one's "
         "own could be guessed"},
        {"Open", "item 1 is neither a key, which begins with rk1_, nor the word open; a phrase of "
                 "one's own could be guessed"},
        {"RK1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQa0F",
         "item 1 is neither a key, which begins with rk1_, nor the word open; a phrase of one's "
         "own could be guessed"},
        {"rk1", "item 1 is neither a key, which begins with rk1_, nor the word open; a phrase of "
                "one's own could be guessed"},
        {"rt1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
         "item 1 begins with rt1_, which is a client's token"},
        {"open, open", "item 2 has a blank or a line end in it"},
        {"open\n", "item 1 has a blank or a line end in it"},
        {"open,open", "item 2 is the same as item 1"},
        {"rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQa0",
         "item 1 is 50 characters long, a key is 51"},
        {"rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQa0FF",
         "item 1 is 52 characters long, a key is 51"},
        {"rk1_", "item 1 is 4 characters long, a key is 51"},
        {"rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+a0F",
         "item 1 has a character that no key has"},
        {"open,rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQa0G",
         "item 2 is mistyped: its last 4 characters, the check, do not fit the rest"},
    };
    for (size_t i = 0; i < sizeof(typos) / sizeof(typos[0]); i++) {
        assert_refused(typos[i].text, RC_MALFORMED, typos[i].expected);
    }
}

static void any_one_wrong_character_is_noticed(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEY_TEXT_LEN; i++) {
        char text[KEY_TEXT_SIZE];
        memcpy(text, RISING, sizeof(text));
        text[i] = text[i] == 'x' ? 'y' : 'x';
        assert_int_equal(parse(text), RC_MALFORMED);
    }
}

static void a_key_twice_is_named_with_both_items(void **state)
{
    (void)state;
    char text[4 * KEY_TEXT_SIZE];
    (void)snprintf(text, sizeof(text), "%s,open,%s", RISING, RISING);
    assert_refused(text, RC_MALFORMED, "item 3 is the same as item 1");
}

/* 43 characters carry 258 bits: with one of the two that are over it would be the same key by
 * another text, even with a check that fits. */
static void a_second_text_of_one_key_is_refused(void **state)
{
    (void)state;
    assert_refused("rk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABATMr", RC_MALFORMED,
                   "item 1 is mistyped: its last 4 characters, the check, do not fit the rest");
}

static void a_zero_byte_does_not_end_the_list(void **state)
{
    (void)state;
    static const char text[] = "open\0,open";
    assert_int_equal(key_text_parse(text, sizeof(text) - 1, &items, fault), RC_MALFORMED);
    assert_string_equal(fault, "item 1 has a blank or a line end in it");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_vectors_are_made_and_read),
        cmocka_unit_test(a_list_keeps_its_order_and_open_is_an_item),
        cmocka_unit_test(four_items_are_taken_and_five_refused),
        cmocka_unit_test(each_typo_is_named_with_its_item_and_without_its_text),
        cmocka_unit_test(any_one_wrong_character_is_noticed),
        cmocka_unit_test(a_key_twice_is_named_with_both_items),
        cmocka_unit_test(a_second_text_of_one_key_is_refused),
        cmocka_unit_test(a_zero_byte_does_not_end_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
