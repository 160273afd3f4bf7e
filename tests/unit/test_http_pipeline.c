/* Requests of every kind behind each other on one connection, whole, cut in two at each byte, and a
 * byte at a time: the answers are the same, and no part of one request is taken for another's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

#define HOST "Host: a\r\n"
#define HELLO "GET /hello HTTP/1.1\r\n" HOST "\r\n"
#define HEAD "HEAD /hello HTTP/1.1\r\n" HOST "\r\n"
#define NOWHERE "GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
#define PUT "PUT /echo HTTP/1.1\r\n" HOST
#define CHUNKED PUT "Transfer-Encoding: chunked\r\n"
#define UPGRADE "Connection: Upgrade\r\nUpgrade: test/1\r\n"

enum { BODY_MAX = 60, ANSWERS_MAX = 8, ROUNDS = 40, SIP = 1400, BLOB_BYTES = 10000 };

static const struct {
    const char *what;
    const char *sent;
    const char *answers; /* status, body where it matters; a HEAD's has none */
    const char *left;    /* bytes that the upgraded connection must get; NULL: no upgrade */
    bool is_end;         /* the connection ends behind them */
} rows[] = {
    {"HEAD", HELLO HEAD HELLO HEAD HELLO, "200 hello|200 -|200 hello|200 -|200 hello", NULL, false},
    {"not found", HELLO NOWHERE PUT "Content-Length: 3\r\n\r\nabc" NOWHERE HELLO,
     "200 hello|404|200 abc|404|200 hello", NULL, false},
    {"chunks",
     CHUNKED "\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n" HELLO CHUNKED "\r\n0\r\n\r\n" HELLO,
     "200 helloabc|200 hello|200|200 hello", NULL, false},
    {"a body like a request", PUT "Content-Length: 32\r\n\r\n" HELLO HELLO,
     "200 " HELLO "|200 hello", NULL, false},
    {"a chunk like a request", CHUNKED "\r\n20\r\n" HELLO "\r\n0\r\n\r\n" HELLO,
     "200 " HELLO "|200 hello", NULL, false},
    {"Expect", HELLO PUT "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc" HELLO,
     "200 hello|200 abc|200 hello", NULL, false},
    {"Expect and chunks", HELLO CHUNKED "Expect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n" HELLO,
     "200 hello|200 abc|200 hello", NULL, false},
    {"too large", HELLO PUT "Content-Length: 64\r\n\r\n" HELLO HELLO HELLO, "200 hello|413", NULL,
     true},
    {"chunks too large", HELLO CHUNKED "\r\n40\r\n" HELLO HELLO "\r\n0\r\n\r\n" HELLO,
     "200 hello|413", NULL, true},
    {"no host", HELLO "GET /hello HTTP/1.1\r\n\r\n" HELLO, "200 hello|400", NULL, true},
    {"length and chunks",
     HELLO PUT "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HELLO,
     "200 hello|400", NULL, true},
    {"chunks and length", HELLO CHUNKED "Content-Length: 37\r\n\r\n0\r\n\r\n" HELLO HELLO,
     "200 hello|400", NULL, true},
    {"two lengths", HELLO PUT "Content-Length: 0\r\nContent-Length: 32\r\n\r\n" HELLO HELLO,
     "200 hello|400", NULL, true},
    {"a chunk of no length", HELLO CHUNKED "\r\n5x\r\nhello\r\n0\r\n\r\n" HELLO, "200 hello|400",
     NULL, true},
    {"a chunk longer than said", HELLO CHUNKED "\r\n3\r\nhello\r\n0\r\n\r\n" HELLO, "200 hello|400",
     NULL, true},
    {"close", HELLO "GET /hello HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n" HELLO,
     "200 hello|200 hello", NULL, true},
    {"close behind a body", PUT "Connection: close\r\nContent-Length: 3\r\n\r\nabc" HELLO,
     "200 abc", NULL, true},
    {"1.0", HELLO "GET /hello HTTP/1.0\r\n\r\n" HELLO, "200 hello|200 hello", NULL, true},
    {"upgrade", HELLO "GET /upgrade HTTP/1.1\r\n" HOST UPGRADE "\r\n" HELLO, "200 hello|101", HELLO,
     false},
    {"upgrade of what has none", "GET /hello HTTP/1.1\r\n" HOST UPGRADE "\r\n" HELLO,
     "200 hello|200 hello", NULL, false},
};

