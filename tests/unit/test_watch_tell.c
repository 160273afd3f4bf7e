/* What is told (net/watch/watch_tell) is made once for all who are to hear the same. */
#include "watch_rig.h"

enum { LISTENERS = 200 };

/* Reads all; returns how often an event was formatted for that. */
static uint64_t read_all(struct rig *rig, struct stream *s, size_t count, const char *expected)
{
    const uint64_t before = watch_stats(rig->watch).written_total;
    for (size_t i = 0; i < count; i++) {
        const char *text = read_more(&s[i]);
        if (expected != NULL) {
            assert_string_equal(text, expected);
        }
    }
    return watch_stats(rig->watch).written_total - before;
}

static void an_event_is_formatted_once_for_all_who_watch_the_same(void **state)
{
    struct rig *rig = *state;
    static struct stream s[LISTENERS], other, values;
    const struct watch_request request = {.has_snapshot = true, .has_values = true};
    rig_watch(rig, &rig->engine, LISTENERS + 2, on_wake);
    for (size_t i = 0; i < LISTENERS; i++) {
        open_stream(rig, &s[i], "a", "");
        (void)read_more(&s[i]);
    }
    open_stream(rig, &other, "", "");
    (void)read_more(&other);
    assert_int_equal(open_with(rig, &values, request, "a", ""), RC_OK);
    (void)read_more(&values);
    put(rig, "a", "hello");
    put(rig, "b", "hello");
    expire(rig, "a");
    const char *text = read_more(&s[0]);
    char *expected = strdup(text);
    assert_int_equal(count_of(text, "event: "), 2);
    assert_int_equal(read_all(rig, s + 1, LISTENERS - 1, expected), 0);
    free(expected);
    /* Other keys, or values: other words. */
    assert_int_equal(count_of(read_more(&values), "\"value\":\"aGVsbG8=\""), 1);
    assert_int_equal(count_of(read_more(&other), "event: "), 3);
    /* Those who come later hear the time that is left then. */
    put(rig, "a", "hello");
    assert_non_null(strstr(read_more(&s[0]), "\"ttl_ms\":600000,"));
    rig->now_us += 1000;
    assert_non_null(strstr(read_more(&s[1]), "\"ttl_ms\":599999,"));
    assert_int_equal(read_all(rig, s + 2, LISTENERS - 2, NULL), 0);
    for (size_t i = 0; i < LISTENERS; i++) {
        close_stream(&s[i]);
    }
    close_stream(&other);
    close_stream(&values);
}

/* Who did not hear the same before hears something else. */
static void what_others_hear_is_not_told_to_one_who_is_elsewhere(void **state)
{
    struct rig *rig = *state;
    struct stream first, behind, again;
    open_stream(rig, &first, "a", "");
    open_stream(rig, &behind, "a", "");
    (void)read_more(&first);
    (void)read_more(&behind);
    put(rig, "a1", "x");
    (void)read_more(&first);
    put(rig, "a2", "x");
    assert_int_equal(count_of(read_more(&first), "event: put"), 1);
    assert_int_equal(count_of(read_more(&behind), "event: put"), 2);
    /* The end of what was over before it came is not for the second. */
    const struct put brief = {.key = (const uint8_t *)"a3", .key_len = 2, .ttl_ms = 1000};
    assert_int_equal(engine_put(&rig->engine, &brief, rig->now_us), RC_OK);
    rig->now_us += S;
    (void)read_more(&first);
    open_stream(rig, &again, "a", "");
    (void)read_more(&again);
    expire(rig, "a3");
    assert_int_equal(count_of(read_more(&first), "event: expire"), 1);
    assert_string_equal(read_more(&again), "");
    close_stream(&first);
    close_stream(&behind);
    /* And a prefix that nobody watches any more has no words left. */
    close_stream(&again);
    open_stream(rig, &again, "b", ID_OF_A "1");
    (void)read_more(&again);
    put(rig, "b", "x");
    assert_int_equal(count_of(read_more(&again), "{\"key\":\"b\""), 1);
    close_stream(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_is_formatted_once_for_all_who_watch_the_same,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_hear_is_not_told_to_one_who_is_elsewhere, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
