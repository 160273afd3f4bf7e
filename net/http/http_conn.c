#include "net/http/http_conn.h"

#include "core/base/assert.h"
#include "net/http/http_intake.h"
#include "net/http/http_output.h"
#include "net/http/http_phase.h"
#include "net/http/http_room.h"
#include "net/http/http_tls.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_reading(struct http_conn *c, bool is_on)
{
    if (c->is_on != is_on) {
        c->is_on = is_on;
        (void)(is_on ? event_add(&c->reader, NULL) : event_del(&c->reader));
    }
}

/* Whether the next request may begin while answers before it are late. */
static bool may_begin(const struct http_conn *c)
{
    return http_phase_is(c, HTTP_PHASE_DEFERRED) && !c->is_writing && !c->is_close &&
           c->is_keep_alive && !http_answer_source_is_active(&c->source) &&
           http_output_has_place(c);
}

static bool is_reading(const struct http_conn *c)
{
    return http_phase_is(c, HTTP_PHASE_IDLE) || http_phase_is(c, HTTP_PHASE_HEAD) ||
           http_phase_is(c, HTTP_PHASE_BODY) || may_begin(c);
}

/* Whether there is input that no event of the socket will tell of: TLS has read ahead. */
static bool has_read_ahead(const struct http_conn *c)
{
    return c->stream.has_more && c->is_on;
}

/* Whether it could go on now although no event will call it. That is so when it stopped because its
 * turn was over, or because there was enough output and that then left at once. */
static bool is_owed_a_turn(const struct http_conn *c)
{
    if (has_read_ahead(c)) {
        return true;
    }
    if (c->is_writing) {
        return false; /* on_writable() comes */
    }
    if (c->is_due) {
        return true;
    }
    return is_reading(c)
               ? (c->is_eof && !http_phase_is(c, HTTP_PHASE_DEFERRED)) || http_intake_has_some(c)
               : http_phase_is(c, HTTP_PHASE_ANSWER) && http_answer_source_is_active(&c->source);
}

/* Ends every entry from the loop: frees the connection if it has ended, else sees to it that it is
 * called again when it can go on. */
static void settle(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_CLOSED)) {
        http_conn_free(c);
        return;
    }
    set_reading(c, !c->is_eof && !http_phase_is(c, HTTP_PHASE_HELD) &&
                       http_input_len(&c->input) < HTTP_INPUT_MAX);
    if (is_owed_a_turn(c)) {
        c->shared->woken(c->shared, c);
    }
    http_phase_settle(c);
}

/* The client sends no more, and all it sent was used. */
static void on_input_end(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_IDLE)) {
        c->is_close = true;
        http_phase_enter(c, HTTP_PHASE_ANSWER);
    } else if (!http_phase_is(c, HTTP_PHASE_DEFERRED)) {
        c->shared->stats.requests_malformed++;
        http_intake_refuse(c, 400, "invalid_request", "the request ended before it was complete");
    }
}

/* Uses the input as far as the phase, the output and its turn allow, then writes what came of it.
 */
static void work(struct http_conn *c)
{
    struct evbuffer *output = c->output;
    bool is_stuck = false;
    c->made = 0;
    while (is_reading(c) && !is_stuck && c->made < c->shared->turn_bytes &&
           evbuffer_get_length(output) + c->late_bytes < HTTP_OUTPUT_HIGH) {
        is_stuck = !http_intake_step(c);
        if (http_phase_is(c, HTTP_PHASE_CLOSED)) {
            return; /* handed over, perhaps */
        }
    }
    if (is_stuck && is_reading(c) && c->is_eof) {
        on_input_end(c);
    }
    http_output_flush(c);
}

/* Events */

static void on_input_over(struct http_conn *c)
{
    c->is_eof = true;
    if (http_phase_is(c, HTTP_PHASE_LINGER) || c->source.is_waking) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    } else if (is_reading(c)) {
        work(c);
    }
}

/* There is new input. */
static void use_input(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_LINGER)) {
        http_output_linger(c);
    } else if (is_reading(c)) {
        work(c);
    }
    if (!http_phase_is(c, HTTP_PHASE_CLOSED) && http_input_keep(&c->input) != RC_OK) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    }
}

