#include "cmd/base/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *meant(const char *word)
{
    static const char *const allowed[] = {"get", "put", "keys", "watch", "status", "--base-port"};
    static char text[NEAREST_TEXT_SIZE];
    struct nearest n = nearest_begin(word, strlen(word));
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        nearest_offer(&n, allowed[i], strlen(allowed[i]));
    }
    return nearest_text(&n, "", text);
}

static void a_slip_is_understood(void **state)
{
    (void)state;
    assert_string_equal(meant("statsu"), "; did you mean status?"); /* changed places */
    assert_string_equal(meant("wach"), "; did you mean watch?");    /* left out */
    assert_string_equal(meant("keyys"), "; did you mean keys?");    /* too many */
    assert_string_equal(meant("wstch"), "; did you mean watch?");   /* another one */
    assert_string_equal(meant("STATUS"), "; did you mean status?"); /* case */
    assert_string_equal(meant("stats"), "; did you mean status?");
    assert_string_equal(meant("--baseprot"), "; did you mean --base-port?"); /* two slips */
}

static void what_is_not_near_is_not_guessed_at(void **state)
{
    (void)state;
    assert_string_equal(meant(""), "");
    assert_string_equal(meant("xyz"), "");
    assert_string_equal(meant("stxxxs"), ""); /* three slips */
    assert_string_equal(meant("gxx"), "");    /* two of three letters */
    assert_string_equal(meant("get"), "; did you mean get?");
}

static void the_nearest_wins_and_of_two_the_first(void **state)
{
    (void)state;
    char text[NEAREST_TEXT_SIZE];
    struct nearest n = nearest_begin("nodes", 5);
    nearest_offer(&n, "nodxx", 5);
    nearest_offer(&n, "noder", 5);
    nearest_offer(&n, "noded", 5);
    assert_string_equal(nearest_text(&n, "--", text), "; did you mean --noder?");
}

static void words_beyond_the_limit_are_near_to_nothing(void **state)
{
    (void)state;
    char word[NEAREST_WORD_MAX + 2];
    char text[NEAREST_TEXT_SIZE];
    memset(word, 'w', sizeof(word));
    for (size_t len = NEAREST_WORD_MAX - 1; len <= NEAREST_WORD_MAX + 1; len++) {
        struct nearest n = nearest_begin(word, len);
        nearest_offer(&n, word, NEAREST_WORD_MAX + 1);
        assert_string_equal(n.best, "");
        nearest_offer(&n, word, NEAREST_WORD_MAX);
        assert_int_equal(n.best[0] != '\0', len <= NEAREST_WORD_MAX);
        if (n.best[0] != '\0') {
            assert_int_equal(strlen(nearest_text(&n, "--", text)),
                             strlen("; did you mean --?") + NEAREST_WORD_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slip_is_understood),
        cmocka_unit_test(what_is_not_near_is_not_guessed_at),
        cmocka_unit_test(the_nearest_wins_and_of_two_the_first),
        cmocka_unit_test(words_beyond_the_limit_are_near_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
