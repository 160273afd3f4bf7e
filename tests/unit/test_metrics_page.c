/* How the page of metrics is written, in either format, and that it is documented. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics_rig.h"

static void numbers_are_whole_as_far_as_they_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *line;
    } cases[] = {{UINT64_C(9007199254740991), "\nrepram_puts_total 9007199254740991\n"},
                 {UINT64_C(9007199254740992), "\nrepram_puts_total 9.00719925474099e+15\n"},
                 {0, "\nrepram_puts_total 0\n"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct metrics m = example();
        struct page p = {.family_count = 0};
        m.status.counters.puts = cases[i].number;
        buf_init(&p.buf, PAGE_MAX);
        assert_int_equal(metrics_write(&m, METRICS_TEXT, &p.buf), RC_OK);
        assert_int_equal(buf_append(&p.buf, "", 1), RC_OK);
        assert_line(&p, cases[i].line);
        buf_fini(&p.buf);
    }
}

/* Two routes, of which one was asked in two ways, and writes. */
static const struct latency some_latency = {
    .routes = {{.path = {"/data", 5},
                .by_method = {[HTTP_GET_] = {.counts = {1, 2}, .sum_us = 650},
                              [HTTP_PUT_] = {.counts = {[LATENCY_BOUNDS] = 1},
                                             .sum_us = 20500000}}},
               {.path = {"/keys", 5}}},
    .route_count = 2,
    .other = {.counts = {4}, .sum_us = 8},
    .quorum = {.counts = {0, 0, 3}, .sum_us = 1234},
};

static void write_some(struct page *p, enum metrics_format format)
{
    struct metrics m = example();
    m.latency = &some_latency;
    buf_clear(&p->buf);
    assert_int_equal(metrics_write(&m, format, &p->buf), RC_OK);
    assert_int_equal(buf_append(&p->buf, "", 1), RC_OK);
}

static void a_histogram_has_a_line_for_each_bound_that_counts_those_below_too(void **state)
{
    struct page *p = *state;
    write_some(p, METRICS_TEXT);
#define GET(rest) "repram_http_request_duration_seconds" rest
    assert_line(p, "\n# TYPE repram_http_request_duration_seconds histogram\n" GET(
                       "_bucket{route=\"/data\",method=\"GET\",le=\"0.0001\"} 1\n")
                       GET("_bucket{route=\"/data\",method=\"GET\",le=\"0.00025\"} 3\n")
                           GET("_bucket{route=\"/data\",method=\"GET\",le=\"0.0005\"} 3\n"));
    assert_line(p, GET("_bucket{route=\"/data\",method=\"GET\",le=\"10.0\"} 3\n")
                       GET("_bucket{route=\"/data\",method=\"GET\",le=\"+Inf\"} 3\n")
                           GET("_sum{route=\"/data\",method=\"GET\"} 0.00065\n")
                               GET("_count{route=\"/data\",method=\"GET\"} 3\n"));
    assert_line(p, GET("_bucket{route=\"/data\",method=\"PUT\",le=\"10.0\"} 0\n")
                       GET("_bucket{route=\"/data\",method=\"PUT\",le=\"+Inf\"} 1\n")
                           GET("_sum{route=\"/data\",method=\"PUT\"} 20.5\n"));
    assert_line(p, GET("_count{route=\"other\",method=\"other\"} 4\n"));
#undef GET
    assert_line(p, "\n# TYPE repram_put_quorum_duration_seconds histogram\n");
    assert_line(p, "\nrepram_put_quorum_duration_seconds_bucket{le=\"0.0005\"} 3\n");
    assert_line(p, "\nrepram_put_quorum_duration_seconds_sum 0.001234\n"
                   "repram_put_quorum_duration_seconds_count 3\n");
    assert_null(strstr((const char *)buf_data(&p->buf), "/keys"));
    assert_null(strstr((const char *)buf_data(&p->buf), "HEAD"));
}

