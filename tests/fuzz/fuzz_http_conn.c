/*
 * fuzz_http_conn: any sequence of requests on one connection, in any pieces, to any reader.
 *
 * The bytes choose: how much is sent and how much is read between two turns of the loop, how large
 * the socket's buffer is, whether bodies are held now and then, whether the client stops sending
 * behind the last request; then, two bytes each, which request and how often. Whatever they are,
 * when everything was sent and read there is an answer to each request that should have one, every
 * byte of them has come, and no buffer was ever larger than it may be.
 *
 * The socket is a pair on this machine that needs no time: when some turns bring nothing more,
 * nothing more is to come.
 */
#include "core/base/assert.h"
#include "core/store/record.h"
#include "net/http/http_conn.h"
#include "net/http/http_output.h"
#include "net/http/http_phase.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    HEAD_BYTES = 4,
    SENT_MAX = 64 * 1024,
    ANSWERS_MAX = 600 * 1024, /* bytes, roughly */
    BODY_MAX = 20000,
    SMALL = 250,
    BIG_BYTES = 30000,
    PIECE_BYTES = 20000,
    PIECES = 5,
    TURNS_MAX = 100000, /* far more than anything here takes */
    QUIET_TURNS = 9,    /* two rounds of holding bodies, and one more */
};

enum effect { ANSWERED, CLOSES, REFUSED };

