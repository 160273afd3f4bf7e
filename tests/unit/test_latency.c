#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/api/latency.h"

#include <stdio.h>
#include <stdlib.h>

static void what_took_as_long_as_a_bound_counts_up_to_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
        struct latency_histogram h = {.sum_us = 0};
        latency_add(&h, LATENCY_BOUND[i].us - 1);
        latency_add(&h, LATENCY_BOUND[i].us);
        latency_add(&h, LATENCY_BOUND[i].us + 1);
        assert_int_equal(h.counts[i], 2);
        assert_int_equal(h.counts[i + 1], 1);
        assert_int_equal(latency_count(&h), 3);
        assert_int_equal(h.sum_us, 3 * LATENCY_BOUND[i].us);
    }
}

static void no_time_is_too_short_or_too_long(void **state)
{
    (void)state;
    struct latency_histogram h = {.sum_us = 0};
    latency_add(&h, 0);
    latency_add(&h, UINT64_MAX / 2);
    assert_int_equal(h.counts[0], 1);
    assert_int_equal(h.counts[LATENCY_BOUNDS], 1);
    assert_int_equal(latency_count(&h), 2);
}

static void bounds_rise_from_100_us_to_10_s_and_are_what_their_texts_say(void **state)
{
    (void)state;
    assert_int_equal(LATENCY_BOUND[0].us, 100);
    assert_int_equal(LATENCY_BOUND[LATENCY_BOUNDS - 1].us, 10000000);
    for (size_t i = 0; i < LATENCY_BOUNDS; i++) {
        char *end = NULL;
        const double seconds = strtod(LATENCY_BOUND[i].text, &end);
        assert_int_equal(*end, '\0');
        assert_int_equal((uint64_t)(seconds * 1e6 + 0.5), LATENCY_BOUND[i].us);
        assert_true(i == 0 || LATENCY_BOUND[i].us > LATENCY_BOUND[i - 1].us);
    }
}

static void each_route_and_method_has_a_histogram_of_its_own(void **state)
{
    (void)state;
    static struct latency l;
    l.route_count = LATENCY_ROUTES_MAX;
    for (size_t route = 0; route < l.route_count; route++) {
        for (unsigned method = HTTP_GET_; method <= HTTP_POST_; method++) {
            latency_add(latency_of(&l, route, (enum http_method)method), 1);
        }
    }
    for (size_t route = 0; route < l.route_count; route++) {
        for (unsigned method = HTTP_GET_; method <= HTTP_POST_; method++) {
            assert_int_equal(latency_count(latency_of(&l, route, (enum http_method)method)), 1);
        }
    }
    assert_int_equal(latency_count(&l.other) + latency_count(&l.quorum), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_took_as_long_as_a_bound_counts_up_to_it),
        cmocka_unit_test(no_time_is_too_short_or_too_long),
        cmocka_unit_test(bounds_rise_from_100_us_to_10_s_and_are_what_their_texts_say),
        cmocka_unit_test(each_route_and_method_has_a_histogram_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