/* Where the next bytes of its body belong, as far as there is room for them. */
static size_t rooms_of(struct http_conn *c, struct iovec *ret_rooms)
{
    struct blob_room rooms[BLOB_ROOMS_MAX];
    size_t count = 0;
    size_t bytes = 0;
    if (http_phase_is(c, HTTP_PHASE_BODY) && c->stream.ssl == NULL &&
        http_input_len(&c->input) == 0) {
        count = http_parse_rooms(c->parse, HTTP_DIRECT_BYTES, rooms);
    }
    for (size_t i = 0; i < count; i++) {
        ret_rooms[i] = (struct iovec){.iov_base = rooms[i].at, .iov_len = rooms[i].len};
        bytes += rooms[i].len;
    }
    return count > 0 && http_room_has(c, http_room_body_here(c) + bytes) ? count : 0;
}

/* Uses what was read, room by room. */
static void use_rooms(struct http_conn *c, const struct iovec *rooms, size_t len)
{
    for (size_t i = 0; len > 0 && !http_phase_is(c, HTTP_PHASE_CLOSED); i++) {
        const size_t piece = len < rooms[i].iov_len ? len : rooms[i].iov_len;
        http_input_take(&c->input, rooms[i].iov_base, piece);
        use_input(c);
        len -= piece;
    }
}

static void take_input(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    struct iovec rooms[BLOB_ROOMS_MAX + 1] = {0};
    const size_t size = http_phase_is(c, HTTP_PHASE_BODY) ? sizeof(shared->room) : HTTP_INPUT_MAX;
    size_t count = rooms_of(c, rooms);
    size_t len = 0;
    rooms[count++] = (struct iovec){.iov_base = shared->room, .iov_len = size};
    const enum rc rc = stream_read_into(&c->stream, rooms, count, &len);
    if (rc == RC_AGAIN) {
        return;
    }
    c->is_silent = false;
    if (rc == RC_OK) {
        use_rooms(c, rooms, len);
    } else if (rc == RC_CLOSED) {
        on_input_over(c);
    } else {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;
    (void)fd;
    (void)what;
    if (http_phase_is(c, HTTP_PHASE_HANDSHAKE)) {
        http_tls_read(c);
    } else if (!c->is_silent || !http_tls_begin(c)) {
        take_input(c);
    }
    settle(c);
}

/* The socket has taken so much that there may be more. */
static void on_drained(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_ANSWER) && http_answer_source_is_active(&c->source)) {
        http_output_fill(c);
    }
    if (!http_phase_is(c, HTTP_PHASE_CLOSED) && evbuffer_get_length(c->output) == 0) {
        http_output_set_writing(c, false);
        http_output_flush(c);
    }
}

void http_conn_go_on(struct http_conn *c)
{
    if (!is_owed_a_turn(c)) {
        return; /* new input came first, and was used with what was here */
    }
    if (has_read_ahead(c)) {
        take_input(c);
    } else if (is_reading(c)) {
        work(c);
    } else if (http_phase_is(c, HTTP_PHASE_ANSWER) && http_answer_source_is_active(&c->source)) {
        http_output_fill(c);
    }
    http_output_flush(c);
    settle(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;
    (void)fd;
    (void)what;
    if (http_phase_is(c, HTTP_PHASE_HANDSHAKE)) {
        http_tls_go_on(c);
    } else if (stream_send(&c->stream, c->output, HTTP_OUTPUT_BLOB) != RC_OK) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    } else if (evbuffer_get_length(c->output) <= HTTP_OUTPUT_LOW) {
        on_drained(c);
    }
    settle(c);
}

/* From outside */

uint64_t http_conn_turn_bytes(uint32_t woken_count)
{
    const uint64_t all = (uint64_t)HTTP_TURNS_WHOLE * HTTP_TURN_BYTES;
    const uint64_t share = woken_count <= HTTP_TURNS_WHOLE ? HTTP_TURN_BYTES : all / woken_count;
    return share > HTTP_TURN_BYTES_MIN ? share : HTTP_TURN_BYTES_MIN;
}

static void free_streams(struct http_conn *c)
{
    stream_close(&c->stream);
    if (c->output != NULL) {
        evbuffer_free(c->output);
    }
    if (c->input.kept != NULL) {
        evbuffer_free(c->input.kept);
    }
    free(c);
}

struct http_conn *http_conn_new(struct http_shared *shared, int fd, const struct addr *peer,
                                uint32_t slot, bool is_over)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        (void)close(fd);
        return NULL;
    }
    c->shared = shared;
    c->stream = stream_plain(fd);
    c->peer = *peer;
    c->slot = slot;
    c->is_over = is_over;
    c->output = evbuffer_new();
    c->input.kept = evbuffer_new();
    (void)event_assign(&c->reader, shared->config.base, fd, EV_READ | EV_PERSIST, on_readable, c);
    (void)event_assign(&c->writer, shared->config.base, fd, EV_WRITE | EV_PERSIST, on_writable, c);
    /* Without the event it would be open, and heard by nobody. */
    if (c->output == NULL || c->input.kept == NULL || event_add(&c->reader, NULL) != 0) {
        free_streams(c);
        return NULL;
    }
    TAILQ_INIT(&c->late);
    c->is_on = true;
    c->is_silent = true;
    shared->stats.connections++;
    TAILQ_INSERT_TAIL(&shared->phases[HTTP_PHASE_IDLE], c, entry);
    c->listed = HTTP_PHASE_IDLE;
    http_phase_enter(c, HTTP_PHASE_IDLE);
    http_phase_settle(c);
    return c;
}