static const struct kind {
    const char *text;
    enum effect effect;
    size_t answer_bytes; /* about */
} kinds[] = {
    {"GET /small HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, SMALL},
    {"GET /big HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, BIG_BYTES},
    {"HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, SMALL},
    {"GET /blob HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, (size_t)3 * BIG_BYTES},
    {"GET /pieces HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, (size_t)PIECES *PIECE_BYTES},
    {"GET /later HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, SMALL},
    {"\r\n\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n", ANSWERED, SMALL},
    {"PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789", ANSWERED, SMALL},
    {"PUT /later HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
     "5;x=y\r\nhello\r\n0\r\nT: v\r\n\r\n",
     ANSWERED, SMALL},
    {"PUT /small HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
     ANSWERED, SMALL},
    {"PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n", ANSWERED,
     SMALL}, /* and so many */
    {"GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", CLOSES, SMALL},
    {"GET /big HTTP/1.0\r\n\r\n", CLOSES, BIG_BYTES},
    {"PUT /small HTTP/1.1\r\nHost: a\r\nContent-Length: 20001\r\n\r\n", REFUSED, SMALL},
    {"GET /small HTTP/1.1\r\n\r\n", REFUSED, SMALL},
    {"\n", REFUSED, SMALL},
};

/* One connection and its client. */
struct pair {
    struct http_shared shared;
    struct http_conn *conn; /* NULL: it has ended */
    struct blob *blob;
    bool is_woken;
    unsigned pieces;
    int fd;
    uint8_t sent[SENT_MAX];
    size_t sent_len, sent_at;
    bool is_half_closed, has_ended;
    uint64_t heard;
    uint64_t wanted;              /* answers */
    uint64_t late[HTTP_LATE_MAX]; /* exchanges that are to be answered later */
    size_t late_count;
    unsigned completed;
};

static struct pair pair;

static void on_deadline(struct http_shared *shared, uint64_t at_ms)
{
    (void)shared;
    (void)at_ms;
}

static void on_woken(struct http_shared *shared, struct http_conn *c)
{
    (void)shared;
    (void)c;
    pair.is_woken = true;
}

static void on_roomy(struct http_shared *shared)
{
    (void)shared;
}

static void on_closed(struct http_shared *shared, struct http_conn *c)
{
    (void)shared;
    ASSERT(c == pair.conn);
    pair.conn = NULL;
    pair.is_woken = false;
}

static struct http_route route(void *arg, const struct http_request *rq)
{
    (void)arg;
    (void)rq;
    return (struct http_route){.body_max = BODY_MAX};
}

static bool produce(void *arg, struct buf *out)
{
    static const uint8_t piece[PIECE_BYTES];
    (void)arg;
    return buf_append(out, piece, sizeof(piece)) == RC_OK && ++pair.pieces % PIECES != 0;
}

static void handle(void *arg, const struct http_request *rq, struct http_response *rs)
{
    static const char big[BIG_BYTES];
    (void)arg;
    switch (rq->path.data[rq->path.len - 1]) {
    case 'g':
        http_set_body(rs, 200, "text/plain", big, sizeof(big));
        break;
    case 'b':
        rs->kind = HTTP_BODY_BLOB;
        rs->blob = blob_hold(pair.blob);
        break;
    case 's':
        rs->kind = HTTP_BODY_STREAM;
        rs->produce = produce;
        rs->is_waking = true;
        break;
    case 'r':
        rs->kind = HTTP_BODY_DEFER;
        rs->is_brief = true;
        ASSERT(pair.late_count < HTTP_LATE_MAX);
        pair.late[pair.late_count++] = rq->id;
        break;
    default:
        http_set_body(rs, 200, "text/plain", "small", 5);
        break;
    }
}

static void pair_init(struct event_base *base, bool is_narrow)
{
    static const uint8_t value[3 * BIG_BYTES];
    const int narrow = 4096;
    int fds[2];
    memset(&pair, 0, sizeof(pair));
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    if (is_narrow) {
        (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &narrow, sizeof(narrow));
    }
    pair.fd = fds[1];
    pair.blob = blob_new(NULL, sizeof(value));
    ASSERT(blob_append(pair.blob, value, sizeof(value)) == RC_OK);
    pair.shared.config = (struct http_server_config){.base = base,
                                                     .bodies_bytes_max = UINT64_MAX,
                                                     .idle_timeout_ms = 1000,
                                                     .request_timeout_ms = 1000,
                                                     .route = route,
                                                     .handle = handle};
    pair.shared.deadline = on_deadline;
    pair.shared.turn_bytes = http_conn_turn_bytes(1);
    pair.shared.woken = on_woken;
    pair.shared.roomy = on_roomy;
    pair.shared.closed = on_closed;
    for (int phase = 0; phase < HTTP_PHASES; phase++) {
        TAILQ_INIT(&pair.shared.phases[phase]);
    }
    http_response_init(&pair.shared.scratch);
    buf_init(&pair.shared.piece, HTTP_PIECE_MAX);
    const struct addr from = {.port = 1};
    pair.conn = http_conn_new(&pair.shared, fds[0], &from, 0, false);
    ASSERT(pair.conn != NULL);
}

static void pair_fini(void)
{
    if (pair.conn != NULL) {
        http_conn_free(pair.conn);
    }
    while (pair.shared.spare_count > 0) {
        http_parse_free(pair.shared.spare[--pair.shared.spare_count]);
    }
    (void)close(pair.fd);
    blob_release(pair.blob);
    http_output_free_spare(&pair.shared);
    http_response_fini(&pair.shared.scratch);
    buf_fini(&pair.shared.piece);
}

/* The requests, and how many of them have answers. */
static void write_script(const uint8_t *data, size_t size)
{
    bool is_over = false;
    size_t answer_bytes = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        const struct kind *kind = &kinds[data[i] % (sizeof(kinds) / sizeof(kinds[0]))];
        const size_t len = strlen(kind->text);
        const size_t body = strstr(kind->text, ": 20000\r") != NULL ? BODY_MAX : 0;
        for (int left = 1 + data[i + 1]; left > 0; left--) {
            answer_bytes += kind->answer_bytes;
            if (pair.sent_len + len + body > SENT_MAX || answer_bytes > ANSWERS_MAX) {
                return;
            }
            memcpy(pair.sent + pair.sent_len, kind->text, len);
            memset(pair.sent + pair.sent_len + len, 'b', body);
            pair.sent_len += len + body;
            pair.wanted += !is_over;
            is_over |= kind->effect != ANSWERED;
        }
    }
}

/* Each returns whether it came any further. */

static bool client_sends(size_t most)
{
    const size_t left = pair.sent_len - pair.sent_at;
    if (left == 0) {
        return false;
    }
    const ssize_t len =
        send(pair.fd, pair.sent + pair.sent_at, left < most ? left : most, MSG_NOSIGNAL);
    pair.sent_at += len > 0 ? (size_t)len : 0;
    return len > 0;
}

static bool client_reads(size_t most)
{
    static uint8_t room[64 * 1024];
    if (pair.has_ended || most == 0) {
        return false;
    }
    const ssize_t len = recv(pair.fd, room, most < sizeof(room) ? most : sizeof(room), 0);
    pair.heard += len > 0 ? (uint64_t)len : 0;
    pair.has_ended = len == 0;
    return len >= 0;
}

/* It grows with every byte that the server takes or makes. */
static uint64_t server_moved(void)
{
    return pair.shared.stats.bytes_out + (pair.conn != NULL ? pair.conn->moved : 0);
}

/* Answers those that are late: every second time from the last one on, at times all but one. */
static void complete(void)
{
    const size_t kept = pair.late_count > 1 && pair.completed % 3 == 0 ? 1 : 0;
    while (pair.late_count > kept) {
        const bool is_last = pair.completed++ % 2 == 0;
        const uint64_t id = is_last ? pair.late[pair.late_count - 1] : pair.late[0];
        struct http_response rs;
        pair.late_count--;
        if (!is_last) {
            memmove(pair.late, pair.late + 1, pair.late_count * sizeof(pair.late[0]));
        }
        if (pair.conn == NULL || !http_output_awaits(pair.conn, id)) {
            continue;
        }
        http_response_init(&rs);
        http_set_body(&rs, 201, "text/plain", "later", 5);
        http_conn_complete(pair.conn, id, &rs);
        http_response_fini(&rs);
    }
}

static bool server_turns(struct event_base *base)
{
    const uint64_t before = server_moved();
    const bool was_owed = pair.is_woken || pair.late_count > 0;
    (void)event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    if (pair.is_woken && pair.conn != NULL) {
        pair.is_woken = false;
        http_conn_go_on(pair.conn);
    }
    complete();
    return was_owed || before != server_moved();
}

static void hold_bodies(bool is_held)
{
    pair.shared.is_held = is_held;
    if (pair.conn != NULL && is_held) {
        http_conn_hold(pair.conn);
    }
    if (pair.conn != NULL && !is_held && http_phase_is(pair.conn, HTTP_PHASE_HELD)) {
        ASSERT(http_conn_resume(pair.conn));
    }
}

static void check_bounds(void)
{
    if (pair.conn != NULL) {
        ASSERT(http_input_len(&pair.conn->input) <= 2 * HTTP_INPUT_MAX + HTTP_ROOM_BYTES);
        ASSERT(evbuffer_get_length(pair.conn->output) <=
               HTTP_OUTPUT_HIGH + 3 * BIG_BYTES + HTTP_PIECE_MAX);
    }
}

/* Until nothing moves any more. */
static void run(struct event_base *base, size_t send_most, size_t read_most, bool has_holds)
{
    int quiet = 0;
    for (unsigned turns = 0; quiet < QUIET_TURNS && turns < TURNS_MAX; turns++) {
        if (has_holds) {
            hold_bodies(turns % 4 < 2);
        }
        bool has_moved = client_sends(send_most);
        has_moved |= server_turns(base);
        check_bounds();
        has_moved |= client_reads(read_most);
        quiet = has_moved ? 0 : quiet + 1;
    }
    ASSERT(quiet == QUIET_TURNS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct event_base *base;
    if (size < HEAD_BYTES) {
        return 0;
    }
    if (base == NULL) {
        (void)signal(SIGPIPE, SIG_IGN);
        base = event_base_new();
    }
    const size_t send_most = data[0] < 16 ? (size_t)data[0] + 20 : (size_t)data[0] * 512;
    const size_t read_most = data[1] == 0 ? 0 : (size_t)data[1] * 512;
    const bool has_holds = (data[2] & 2) != 0;
    pair_init(base, (data[2] & 1) != 0);
    write_script(data + HEAD_BYTES, size - HEAD_BYTES);
    run(base, send_most, read_most, has_holds);
    hold_bodies(false);
    run(base, SIZE_MAX, SIZE_MAX, false); /* one that read nothing so far reads it now */
    if ((data[2] & 4) != 0) {
        (void)shutdown(pair.fd, SHUT_WR);
        run(base, SIZE_MAX, SIZE_MAX, false);
        ASSERT(pair.conn == NULL && pair.has_ended);
    }
    ASSERT(pair.shared.stats.requests_total == pair.wanted);
    ASSERT(pair.heard == pair.shared.stats.bytes_out);
    pair_fini();
    return 0;
}