static int setup(void **state)
{
    static struct rig rig;
    rig_init(&rig);
    rig.body_max = BODY_MAX;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

/* Whether the bytes are exactly the answers that are wanted; an interim one may come before any.
 * False too while some are missing. */
static bool is_answered(const char *heard, const char *wanted)
{
    while (*wanted != '\0') {
        const char *end = strstr(heard, "\r\n\r\n");
        const char *next = strchr(wanted, '|');
        const size_t wanted_len = next == NULL ? strlen(wanted) : (size_t)(next - wanted);
        if (end == NULL || strncmp(heard, "HTTP/1.1 ", 9) != 0) {
            return false;
        }
        const char *length = strstr(heard, "Content-Length: ");
        const bool has_length = length != NULL && length < end;
        const bool is_head = wanted_len > 4 && wanted[4] == '-';
        size_t len = has_length ? strtoul(length + 16, NULL, 10) : 0;
        len = is_head ? 0 : len;
        const char *status = heard + 9;
        heard = end + 4;
        if (strncmp(status, "100", 3) == 0) {
            continue;
        }
        if (strncmp(status, wanted, 3) != 0 || strlen(heard) < len ||
            (wanted_len > 4 && !is_head &&
             (len != wanted_len - 4 || strncmp(heard, wanted + 4, len) != 0))) {
            return false;
        }
        heard += len;
        wanted += wanted_len + (next != NULL);
    }
    return *heard == '\0';
}

/* Waits for the answers of a row, and for its end. */
static bool is_heard(struct rig *rig, struct client *c, size_t row)
{
    const uint64_t until = patience_begins();
    while (!is_answered(c->input, rows[row].answers) && !c->is_eof && !c->is_reset &&
           patience_now_ms() < until) {
        client_turn(rig, c);
    }
    if (!is_answered(c->input, rows[row].answers)) {
        return false;
    }
    if (rows[row].left != NULL) {
        struct evbuffer *input =
            rig->upgraded == NULL ? NULL : bufferevent_get_input(rig->upgraded);
        const size_t len = strlen(rows[row].left);
        while (input != NULL && evbuffer_get_length(input) < len && rig_waits(rig, until)) {
        }
        return input != NULL && evbuffer_get_length(input) == len &&
               memcmp(evbuffer_pullup(input, -1), rows[row].left, len) == 0;
    }
    return rows[row].is_end ? client_hears_end(rig, c) || c->is_reset : !c->is_eof && !c->is_reset;
}

/* Sends a row in pieces: `first` bytes, then as many as `step` says at a time. */
static void play_row(struct rig *rig, size_t row, size_t first, size_t step)
{
    const size_t len = strlen(rows[row].sent);
    struct client c = client_open(rig);
    for (size_t at = 0; at < len;) {
        const size_t most = at == 0 ? first : step;
        const size_t some = most < len - at ? most : len - at;
        if (!client_send(rig, &c, rows[row].sent + at, some)) {
            break; /* it has been refused, and ended */
        }
        rig_turn(rig);
        at += some;
    }
    if (!is_heard(rig, &c, row)) {
        fail_msg("%s, %zu bytes first and then %zu: %s", rows[row].what, first, step, c.input);
    }
    client_close(&c);
    if (rig->upgraded != NULL) {
        bufferevent_free(rig->upgraded);
        rig->upgraded = NULL;
    }
}

static void test_a_pipeline_of_all_kinds_is_answered_wherever_it_is_cut(void **state)
{
    struct rig *rig = *state;
    rig_start(rig);
    for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
        const size_t len = strlen(rows[row].sent);
        play_row(rig, row, len, len);
        play_row(rig, row, 1, 1);
        for (size_t first = 1; first < len; first++) {
            play_row(rig, row, first, len);
        }
    }
    assert_true(rig_has_connections(rig, 0));
}

/* As much of it as the kernel takes now. */
static size_t say_more(const struct client *c, const char *text, size_t len)
{
    const ssize_t taken = len > 0 ? send(c->fd, text, len, MSG_NOSIGNAL) : 0;
    assert_true(taken >= 0 || errno == EAGAIN);
    return taken > 0 ? (size_t)taken : 0;
}

/* Sends all at once, or as fast as the kernel takes it, so that what one reading brings has more
 * answers than one turn may make. Reads a sip at a time, and only when the server has nothing more
 * to do. */
static void test_a_reader_that_sips_is_answered_all_of_a_pipeline(void **state)
{
    struct rig *rig = *state;
    static const char round[] =
        "GET /blob HTTP/1.1\r\n" HOST "\r\n" HEAD NOWHERE CHUNKED "\r\n3\r\nabc\r\n0\r\n\r\n" HELLO;
    enum { ROUND_LEN = sizeof(round) - 1 };
    char burst[ROUNDS * ROUND_LEN];
    uint8_t bytes[BLOB_BYTES];
    memset(bytes, 'b', sizeof(bytes));
    rig->blob = blob_new(NULL, sizeof(bytes));
    assert_int_equal(blob_append(rig->blob, bytes, sizeof(bytes)), RC_OK);
    rig_start(rig);
    struct client c = client_open(rig);
    for (size_t i = 0; i < ROUNDS; i++) {
        memcpy(burst + i * ROUND_LEN, round, ROUND_LEN);
    }
    size_t sent = 0;
    unsigned idle = 0;
    while (count_of(c.input, "HTTP/1.1 ") < 5 * ROUNDS && rig_idles(rig, &idle)) {
        sent += say_more(&c, burst + sent, sizeof(burst) - sent);
        const ssize_t len = recv(c.fd, c.input + c.len, SIP, 0);
        assert_true(len > 0 || (len < 0 && errno == EAGAIN));
        c.len += len > 0 ? (size_t)len : 0;
        idle = len > 0 ? 0 : idle;
    }
    if (idle == IDLE_TURNS_MAX) {
        fail_msg("%u of %d answers", count_of(c.input, "HTTP/1.1 "), 5 * ROUNDS);
    }
    assert_true(client_hears_times(rig, &c, "\r\n\r\nabc", ROUNDS));
    assert_true(client_hears_times(rig, &c, "\r\n\r\nhello", ROUNDS));
    assert_true(client_hears_times(rig, &c, "\r\n\r\nbbb", ROUNDS));
    assert_int_equal(count_of(c.input, "HTTP/1.1 200"), 4 * ROUNDS);
    assert_int_equal(count_of(c.input, "HTTP/1.1 404"), ROUNDS);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_pipeline_of_all_kinds_is_answered_wherever_it_is_cut,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_that_sips_is_answered_all_of_a_pipeline,
                                        setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
