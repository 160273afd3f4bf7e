/*
 * The server works off everything that a pipelining client has sent, whatever its socket takes
 * meanwhile.
 *
 * The test plays the socket: the server reads from a script and writes into memory, as much at a
 * time as the test says. So no verdict depends on the kernel's buffers. The real connection below
 * carries a byte for each addition to the script, which makes it readable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http_rig.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HELLO "\r\n\r\nhello"
#define HUNDRED                                                              \
    "0123456789012345678901234567890123456789012345678901234567890123456789" \
    "012345678901234567890123456789"
#define THOUSAND HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED

enum {
    HEARD_MAX = 8 << 20,
    SCRIPT_MAX = 2 << 20,
    BIG_BYTES = 50000,
    PIECE_BYTES = 20000,
    PIECES = 30,
};

static struct {
    struct rig rig;
    int fd; /* of the connection that is played; -1: none yet */
    char script[SCRIPT_MAX + 1];
    size_t script_len, script_at;
    size_t read_max; /* at once */
    int client_fd;   /* the other end */
    char *heard;
    size_t heard_len, looked_at;
    unsigned answers;
    size_t take_max; /* what one writing takes; then, once, the socket takes nothing */
    bool is_full;    /* it takes nothing at all */
    bool is_taken;
    unsigned handled_then, burst_max; /* handled at the last writing; most between two */
    unsigned pieces;
    int in_kernel, read_each_look; /* bytes that it has not read; that it reads between looks */
    unsigned looks;
    unsigned reads, writes; /* system calls that moved something */
} wire;

#pragma GCC visibility push(default)
int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    const int accepted = (int)syscall(SYS_accept4, fd, from, len, flags);
    if (accepted >= 0 && wire.fd < 0) {
        wire.fd = accepted;
    }
    return accepted;
}

ssize_t recv(int fd, void *to, size_t size, int flags)
{
    if (fd != wire.fd) {
        return syscall(SYS_recvfrom, fd, to, size, flags, NULL, NULL);
    }
    size_t len = wire.script_len - wire.script_at;
    len = len < size ? len : size;
    len = len < wire.read_max ? len : wire.read_max;
    if (len == 0) {
        char bell[64];
        const ssize_t rung = syscall(SYS_recvfrom, fd, bell, sizeof(bell), flags, NULL, NULL);
        errno = EAGAIN;
        return rung > 0 ? -1 : rung;
    }
    memcpy(to, wire.script + wire.script_at, len);
    wire.script_at += len;
    wire.reads++;
    return (ssize_t)len;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t total = 0;
    if (fd != wire.fd) {
        return syscall(SYS_recvmsg, fd, message, flags);
    }
    const unsigned reads = wire.reads + 1;
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *room = &message->msg_iov[i];
        const ssize_t len = recv(fd, room->iov_base, room->iov_len, flags);
        if (len < 0) {
            break;
        }
        total += len;
        if ((size_t)len < room->iov_len) {
            break;
        }
    }
    wire.reads = total > 0 ? reads : reads - 1;
    return total > 0 ? total : -1;
}

ssize_t writev(int fd, const struct iovec *from, int count)
{
    if (fd != wire.fd) {
        return syscall(SYS_writev, fd, from, count);
    }
    if (wire.is_full || wire.is_taken) {
        wire.is_taken = false;
        errno = EAGAIN;
        return -1;
    }
    size_t taken = 0;
    for (int i = 0; i < count && taken < wire.take_max; i++) {
        const size_t room = wire.take_max - taken;
        size_t len = from[i].iov_len < room ? from[i].iov_len : room;
        len = len < HEARD_MAX - wire.heard_len ? len : HEARD_MAX - wire.heard_len;
        memcpy(wire.heard + wire.heard_len, from[i].iov_base, len);
        wire.heard_len += len;
        taken += len;
    }
    wire.is_taken = wire.take_max != SIZE_MAX;
    wire.writes++;
    const unsigned burst = wire.rig.handled - wire.handled_then;
    wire.burst_max = burst > wire.burst_max ? burst : wire.burst_max;
    wire.handled_then = wire.rig.handled;
    return (ssize_t)taken;
}

