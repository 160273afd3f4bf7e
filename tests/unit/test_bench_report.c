#include "cmd/client/bench_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TEXT_SIZE = 4096, MS = 1000 * 1000 };

/* A run against two servers in which everything happened once. Every number is another one, so that
 * none can stand in another's place. */
struct run {
    struct load_config config;
    struct load_result result;
    struct load_target_result targets[2];
    struct bench_report report;
};

static const char *const servers[] = {"one:81", "[::1]:82"};

/* One of each whole number of milliseconds. */
static void measure(struct sample *s, unsigned first_ms, unsigned last_ms)
{
    for (unsigned ms = first_ms; ms <= last_ms; ms++) {
        sample_add(s, (uint64_t)ms * MS);
    }
}

static void run_init(struct run *run)
{
    memset(run, 0, sizeof(*run));
    run->config = (struct load_config){
        .target_count = 2,
        .mix = {.key_count = 41, .reads_percent = 60, .size_min = 5, .size_max = 9, .ttl_s = 77},
        .connections = 6,
        .depth = 3,
        .requests_max = 500,
        .duration_ms = 8000,
        .rate = 300,
    };
    run->targets[0] = (struct load_target_result){.answered = 991, .errors = 2, .faults = 8};
    run->targets[1] = (struct load_target_result){.answered = 20, .errors = 1, .faults = 7};
    struct load_result *result = &run->result;
    result->targets = run->targets;
    result->target_count = 2;
    struct load_kind_result *get = &result->kinds[LOAD_GET], *put = &result->kinds[LOAD_PUT];
    get->answered = 1001;
    get->errors = 1;
    get->statuses[200] = 1000;
    get->statuses[599] = 1;
    measure(&get->latency_ns, 1, 1000);
    put->answered = 10;
    put->errors = 2;
    put->statuses[100] = 8;
    put->statuses[507] = 2;
    measure(&put->latency_ns, 2001, 2008);
    for (int i = 0; i < LOAD_FAULT_COUNT; i++) {
        result->faults[i] = (uint64_t)i + 1;
    }
    result->elapsed_ns = 2000ULL * MS;
    result->bytes_in = 5000000;
    result->bytes_out = 3000000;
    result->unanswered = 11;
    result->unsent = 12;
    result->fill_answered = 41;
    result->fill_errors = 13;
    result->is_interrupted = true;
    run->report = (struct bench_report){
        .config = &run->config, .result = result, .servers = servers, .busy = 0.95};
}

static void run_fini(struct run *run)
{
    sample_fini(&run->result.kinds[LOAD_GET].latency_ns);
    sample_fini(&run->result.kinds[LOAD_PUT].latency_ns);
}