void http_conn_hurry(struct http_conn *c)
{
    http_intake_begin(c);
    settle(c);
}

void http_conn_free(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    TAILQ_REMOVE(&shared->phases[c->listed], c, entry);
    shared->closed(shared, c);
    shared->stats.connections--;
    http_tls_release(c);
    http_intake_release(c);
    http_answer_source_drop(&c->source);
    http_output_drop_late(c);
    set_reading(c, false);
    http_output_set_writing(c, false);
    free_streams(c);
}

void http_conn_complete(struct http_conn *c, uint64_t id, struct http_response *rs)
{
    ASSERT(rs->kind != HTTP_BODY_DEFER && rs->kind != HTTP_BODY_UPGRADE);
    http_output_complete(c, id, rs);
    if (c->late_count == 0) {
        http_output_flush(c);
    }
    /* While others are late they may be answered in the same turn, and then leave in one write.
     * Pipelined requests behind it get a turn of their own, too: the caller may be in the middle of
     * something that the next request's handler would disturb. */
    settle(c);
}

/* Whether too little passed since the window began; if not, another one begins. */
static bool is_slow(struct http_conn *c)
{
    const uint64_t wanted =
        (uint64_t)HTTP_RATE_MIN * c->shared->config.request_timeout_ms / UINT64_C(1000);
    if (http_phase_progress(c) - c->mark < (wanted > 0 ? wanted : 1)) {
        c->shared->stats.timeouts++;
        return true;
    }
    c->is_refreshed = true;
    return false;
}

void http_conn_expire(struct http_conn *c)
{
    switch ((enum http_phase)c->phase) {
    case HTTP_PHASE_HANDSHAKE:
        http_tls_expire(c);
        break;
    case HTTP_PHASE_HEAD:
        c->shared->stats.timeouts++;
        http_intake_refuse(c, 408, "invalid_request", "the headers took too long");
        http_output_flush(c);
        break;
    case HTTP_PHASE_BODY:
        if (is_slow(c)) {
            http_intake_refuse(c, 408, "invalid_request", "the body took too long");
            http_output_flush(c);
        }
        break;
    case HTTP_PHASE_HELD:
        http_intake_refuse(c, 503, "overloaded", "no room for the body; try again");
        http_output_flush(c);
        break;
    case HTTP_PHASE_ANSWER:
        if (is_slow(c)) {
            http_output_reset(c);
        }
        break;
    case HTTP_PHASE_PAUSED:
        http_output_fill(c);
        http_output_flush(c);
        break;
    case HTTP_PHASE_IDLE:
    case HTTP_PHASE_LINGER:
    case HTTP_PHASE_DEFERRED:
    case HTTP_PHASE_WAITING:
    case HTTP_PHASE_CLOSED:
    case HTTP_PHASES:
        http_phase_enter(c, HTTP_PHASE_CLOSED);
        break;
    }
    settle(c);
}

void http_conn_outpaced(struct http_conn *c)
{
    c->shared->stats.bodies_outpaced++;
    http_intake_refuse(c, 408, "overloaded",
                       "others waited for room, and the body came too slowly");
    http_output_flush(c);
    settle(c);
}

void http_conn_wake(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_WAITING)) {
        http_output_wake(c);
        settle(c);
    }
}

void http_conn_hold(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_BODY)) {
        http_intake_start_body(c);
        settle(c);
    }
}

bool http_conn_resume(struct http_conn *c)
{
    ASSERT(http_phase_is(c, HTTP_PHASE_HELD));
    if (!http_intake_has_room(c)) {
        return false;
    }
    http_intake_start_body(c);
    http_output_flush(c);
    settle(c);
    return true;
}

void http_conn_drain(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_HANDSHAKE)) {
        http_tls_drain(c);
        settle(c);
    } else if (http_phase_is(c, HTTP_PHASE_IDLE) && !http_intake_has_some(c)) {
        c->is_close = true;
        c->is_lingering = true;
        http_output_end(c);
        settle(c);
    }
}
