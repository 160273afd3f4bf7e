#include "net/out/event_stream.h"

#include "core/base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* "name|data|id;" for each event. */
struct log {
    char text[1024];
    size_t longest; /* data that came */
    struct event_stream stream;
};

static void on_event(void *arg, const struct stream_event *event)
{
    struct log *log = arg;
    const size_t len = strlen(log->text);
    assert_int_equal(strlen(event->data), event->data_len);
    log->longest = event->data_len > log->longest ? event->data_len : log->longest;
    (void)snprintf(log->text + len, sizeof(log->text) - len, "%s|%s|%s;", event->name, event->data,
                   log->stream.last_id);
}

static int setup(void **state)
{
    struct log *log = mem_new(1, sizeof(*log));
    event_stream_init(&log->stream, on_event, log);
    *state = log;
    return 0;
}

static int teardown(void **state)
{
    struct log *log = *state;
    event_stream_fini(&log->stream);
    free(log);
    return 0;
}

static enum rc feed(struct log *log, const char *text)
{
    return event_stream_feed(&log->stream, (const uint8_t *)text, strlen(text));
}

static void events_have_name_data_and_the_last_id(void **state)
{
    struct log *log = *state;
    assert_int_equal(feed(log, "retry: 1\nevent: put\ndata: {\"a\"}\nid: b-1\n\n"
                               "data:x\ndata\ndata:  y\n\n"
                               "id: b-2\n: comment\n\nevent: empty\n\ndata: z\n\n"),
                     RC_OK);
    assert_string_equal(log->text, "put|{\"a\"}|b-1;message|x\n\n y|b-1;message|z|b-2;");
}

static void it_is_the_same_however_the_bytes_are_cut(void **state)
{
    struct log *log = *state;
    static const char text[] = "event: put\r\ndata: a\r\n\r\ndata: b\r\rdata: c\n\n:\n\n\r\n";
    for (size_t i = 0; text[i] != '\0'; i++) {
        assert_int_equal(event_stream_feed(&log->stream, (const uint8_t *)text + i, 1), RC_OK);
    }
    assert_string_equal(log->text, "put|a|;message|b|;message|c|;");
}

static void what_was_not_ended_is_forgotten_when_another_stream_begins(void **state)
{
    struct log *log = *state;
    assert_int_equal(feed(log, "id: 1\ndata: a\n\nid: 2\nevent: put\ndata: cut sho"), RC_OK);
    event_stream_restart(&log->stream);
    assert_int_equal(feed(log, "data: b\n\n"), RC_OK);
    assert_string_equal(log->text, "message|a|1;message|b|1;");
}

static void ids_that_are_none_are_skipped(void **state)
{
    struct log *log = *state;
    char text[256];
    assert_int_equal(feed(log, "id: good\n\n"), RC_OK);
    (void)snprintf(text, sizeof(text), "id: %0100d\ndata: a\n\n", 1);
    assert_int_equal(feed(log, text), RC_OK);
    static const uint8_t nul[] = "id: a\0b\ndata: b\n\nid\ndata: c\n\n";
    assert_int_equal(event_stream_feed(&log->stream, nul, sizeof(nul) - 1), RC_OK);
    assert_string_equal(log->text, "message|a|good;message|b|good;message|c|;");
}

static void lines_and_data_are_bounded(void **state)
{
    struct log *log = *state;
    char *line = mem_new(EVENT_STREAM_LINE_MAX + 2, 1);
    memset(line, 'x', EVENT_STREAM_LINE_MAX);
    assert_int_equal(feed(log, line), RC_OK);
    assert_int_equal(feed(log, "x"), RC_TOO_LONG);
    event_stream_restart(&log->stream);
    memcpy(line, "data:", 5);
    line[EVENT_STREAM_LINE_MAX - 1] = '\n';
    assert_int_equal(feed(log, line), RC_OK);
    assert_int_equal(feed(log, line), RC_TOO_LONG);
    free(line);
}

/* Feeds a line of data of so many bytes. */
static enum rc feed_data(struct log *log, int len)
{
    char *line = mem_new(EVENT_STREAM_LINE_MAX + 1, 1);
    (void)snprintf(line, EVENT_STREAM_LINE_MAX, "data:%0*d\n", len, 0);
    const enum rc rc = feed(log, line);
    free(line);
    return rc;
}

/* The LF between two lines counts. */
static void data_is_taken_up_to_its_last_byte(void **state)
{
    enum { FIRST = 60000, SECOND = EVENT_STREAM_DATA_MAX - FIRST - 1 };
    struct log *log = *state;
    assert_int_equal(feed_data(log, FIRST), RC_OK);
    assert_int_equal(feed_data(log, SECOND), RC_OK);
    assert_int_equal(feed(log, "\n"), RC_OK);
    assert_int_equal(log->longest, EVENT_STREAM_DATA_MAX);
    assert_int_equal(feed_data(log, FIRST), RC_OK);
    assert_int_equal(feed_data(log, SECOND + 1), RC_OK);
    assert_int_equal(feed(log, "\n"), RC_TOO_LONG);
}

int main(void)
{
#define LOG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        LOG(events_have_name_data_and_the_last_id),
        LOG(it_is_the_same_however_the_bytes_are_cut),
        LOG(what_was_not_ended_is_forgotten_when_another_stream_begins),
        LOG(ids_that_are_none_are_skipped),
        LOG(lines_and_data_are_bounded),
        LOG(data_is_taken_up_to_its_last_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