/* What is written, in a buffer that the next call uses again. */
static const char *written(const struct run *run,
                           void (*print)(const struct bench_report *report, FILE *out))
{
    static char text[TEXT_SIZE];
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    print(&run->report, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect_text(const struct run *run, const char *expected)
{
    assert_string_equal(written(run, bench_report_text), expected);
}

static void expect_json(const struct run *run, const char *piece)
{
    assert_non_null(strstr(written(run, bench_report_json), piece));
}

static void people_get_tables_and_all_that_went_wrong(void **state)
{
    (void)state;
    struct run run;
    run_init(&run);
    expect_text(
        &run,
        "2 servers, 6 connections with 3 requests under way on each, 300 requests a second\n"
        "60 % GET, 41 keys, values of 5 to 9 bytes\n"
        "\n"
        "KIND  REQUESTS  PER_S  ERRORS  MEAN_MS   P50_MS    P90_MS   P99_MS   P99.9_MS  "
        "MAX_MS\n"
        "GET   1001      500    1       500.500   501.219   901.775  994.050  1000.000  "
        "1000.000\n"
        "PUT   10        5      2       2004.500  2004.877  -        -        -         "
        "2008.000\n"
        "all   1011      506    3       512.437   505.414   910.164  998.244  2008.000  "
        "2008.000\n"
        "\n"
        "SERVER    REQUESTS  PER_S  ERRORS  FAULTS\n"
        "one:81    991       496    2       8\n"
        "[::1]:82  20        10     1       7\n"
        "\n"
        "1011 requests in 2.00 s, interrupted; 2.50 MB/s in, 1.50 MB/s out\n"
        "answers: 1000 x 200 to GET, 1 x 599 to GET, 8 x 100 to PUT, 2 x 507 to PUT\n"
        "faults: 1 x connect, 2 x closed, 3 x io, 4 x timeout, 5 x malformed\n"
        "under way at the end: 11\n"
        "due and never sent: 12; the rate is beyond what was answered\n"
        "keys that could not be written first: 13 of 41\n"
        "note: the generator itself was busy for 95 % of the time; the servers may be able to "
        "do more\n");
    run_fini(&run);
}

static void scripts_get_every_number_by_its_name(void **state)
{
    (void)state;
    struct run run;
    run_init(&run);
    assert_string_equal(
        written(&run, bench_report_json),
        "{\"setup\":{\"connections\":6,\"pipeline\":3,\"burst\":false,"
        "\"reads_percent\":60,\"keys\":41,\"size_min\":5,\"size_max\":9,\"ttl_s\":77,"
        "\"rate\":300},\"seconds\":2,\"interrupted\":true,\"requests\":1011,"
        "\"per_s\":505.5,\"failed\":18,\"get\":{\"requests\":1001,\"per_s\":500.5,"
        "\"errors\":1,\"latency_us\":{\"mean\":500500,\"p50\":501219.327,"
        "\"p90\":901775.359,\"p99\":994050.047,\"p99_9\":1000000,\"max\":1000000},"
        "\"statuses\":{\"200\":1000,\"599\":1}},\"put\":{\"requests\":10,\"per_s\":5,"
        "\"errors\":2,\"latency_us\":{\"mean\":2004500,\"p50\":2004877.311,"
        "\"p90\":null,\"p99\":null,\"p99_9\":null,\"max\":2008000},"
        "\"statuses\":{\"100\":8,\"507\":2}},\"faults\":{\"connect\":1,\"closed\":2,"
        "\"io\":3,\"timeout\":4,\"malformed\":5},\"servers\":[{\"server\":\"one:81\","
        "\"requests\":991,\"errors\":2,\"faults\":8},{\"server\":\"[::1]:82\","
        "\"requests\":20,\"errors\":1,\"faults\":7}],\"bytes_in\":5000000,"
        "\"bytes_out\":3000000,\"unanswered\":11,\"unsent\":12,\"fill\":{\"requests\":41,"
        "\"errors\":13},\"generator_busy\":0.95}\n");
    run_fini(&run);
}

/* One server, one kind of request, nothing wrong: no table of servers, no row of all, no notes. */
static void what_did_not_happen_is_not_mentioned(void **state)
{
    (void)state;
    struct run run;
    run_init(&run);
    run.config.target_count = 1;
    run.config.depth = 1;
    run.config.rate = 0;
    run.config.mix.size_max = run.config.mix.size_min;
    struct load_result *result = &run.result;
    result->target_count = 1;
    result->kinds[LOAD_GET].answered = 0;
    memset(result->kinds[LOAD_GET].statuses, 0, sizeof(result->kinds[LOAD_GET].statuses));
    memset(result->faults, 0, sizeof(result->faults));
    result->unsent = 0;
    result->fill_errors = 0;
    result->is_interrupted = false;
    run.report.busy = 0.89;
    expect_text(&run,
                "1 server, 6 connections with 1 request under way on each\n"
                "60 % GET, 41 keys, values of 5 bytes\n\n"
                "KIND  REQUESTS  PER_S  ERRORS  MEAN_MS   P50_MS    P90_MS  P99_MS  P99.9_MS  "
                "MAX_MS\n"
                "PUT   10        5      2       2004.500  2004.877  -       -       -         "
                "2008.000\n\n"
                "10 requests in 2.00 s; 2.50 MB/s in, 1.50 MB/s out\n"
                "answers: 8 x 100 to PUT, 2 x 507 to PUT\n");
    assert_int_equal(bench_report_failed(result), 1 + 2);
    run_fini(&run);
}

static void a_run_without_an_answer_says_so(void **state)
{
    (void)state;
    struct run run;
    memset(&run, 0, sizeof(run));
    run.config = (struct load_config){.target_count = 1, .connections = 1, .depth = 2};
    run.config.is_burst = true;
    run.report =
        (struct bench_report){.config = &run.config, .result = &run.result, .servers = servers};
    expect_text(&run, "1 server, 1 connections with bursts of 2 requests at once on each\n"
                      "0 % GET, 0 keys, values of 0 bytes\n\n"
                      "KIND  REQUESTS  PER_S  ERRORS  MEAN_MS  P50_MS  P90_MS  P99_MS  P99.9_MS  "
                      "MAX_MS\n"
                      "all   0         0      0       0.000    0.000   -       -       -         "
                      "0.000\n\n"
                      "0 requests in 0.00 s; 0.00 MB/s in, 0.00 MB/s out\n"
                      "answers: none\n");
    expect_json(&run, "\"burst\":true");
    expect_json(&run, "\"seconds\":0,\"interrupted\":false,\"requests\":0,\"per_s\":0,");
}

static void a_note_begins_at_its_bound(void **state)
{
    (void)state;
    struct run run;
    run_init(&run);
    run.report.busy = 0.9;
    assert_non_null(strstr(written(&run, bench_report_text), "busy for 90 %"));
    run.result.unsent = 3; /* a hundredth of the rate */
    assert_null(strstr(written(&run, bench_report_text), "never sent"));
    run.result.unsent = 4;
    assert_non_null(strstr(written(&run, bench_report_text), "never sent: 4;"));
    run.result.unanswered = 0;
    assert_null(strstr(written(&run, bench_report_text), "under way at the end"));
    run.result.fill_errors = 0;
    assert_null(strstr(written(&run, bench_report_text), "written first"));
    run_fini(&run);
}

static const char *progress_of(const struct run *run, const struct load_progress *p)
{
    static char text[TEXT_SIZE];
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    bench_report_progress(out, &run->config, p);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void progress_tells_how_far_each_part_is(void **state)
{
    (void)state;
    struct run run;
    run_init(&run);
    struct load_progress p = {.part_ns = 3000ULL * MS,
                              .answered = 9,
                              .recent_per_s = 700,
                              .recent_p99_ns = 1500000,
                              .recent_max_ns = 2500000,
                              .has_p99 = true};
    assert_string_equal(progress_of(&run, &p),
                        "\r\033[Kfilling 3 s, 9 of 41 keys, 700 a second, p99 1.500 ms");
    p.part = LOAD_WARM_UP;
    assert_string_equal(progress_of(&run, &p),
                        "\r\033[Kwarming up 3 s, 700 a second, p99 1.500 ms");
    p.part = LOAD_MEASURE;
    p.errors = 1;
    assert_string_equal(progress_of(&run, &p),
                        "\r\033[Kmeasuring 3 s of 8 s, 700 a second, p99 1.500 ms, 1 errors");
    run.config.duration_ms = 0;
    assert_string_equal(
        progress_of(&run, &p),
        "\r\033[Kmeasuring 3 s, 9 of 500 requests, 700 a second, p99 1.500 ms, 1 errors");
    p.part = LOAD_OVER;
    assert_string_equal(progress_of(&run, &p),
                        "\r\033[Kdone 3 s, 700 a second, p99 1.500 ms, 1 errors");
    p.has_p99 = false;
    assert_string_equal(progress_of(&run, &p),
                        "\r\033[Kdone 3 s, 700 a second, max 2.500 ms, 1 errors");
    run_fini(&run);
}

static void the_line_of_progress_is_wiped_away(void **state)
{
    (void)state;
    char text[16] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    bench_report_progress_end(out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "\r\033[K");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(people_get_tables_and_all_that_went_wrong),
        cmocka_unit_test(scripts_get_every_number_by_its_name),
        cmocka_unit_test(what_did_not_happen_is_not_mentioned),
        cmocka_unit_test(a_run_without_an_answer_says_so),
        cmocka_unit_test(a_note_begins_at_its_bound),
        cmocka_unit_test(progress_tells_how_far_each_part_is),
        cmocka_unit_test(the_line_of_progress_is_wiped_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