int ioctl(int fd, unsigned long what, ...)
{
    va_list args;
    va_start(args, what);
    int *value = va_arg(args, int *);
    va_end(args);
    if (fd != wire.fd || what != SIOCOUTQ) {
        return (int)syscall(SYS_ioctl, fd, what, value);
    }
    wire.looks++;
    wire.in_kernel -= wire.in_kernel > 0 ? wire.read_each_look : 0;
    *value = wire.in_kernel;
    return 0;
}
#pragma GCC visibility pop

static bool produce_piece(void *arg, struct buf *out)
{
    static const uint8_t piece[PIECE_BYTES];
    (void)arg;
    return wire.pieces == PIECES ||
           (++wire.pieces > 0 && buf_append(out, piece, sizeof(piece)) == RC_OK);
}

/*   /big     BIG_BYTES, made for a HEAD too
 *   /pieces  a stream that is never woken and has PIECES pieces to say */
static void handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
    static const char big[BIG_BYTES];
    if (is_path(rq, "/big")) {
        wire.rig.handled++;
        http_set_body(rs, 200, "text/plain", big, sizeof(big));
    } else if (is_path(rq, "/pieces")) {
        rs->kind = HTTP_BODY_STREAM;
        rs->produce = produce_piece;
        rs->is_waking = true;
    } else {
        rig_handle(arg, rq, rs);
    }
}

static int setup(void **state)
{
    static const uint8_t value[2000];
    char *heard = malloc(HEARD_MAX);
    memset(&wire, 0, sizeof(wire));
    wire.fd = -1;
    wire.client_fd = -1;
    wire.heard = heard;
    wire.read_max = SIZE_MAX;
    wire.take_max = SIZE_MAX;
    rig_init(&wire.rig);
    wire.rig.config.handle = handle;
    wire.rig.blob = blob_new(NULL, sizeof(value));
    assert_int_equal(blob_append(wire.rig.blob, value, sizeof(value)), RC_OK);
    rig_start(&wire.rig);
    *state = &wire.rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    free(wire.heard);
    return 0;
}

static void script_ring(void)
{
    assert_int_equal(send(wire.client_fd, "", 1, 0), 1);
}

static void script_append(const char *data, size_t len)
{
    assert_true(wire.script_len + len <= SCRIPT_MAX);
    memcpy(wire.script + wire.script_len, data, len);
    wire.script_len += len;
}

static void script_add(const char *text)
{
    script_append(text, strlen(text));
    script_ring();
}

static void script_repeat(const char *text, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        script_append(text, strlen(text));
    }
    script_ring();
}

static struct client play(void)
{
    const struct client c = client_open(&wire.rig);
    wire.client_fd = c.fd;
    return c;
}

/* Status lines that have come. */
static unsigned answers(void)
{
    static const char line[] = "HTTP/1.1 ";
    const char *end = wire.heard + wire.heard_len;
    const char *at = wire.heard + wire.looked_at;
    while ((at = memmem(at, (size_t)(end - at), line, sizeof(line) - 1)) != NULL) {
        wire.answers++;
        at += sizeof(line) - 1;
        wire.looked_at = (size_t)(at - wire.heard);
    }
    return wire.answers;
}

static void forget(void)
{
    wire.script_len = wire.script_at = wire.heard_len = wire.looked_at = 0;
    wire.answers = 0;
}

static void turn(void)
{
    rig_turn(&wire.rig);
}

/* Turns the loop until so many answers have come in all, and fails when no more come. */
static void hear(unsigned count)
{
    unsigned idle = 0;
    while (answers() < count && idle < IDLE_TURNS_MAX) {
        const size_t before = wire.heard_len;
        turn();
        if (wire.heard_len != before) {
            idle = 0;
        } else {
            (void)rig_idles(&wire.rig, &idle);
        }
    }
    if (answers() != count) {
        fail_msg("%u of %u answers; %zu of %zu bytes were read, which begin with %.*s", answers(),
                 count, wire.script_at, wire.script_len, (int)strcspn(wire.script, "\r"),
                 wire.script);
    }
}

