#include "cmd/base/log.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint64_t wall = UINT64_C(1795611600123); /* 2026-11-25T13:00:00.123Z */

static void text_line_has_time_level_event_and_message(void **state)
{
    (void)state;
    char line[256];
    const size_t len =
        log_format_line(line, sizeof(line), LOG_TEXT, wall, LOG_INFO, "n", "claim", "port 8081");
    line[len] = '\0';
    assert_string_equal(line, "2026-11-25T13:00:00.123Z info  claim     port 8081\n");
}

static void control_characters_do_not_reach_a_text_line(void **state)
{
    (void)state;
    char line[256];
    const size_t len = log_format_line(line, sizeof(line), LOG_TEXT, wall, LOG_WARN, "", "x",
                                       "a\nb\x1b[31m\x7f \xc2\x9b \xe2\x80\xae \xff \xc3\xa9");
    line[len] = '\0';
    assert_non_null(strstr(line, " a?b?[31m? ? ? ? \xc3\xa9\n"));
    assert_int_equal(memchr(line, '\n', len) == line + len - 1, 1);
    assert_null(memchr(line, 0x1b, len));
    assert_null(memchr(line, 0x7f, len));
}

static void json_line_is_json_whatever_the_message_holds(void **state)
{
    (void)state;
    char line[512];
    const size_t len = log_format_line(line, sizeof(line), LOG_JSON, wall, LOG_ERROR, "node-1",
                                       "link", "say \"hi\" \\ \n\t\x01 caf\xc3\xa9 \xff");
    cJSON *root = cJSON_ParseWithLength(line, len);
    assert_non_null(root);
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(root, "time")->valuestring,
                        "2026-11-25T13:00:00.123Z");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(root, "level")->valuestring, "error");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(root, "node")->valuestring, "node-1");
    assert_string_equal(cJSON_GetObjectItemCaseSensitive(root, "event")->valuestring, "link");
    assert_non_null(strstr(cJSON_GetObjectItemCaseSensitive(root, "message")->valuestring,
                           "say \"hi\" \\ \n\t\x01 caf\xc3\xa9 \xef\xbf\xbd"));
    cJSON_Delete(root);
}

static void a_message_too_long_is_cut_and_the_line_still_ends(void **state)
{
    (void)state;
    char message[600], line[300];
    memset(message, '"', sizeof(message) - 1);
    message[sizeof(message) - 1] = '\0';
    for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
        const size_t len = log_format_line(line, sizeof(line), (enum log_format)format, wall,
                                           LOG_INFO, "n", "event", message);
        assert_true(len <= sizeof(line));
        assert_int_equal(line[len - 1], '\n');
        if (format == LOG_JSON) {
            cJSON *root = cJSON_ParseWithLength(line, len);
            assert_non_null(root);
            cJSON_Delete(root);
        }
    }
}

static void a_full_pipe_costs_lines_and_their_count_is_told(void **state)
{
    (void)state;
    int fds[2];
    static char data[1 << 20];
    assert_int_equal(pipe(fds), 0);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, 65536) < (int)sizeof(data) / 4);
    struct log log = log_init(fds[1], LOG_INFO, LOG_TEXT);
    memset(data, 'x', 200);
    data[199] = '\0';
    for (int i = 0; i < 2000; i++) {
        log_line(&log, LOG_INFO, "test", "%s", data);
    }
    assert_true(log.dropped > 0);
    const uint64_t dropped = log.dropped;
    assert_true(read(fds[0], data, sizeof(data)) > 0);
    log_line(&log, LOG_INFO, "test", "after");
    assert_int_equal(log.dropped, dropped);
    const ssize_t len = read(fds[0], data, sizeof(data) - 1);
    assert_true(len > 0);
    data[len] = '\0';
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "%llu lines were lost", (unsigned long long)dropped);
    assert_non_null(strstr(data, expected));
    assert_non_null(strstr(data, "after\n"));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void a_line_that_nobody_can_read_is_lost_and_counted(void **state)
{
    (void)state;
    int fds[2];
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(fds), 0);
    (void)close(fds[0]);
    struct log log = log_init(fds[1], LOG_INFO, LOG_TEXT);
    assert_false(log_raw(&log, "line\n", 5));
    log_line(&log, LOG_INFO, "test", "line");
    assert_int_equal(log.dropped, 2);
    assert_int_equal(log.dropped_told, 0);
    (void)close(fds[1]);
    (void)signal(SIGPIPE, before);
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    int fds[2];
    char data[256];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    struct log log = log_init(fds[1], LOG_WARN, LOG_TEXT);
    log_line(&log, LOG_INFO, "test", "quiet");
    assert_int_equal(read(fds[0], data, sizeof(data)), -1);
    log_line(&log, LOG_WARN, "test", "loud");
    assert_true(read(fds[0], data, sizeof(data)) > 0);
    assert_int_equal(log.dropped, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void levels_and_formats_have_names(void **state)
{
    (void)state;
    enum log_level level = LOG_INFO;
    enum log_format format = LOG_TEXT;
    assert_int_equal(log_level_parse("error", &level), RC_OK);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse("debug", &level), RC_OK);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("Debug", &level), RC_MALFORMED);
    assert_int_equal(log_format_parse("json", &format), RC_OK);
    assert_int_equal(format, LOG_JSON);
    assert_int_equal(log_format_parse("xml", &format), RC_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_line_has_time_level_event_and_message),
        cmocka_unit_test(control_characters_do_not_reach_a_text_line),
        cmocka_unit_test(json_line_is_json_whatever_the_message_holds),
        cmocka_unit_test(a_message_too_long_is_cut_and_the_line_still_ends),
        cmocka_unit_test(a_full_pipe_costs_lines_and_their_count_is_told),
        cmocka_unit_test(a_line_that_nobody_can_read_is_lost_and_counted),
        cmocka_unit_test(lines_below_the_level_are_not_written),
        cmocka_unit_test(levels_and_formats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