static void openmetrics_leaves_total_out_of_families_and_has_an_end(void **state)
{
    struct page *p = *state;
    write_some(p, METRICS_OPEN);
    assert_line(p, "\n# HELP process_cpu_seconds Processor time of the process, user and system\n"
                   "# TYPE process_cpu_seconds counter\n"
                   "process_cpu_seconds_total 0.25\n");
    assert_line(p, "\n# TYPE repram_puts counter\nrepram_puts_total 4503599627370496\n");
    assert_line(p, "\n# TYPE repram_http_responses counter\n"
                   "repram_http_responses_total{class=\"1xx\"} 2\n");
    assert_line(p, "\n# TYPE repram_peers_active gauge\nrepram_peers_active 2\n");
    const char *text = (const char *)buf_data(&p->buf);
    const size_t len = strlen(text);
    assert_string_equal(text + len - 7, "\n# EOF\n");
    assert_ptr_equal(strstr(text, "# EOF"), text + len - 6);
    write_some(p, METRICS_TEXT);
    assert_null(strstr((const char *)buf_data(&p->buf), "# EOF"));
}

/* Every series that the front door can have, each seldom and long. */
static void the_longest_page_fits_into_an_answer_with_room_to_spare(void **state)
{
    struct page *p = *state;
    static struct latency full;
    struct metrics m = example();
    full.route_count = LATENCY_ROUTES_MAX;
    for (size_t i = 0; i < LATENCY_ROUTES_MAX; i++) {
        full.routes[i].path = (struct http_text){"/somewhere", 10};
        for (size_t method = 0; method < LATENCY_METHODS; method++) {
            full.routes[i].by_method[method] =
                (struct latency_histogram){.counts = {UINT64_MAX / 2}, .sum_us = UINT64_MAX};
        }
    }
    full.other = full.quorum = full.routes[0].by_method[0];
    m.latency = &full;
    m.sealing.key_count = KEYRING_KEYS_MAX;
    buf_clear(&p->buf);
    assert_int_equal(metrics_write(&m, METRICS_OPEN, &p->buf), RC_OK);
    assert_in_range(p->buf.len, 1, PAGE_MAX - PAGE_MAX / 8);
}

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    const struct metrics m = example();
    struct buf whole, buf;
    buf_init(&whole, PAGE_MAX);
    assert_int_equal(metrics_write(&m, METRICS_TEXT, &whole), RC_OK);
    buf_init(&buf, whole.len);
    assert_int_equal(metrics_write(&m, METRICS_TEXT, &buf), RC_OK);
    buf_fini(&buf);
    buf_init(&buf, whole.len - 1);
    assert_int_equal(metrics_write(&m, METRICS_TEXT, &buf), RC_FULL);
    buf_fini(&buf);
    buf_fini(&whole);
}

/* The document, beside this file in the tree. */
static FILE *open_document(void)
{
    char path[4096];
    const char *slash = strrchr(__FILE__, '/');
    assert_non_null(slash);
    (void)snprintf(path, sizeof(path), "%.*s/../../docs/metrics.md", (int)(slash - __FILE__),
                   __FILE__);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

static void the_document_lists_every_family_with_its_type_and_no_other(void **state)
{
    const struct page *p = *state;
    static bool is_listed[FAMILIES_MAX];
    char line[1024];
    FILE *file = open_document();
    while (fgets(line, sizeof(line), file) != NULL) {
        char name[NAME_MAX_];
        char type[16];
        size_t i = 0;
        if (sscanf(line, "| `%95[a-z0-9_]` | %15s |", name, type) != 2) {
            continue;
        }
        while (i < p->family_count && strcmp(p->families[i].name, name) != 0) {
            i++;
        }
        if (i == p->family_count || strcmp(p->families[i].type, type) != 0) {
            (void)fclose(file);
            fail_msg("docs/metrics.md has %s (%s), the page has not", name, type);
        }
        is_listed[i] = true;
    }
    (void)fclose(file);
    for (size_t i = 0; i < p->family_count; i++) {
        if (!is_listed[i]) {
            fail_msg("docs/metrics.md lacks %s", p->families[i].name);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_whole_as_far_as_they_are_told_apart),
        TEST(a_histogram_has_a_line_for_each_bound_that_counts_those_below_too),
        TEST(openmetrics_leaves_total_out_of_families_and_has_an_end),
        TEST(the_longest_page_fits_into_an_answer_with_room_to_spare),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        TEST(the_document_lists_every_family_with_its_type_and_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