static bool ends(struct client *c)
{
    return client_hears_end(&wire.rig, c) || c->is_reset; /* of bytes that nobody read */
}

static void test_a_burst_is_answered_to_its_end(void **state)
{
    static const struct {
        const char *request;
        unsigned count;
    } bursts[] = {
        {GET("/blob"), 400},
        {GET("/hello"), 3000},
        {GET("/big"), 60},
        {"HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n", 2000},
        {GET("/stream"), 100},
        {GET("/trickle"), 5},
        {GET("/nowhere"), 1000},
        {GET("/204"), 2000},
        {"PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" HUNDRED, 1000},
        {"PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n"
         "\r\n5\r\nhello\r\n0\r\n\r\n",
         1000},
    };
    (void)state;
    struct client c = play();
    for (size_t takes = 0; takes < 3; takes++) {
        for (size_t i = 0; i < sizeof(bursts) / sizeof(bursts[0]); i++) {
            static const size_t take_max[] = {SIZE_MAX, 30000, HTTP_OUTPUT_HIGH};
            wire.take_max = take_max[takes];
            wire.read_max = takes == 2 ? 1000 : SIZE_MAX;
            forget();
            script_repeat(bursts[i].request, bursts[i].count);
            hear(bursts[i].count);
        }
    }
    client_close(&c);
}

static void test_who_stops_sending_behind_a_burst_hears_all_of_it(void **state)
{
    (void)state;
    struct client c = play();
    script_repeat(GET("/blob"), 400);
    assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
    hear(400);
    assert_true(ends(&c));
    assert_true(rig_has_connections(&wire.rig, 0));
    client_close(&c);
}

