/* Every setting with bounds, from the table of settings: one below the least, the least, the most
 * and one above. */
#include "cmd/settings/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { WORD_SIZE = 8192 };

/* Loads one setting from the environment; whether it was taken. */
static bool is_taken(enum setting_id id, const char *text, uint64_t *ret_number)
{
    static char word[WORD_SIZE];
    char *environment[] = {word, NULL};
    const struct settings_sources sources = {.environment = environment};
    struct settings s;
    memset(&s, 0, sizeof(s));
    (void)snprintf(word, sizeof(word), "%s=%s", settings_def(id)->name, text);
    settings_load(&s, &sources);
    const bool is_right = s.errors.count == 0;
    assert_true(s.errors.count <= 1);
    assert_true(!is_right || strcmp(settings_text(&s, id), text) == 0);
    *ret_number = settings_number(&s, id);
    settings_fini(&s);
    return is_right;
}

/* The unit in which the number of such a setting is; NULL: it is no number. */
static const char *unit_of(enum setting_type type)
{
    switch ((int)type) {
    case TYPE_PORT:
    case TYPE_COUNT:
    case TYPE_SIZE:
        return "";
    case TYPE_SECONDS:
        return "s";
    case TYPE_TIMEOUT:
        return "ms";
    default:
        return NULL;
    }
}

static void assert_number(enum setting_id id, uint64_t number, bool is_allowed)
{
    char text[64];
    uint64_t loaded = 0;
    const struct settings_def *def = settings_def(id);
    (void)snprintf(text, sizeof(text), "%llu%s", (unsigned long long)number, unit_of(def->type));
    if (is_taken(id, text, &loaded) != is_allowed || (is_allowed && loaded != number)) {
        fail_msg("%s=%s is %s", def->name, text, is_allowed ? "refused" : "taken");
    }
}

static void each_number_is_taken_from_its_least_to_its_most(void **state)
{
    (void)state;
    uint32_t count = 0;
    uint64_t loaded = 0;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct settings_def *def = settings_def(id);
        if (unit_of(def->type) == NULL) {
            continue;
        }
        assert_true(def->max > def->min);
        assert_number(id, def->min, true);
        assert_number(id, def->min + 1, true);
        assert_number(id, def->max - 1, true);
        assert_number(id, def->max, true);
        assert_number(id, def->max + 1, false);
        if (def->min > 0) {
            assert_number(id, def->min - 1, false);
        }
        assert_false(is_taken(id, "-1", &loaded));
        count++;
    }
    assert_true(count >= 15);
}

/* `count` times the part, with commas between. */
static void write_list(char *ret_text, const char *part, uint64_t count)
{
    size_t len = 0;
    for (uint64_t i = 0; i < count; i++) {
        len += (size_t)snprintf(ret_text + len, WORD_SIZE - len, "%s%s", i > 0 ? "," : "", part);
    }
    assert_true(len < WORD_SIZE - SETTING_NAME_SIZE);
}

static void each_list_has_as_many_as_it_may(void **state)
{
    (void)state;
    char text[WORD_SIZE];
    uint64_t loaded = 0;
    uint32_t count = 0;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const struct settings_def *def = settings_def(id);
        if (def->type != TYPE_PEERS && def->type != TYPE_TRUST) {
            continue;
        }
        for (uint64_t n = def->max - 1; n <= def->max + 1; n++) {
            write_list(text, def->type == TYPE_PEERS ? "host:8081" : "10.0.0.0/8", n);
            assert_int_equal(is_taken(id, text, &loaded), n <= def->max);
        }
        count++;
    }
    assert_int_equal(count, 2);
}

static void each_name_has_as_many_characters_as_it_may(void **state)
{
    (void)state;
    char text[NAME_SIZE + 1];
    uint64_t loaded = 0;
    uint32_t count = 0;
    for (enum setting_id id = 0; id < SETTING_COUNT; id++) {
        const enum setting_type type = settings_def(id)->type;
        for (size_t len = NAME_SIZE - 2; len <= NAME_SIZE; len++) {
            memset(text, 'n', len);
            text[len] = '\0';
            if (type == TYPE_NAME || type == TYPE_APP) {
                assert_int_equal(is_taken(id, text, &loaded), len < NAME_SIZE);
                count++;
            }
        }
    }
    assert_true(count >= 4 * 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_is_taken_from_its_least_to_its_most),
        cmocka_unit_test(each_list_has_as_many_as_it_may),
        cmocka_unit_test(each_name_has_as_many_characters_as_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