static void test_a_close_within_a_burst_is_the_last_answer(void **state)
{
    struct rig *rig = *state;
    struct client c = play();
    script_repeat(GET("/blob"), 200);
    script_add("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    script_repeat(GET("/blob"), 200);
    hear(201);
    assert_true(ends(&c));
    assert_int_equal(answers(), 201);
    assert_int_equal(rig->handled, 201);
    client_close(&c);
}

static void test_deferred_answers_within_a_burst_come_in_their_order(void **state)
{
    struct rig *rig = *state;
    struct client c = play();
    struct http_response rs;
    http_response_init(&rs);
    for (unsigned i = 0; i < 20; i++) {
        script_repeat(GET("/blob"), 60);
        script_add(GET("/defer"));
    }
    for (unsigned i = 1; i <= 20; i++) {
        rig->deferred = 0;
        hear(61 * i - 1);
        assert_true(wait_for(rig, &rig->handled, 61 * i));
        http_set_body(&rs, 201, "text/plain", "later", 5);
        http_server_complete(rig->server, rig->deferred, &rs);
    }
    http_response_fini(&rs);
    hear(61 * 20);
    client_close(&c);
}

static void test_one_turn_of_a_connection_is_bounded(void **state)
{
    (void)state;
    struct client c = play();
    script_repeat(GET("/204"), 2000);
    hear(2000);
    assert_true(wire.burst_max > 1 && wire.burst_max <= HTTP_TURN_BYTES / HTTP_ANSWER_COST);
    wire.burst_max = 0;
    script_repeat("HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n", 500);
    hear(2500);
    assert_true(wire.burst_max <= HTTP_TURN_BYTES / BIG_BYTES + 1); /* bodies made for nothing */
    client_close(&c);
}

static void test_many_share_the_time_of_a_few(void **state)
{
    (void)state;
    assert_int_equal(http_conn_turn_bytes(0), HTTP_TURN_BYTES);
    assert_int_equal(http_conn_turn_bytes(HTTP_TURNS_WHOLE), HTTP_TURN_BYTES);
    assert_int_equal(http_conn_turn_bytes(4 * HTTP_TURNS_WHOLE), HTTP_TURN_BYTES / 4);
    assert_int_equal(http_conn_turn_bytes(UINT32_MAX), HTTP_TURN_BYTES_MIN);
}

static void test_others_have_their_turns_beside_an_endless_pipeline(void **state)
{
    struct rig *rig = *state;
    struct client c = play();
    struct client other = client_open(rig);
    script_repeat(GET("/big"), 1000);
    assert_int_equal(send(other.fd, GET("/hello"), strlen(GET("/hello")), 0),
                     (ssize_t)strlen(GET("/hello")));
    const uint64_t until = patience_begins();
    while (strstr(other.input, HELLO) == NULL && patience_now_ms() < until) {
        wire.script_at = wire.heard_len = 0;
        script_ring();
        client_turn(rig, &other);
    }
    assert_non_null(strstr(other.input, HELLO));
    client_close(&other);
    client_close(&c);
}

static void test_what_a_client_that_never_reads_sends_is_not_taken_without_end(void **state)
{
    struct rig *rig = *state;
    struct client c = play();
    wire.is_full = true;
    script_repeat(GET("/blob"), 2000);
    for (int i = 0; i < 200; i++) {
        turn();
    }
    assert_true(wire.script_at <= 2 * (size_t)HTTP_INPUT_MAX + strlen(GET("/blob")) * rig->handled);
    assert_true(rig->handled <= HTTP_OUTPUT_HIGH / 2000);
    wire.is_full = false;
    hear(2000);
    client_close(&c);
}

static size_t bytes_of_answer_to(const char *request)
{
    const unsigned before = answers();
    const size_t len_before = wire.heard_len;
    script_add(request);
    hear(before + 1);
    return wire.heard_len - len_before;
}

/* With a kernel that has all of it, and takes all of it. It was 17 and 9. */
static void test_a_mebibyte_takes_a_handful_of_system_calls_either_way(void **state)
{
    enum { MIB = 1 << 20 };
    (void)state;
    wire.rig.body_max = MIB;
    struct client c = play();
    script_append("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n",
                  strlen("PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"));
    memset(wire.script + wire.script_len, 'b', MIB);
    wire.script_len += MIB;
    wire.reads = wire.writes = 0;
    script_ring();
    hear(1);
    assert_int_equal(wire.script_at, wire.script_len);
    assert_in_range(wire.reads, 1, 8);
    assert_in_range(wire.writes, 1, 2); /* /echo answers with all of it */
    assert_true(wire.heard_len > MIB);
    client_close(&c);
}

/* The interim answer of the last PUT is what brings the output over the mark. */
static void test_a_body_behind_a_full_output_is_not_taken_without_end(void **state)
{
    enum { BODY = 200000 };
    char put[8192];
    (void)state;
    wire.rig.body_max = BODY;
    struct client c = play();
    const size_t blob_bytes = bytes_of_answer_to(GET("/blob"));
    const size_t echo_bytes = bytes_of_answer_to(
        "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n" THOUSAND THOUSAND THOUSAND);
    const unsigned blobs = (unsigned)((HTTP_OUTPUT_HIGH - echo_bytes) / blob_bytes);
    const size_t left = HTTP_OUTPUT_HIGH - 1 - blobs * blob_bytes - echo_bytes;
    assert_true(left < 3000);
    wire.is_full = true;
    script_repeat(GET("/blob"), blobs);
    (void)snprintf(put, sizeof(put),
                   "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n%s%0*d",
                   3000 + left, THOUSAND THOUSAND THOUSAND, (int)left, 0);
    script_add(put);
    (void)snprintf(put, sizeof(put),
                   "PUT /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: %d\r\n\r\n",
                   BODY);
    script_add(put);
    for (int i = 0; i < 20; i++) {
        turn();
    }
    assert_int_equal(wire.script_at, wire.script_len);
    const size_t before = wire.script_at;
    memset(wire.script + wire.script_len, 'b', BODY);
    wire.script_len += BODY;
    script_ring();
    for (int i = 0; i < 20; i++) {
        turn();
    }
    assert_true(wire.script_at - before <= HTTP_INPUT_MAX + HTTP_ROOM_BYTES + HTTP_DIRECT_BYTES);
    wire.is_full = false;
    hear(2 + blobs + 1 + 1 + 1);
    client_close(&c);
}

/* The socket takes nothing for long, as it makes room in large steps, but the client reads. */
static void test_a_reader_is_slow_by_what_it_reads_not_by_what_its_socket_takes(void **state)
{
    struct rig *rig = *state;
    http_server_free(rig->server);
    rig->config.request_timeout_ms = 500; /* in which 1,000 bytes are not slow */
    rig_start(rig);
    struct client c = play();
    script_repeat(GET("/big"), 2);
    hear(2); /* that is: they are in the kernel */
    wire.is_full = true;
    wire.in_kernel = 60000;
    wire.read_each_look = 1000;
    script_repeat(GET("/big"), 3);
    while (wire.in_kernel > 40000 && http_server_stats(rig->server).timeouts == 0) {
        rig_pass_ms(rig, rig->config.request_timeout_ms);
    }
    assert_int_equal(http_server_stats(rig->server).timeouts, 0);
    wire.read_each_look = 0;
    const uint64_t until = patience_begins();
    while (http_server_stats(rig->server).timeouts == 0 && rig_waits(rig, until)) {
        rig_pass_ms(rig, rig->config.request_timeout_ms);
    }
    assert_int_equal(http_server_stats(rig->server).timeouts, 1);
    assert_int_equal(http_server_stats(rig->server).connections, 0);
    client_close(&c);
}

static void test_a_stream_behind_a_full_output_begins_without_being_woken(void **state)
{
    struct rig *rig = *state;
    rig->say = "first";
    struct client c = play();
    script_repeat(GET("/blob"), 40);
    script_add(GET("/wake"));
    hear(41);
    for (unsigned idle = 0; *rig->say != '\0' && rig_idles(rig, &idle);) {
    }
    assert_string_equal(rig->say, "");
    client_close(&c);
}

static void test_a_stream_with_much_to_say_says_it_without_being_woken(void **state)
{
    struct rig *rig = *state;
    struct client c = play();
    script_add(GET("/pieces"));
    for (unsigned idle = 0;
         wire.heard_len < (size_t)PIECES * PIECE_BYTES && rig_idles(rig, &idle);) {
    }
    assert_true(wire.heard_len > (size_t)PIECES * PIECE_BYTES);
    client_close(&c);
}

static void test_what_is_left_of_a_burst_counts_as_in_progress(void **state)
{
    struct rig *rig = *state;
    struct client c = play();
    script_repeat(GET("/hello"), 300);
    wire.rig.handled = 0;
    for (unsigned idle = 0; rig->handled == 0 && rig_idles(rig, &idle);) {
    }
    assert_true(rig->handled == 300 || !http_server_is_idle(rig->server));
    hear(300);
    assert_true(http_server_is_idle(rig->server));
    client_close(&c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_burst_is_answered_to_its_end),
        TEST(test_who_stops_sending_behind_a_burst_hears_all_of_it),
        TEST(test_a_close_within_a_burst_is_the_last_answer),
        TEST(test_deferred_answers_within_a_burst_come_in_their_order),
        TEST(test_one_turn_of_a_connection_is_bounded),
        cmocka_unit_test(test_many_share_the_time_of_a_few),
        TEST(test_others_have_their_turns_beside_an_endless_pipeline),
        TEST(test_what_a_client_that_never_reads_sends_is_not_taken_without_end),
        TEST(test_a_mebibyte_takes_a_handful_of_system_calls_either_way),
        TEST(test_a_body_behind_a_full_output_is_not_taken_without_end),
        TEST(test_a_reader_is_slow_by_what_it_reads_not_by_what_its_socket_takes),
        TEST(test_a_stream_behind_a_full_output_begins_without_being_woken),
        TEST(test_a_stream_with_much_to_say_says_it_without_being_woken),
        TEST(test_what_is_left_of_a_burst_counts_as_in_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
