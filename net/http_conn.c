#include "net/http_conn.h"

#include "core/assert.h"
#include "net/http_intake.h"
#include "net/http_phase.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void set_reading(struct http_conn *c, bool is_on)
{
    if (c->is_on != is_on) {
        c->is_on = is_on;
        (void)(is_on ? event_add(&c->reader, NULL) : event_del(&c->reader));
    }
}

static bool is_reading(const struct http_conn *c)
{
    return http_phase_is(c, HTTP_PHASE_IDLE) || http_phase_is(c, HTTP_PHASE_HEAD) ||
           http_phase_is(c, HTTP_PHASE_BODY);
}

/* Whether it could go on now, and nothing that is still to come would make it: it stopped because
 * it had its turn, or because there was enough output, which then left at once. */
static bool is_owed_a_turn(const struct http_conn *c)
{
    if (c->is_writing) {
        return false; /* on_write() comes */
    }
    return is_reading(c) ? c->is_eof || http_intake_has_some(c)
                         : http_phase_is(c, HTTP_PHASE_ANSWER) && http_source_is_active(&c->source);
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

/* The end of a connection */

void http_conn_close(struct http_conn *c)
{
    const bool was_deferred = http_phase_is(c, HTTP_PHASE_DEFERRED);
    http_phase_enter(c, HTTP_PHASE_CLOSED);
    if (was_deferred) {
        c->shared->config.gone(c->shared->config.arg, c->id);
    }
}

/* What the kernel still holds for a client that does not read it is dropped too. */
static void reset(struct http_conn *c)
{
    const struct linger hard = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(bufferevent_getfd(c->bev), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    http_conn_close(c);
}

static void drain_lingering(struct http_conn *c)
{
    const size_t len = http_input_len(&c->input);
    c->moved += len;
    http_input_drop(&c->input, len);
    if (c->moved >= HTTP_LINGER_BYTES || c->is_eof) {
        http_conn_close(c);
    }
}

/* The last answer has left. Closing a socket with unread input resets it, and the reset can take
 * the answer with it: so while the client may be sending, it is first let finish (RFC 9112 section
 * 9.6). */
static void end(struct http_conn *c)
{
    const bool has_input = http_input_len(&c->input) > 0;
    if (c->is_eof || (!c->is_lingering && !has_input)) {
        http_conn_close(c);
        return;
    }
    (void)shutdown(bufferevent_getfd(c->bev), SHUT_WR);
    http_phase_enter(c, HTTP_PHASE_LINGER);
    c->moved = 0;
    drain_lingering(c);
}

/* Output */

static void set_writing(struct http_conn *c, bool is_writing)
{
    if (c->is_writing != is_writing) {
        c->is_writing = is_writing;
        (void)(is_writing ? bufferevent_enable(c->bev, EV_WRITE)
                          : bufferevent_disable(c->bev, EV_WRITE));
    }
}

static void count_out(struct http_conn *c, size_t before)
{
    const size_t added = evbuffer_get_length(bufferevent_get_output(c->bev)) - before;
    c->moved += added;
    c->shared->stats.bytes_out += added;
}

/* The whole answer stands in the output. */
static void answered(struct http_conn *c)
{
    const bool is_waiting = c->is_writing || c->is_close;
    http_phase_enter(c, is_waiting ? HTTP_PHASE_ANSWER : HTTP_PHASE_IDLE);
}

/* More of a blob or a stream. */
static void fill(struct http_conn *c)
{
    struct evbuffer *output = bufferevent_get_output(c->bev);
    const size_t before = evbuffer_get_length(output);
    const enum rc rc = http_source_fill(&c->source, output, &c->shared->piece);
    c->is_dry = rc == RC_AGAIN;
    count_out(c, before);
    if (rc != RC_OK && rc != RC_AGAIN) {
        reset(c);
    } else if (!http_source_is_active(&c->source)) {
        answered(c);
    } else if (!http_phase_is(c, HTTP_PHASE_ANSWER)) {
        http_phase_enter(c, HTTP_PHASE_ANSWER);
    }
}

/* Writes what it can now; the rest is left to the loop. */
static void flush(struct http_conn *c)
{
    struct evbuffer *output = bufferevent_get_output(c->bev);
    if (http_phase_is(c, HTTP_PHASE_CLOSED) || http_phase_is(c, HTTP_PHASE_LINGER) ||
        c->is_writing) {
        return;
    }
    if (http_source_is_active(&c->source) && !c->source.is_waking &&
        evbuffer_get_length(output) > 0) {
        set_writing(c, true); /* one filling a turn, so that a fast reader does not keep the loop */
        return;
    }
    if (evbuffer_get_length(output) > 0) {
        /* A bufferevent freezes the front of its output against everybody but itself. */
        (void)evbuffer_unfreeze(output, 1);
        const int written = evbuffer_write(output, bufferevent_getfd(c->bev));
        const int error = errno;
        (void)evbuffer_freeze(output, 1);
        if (written < 0 && error != EAGAIN && error != EINTR) {
            http_conn_close(c);
            return;
        }
    }
    if (evbuffer_get_length(output) > 0) {
        set_writing(c, true);
        if (http_phase_is(c, HTTP_PHASE_IDLE)) {
            http_phase_enter(c, HTTP_PHASE_ANSWER);
        }
    } else if (http_phase_is(c, HTTP_PHASE_ANSWER)) {
        if (http_source_is_active(&c->source)) {
            if (c->is_dry) {
                http_phase_enter(c, c->source.is_waking ? HTTP_PHASE_WAITING : HTTP_PHASE_PAUSED);
            }
        } else if (c->is_close || c->shared->is_draining) {
            c->is_lingering |= !c->is_close;
            end(c);
        } else {
            http_phase_enter(c, HTTP_PHASE_IDLE);
        }
    }
}

/* Answers */

static void count_answer(struct http_conn *c, int status)
{
    struct http_server_stats *stats = &c->shared->stats;
    stats->requests_total++;
    stats->requests_by_class[status >= 100 && status < 600 ? status / 100 : 5]++;
}

static struct http_answer framing_of(const struct http_conn *c, const struct http_response *rs)
{
    struct http_answer a = {
        .is_bodiless = c->is_head, .is_close = c->is_close, .is_keep_alive_named = c->is_http10};
    if (rs->status == 204 || rs->status == 304) {
        a.length = HTTP_LENGTH_NONE;
        a.is_bodiless = true;
    } else if (rs->kind == HTTP_BODY_STREAM) {
        a.length = c->is_http10 ? HTTP_LENGTH_UNTIL_CLOSE : HTTP_LENGTH_CHUNKED;
    } else {
        a.length = HTTP_LENGTH_KNOWN;
        a.body_len = rs->kind == HTTP_BODY_BLOB ? blob_len(rs->blob) : rs->bytes.len;
    }
    return a;
}

static void hand_over(struct http_conn *c, const struct http_response *rs)
{
    struct bufferevent *bev = c->bev;
    struct http_shared *shared = c->shared;
    const struct addr peer = c->peer;
    if (http_answer_upgrade(bufferevent_get_output(bev), rs) != RC_OK) {
        http_conn_close(c);
        return;
    }
    set_reading(c, false);
    if (http_input_keep(&c->input) != RC_OK) {
        http_conn_close(c);
        return;
    }
    (void)evbuffer_freeze(bufferevent_get_input(bev), 0);
    bufferevent_setcb(bev, NULL, NULL, NULL, NULL);
    bufferevent_setwatermark(bev, EV_WRITE, 0, 0);
    (void)bufferevent_set_max_single_write(bev, 0);
    (void)bufferevent_enable(bev, EV_READ | EV_WRITE);
    c->bev = NULL;
    http_phase_enter(c, HTTP_PHASE_CLOSED);
    shared->config.upgraded(shared->config.arg, bev, &peer);
}

void http_conn_answer(struct http_conn *c, struct http_response *rs)
{
    if (rs->kind == HTTP_BODY_DEFER) {
        http_phase_enter(c, HTTP_PHASE_DEFERRED);
        return;
    }
    if (rs->kind == HTTP_BODY_UPGRADE) {
        count_answer(c, 101);
        hand_over(c, rs);
        return;
    }
    count_answer(c, rs->status);
    c->made += HTTP_ANSWER_COST + rs->bytes.len;
    if (rs->is_close || c->shared->is_draining || c->is_over) {
        c->is_close = true;
        c->is_lingering = true;
    }
    c->is_close |= !c->is_keep_alive || (rs->kind == HTTP_BODY_STREAM && c->is_http10);
    const struct http_answer framing = framing_of(c, rs);
    struct evbuffer *output = bufferevent_get_output(c->bev);
    const size_t before = evbuffer_get_length(output);
    if (http_answer_write(output, &framing, rs, http_date_line(&c->shared->date, time(NULL))) !=
        RC_OK) {
        reset(c);
        return;
    }
    count_out(c, before);
    if (rs->kind == HTTP_BODY_BYTES || framing.is_bodiless) {
        answered(c);
        return;
    }
    http_source_take(&c->source, rs, framing.length == HTTP_LENGTH_CHUNKED);
    if (c->source.is_waking) {
        const int size = HTTP_WAKING_SNDBUF;
        const unsigned unacked_ms = HTTP_WAKING_UNACKED_MS;
        const int fd = bufferevent_getfd(c->bev);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
    }
    fill(c);
}

/* An error of the server's own. After it nothing more is read: what would follow cannot be trusted,
 * or is not wanted. */
void http_conn_refuse(struct http_conn *c, int status, const char *code, const char *detail)
{
    struct http_response *rs = &c->shared->scratch;
    http_response_clear(rs);
    http_problem(rs, status, code, "%s", detail);
    c->is_keep_alive = false;
    c->is_lingering = true;
    http_intake_release(c);
    http_conn_answer(c, rs);
    http_response_clear(rs);
}

/* The client sends no more, and all it sent was used. */
static void on_input_end(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_IDLE)) {
        c->is_close = true;
        http_phase_enter(c, HTTP_PHASE_ANSWER);
    } else {
        c->shared->stats.requests_malformed++;
        http_conn_refuse(c, 400, "invalid_request", "the request ended before it was complete");
    }
}

/* Uses the input as far as the phase, the output and its turn allow, then writes what came of it.
 */
static void work(struct http_conn *c)
{
    struct evbuffer *output = bufferevent_get_output(c->bev);
    bool is_stuck = false;
    c->made = 0;
    while (is_reading(c) && !is_stuck && c->made < c->shared->turn_bytes &&
           evbuffer_get_length(output) < HTTP_OUTPUT_HIGH) {
        is_stuck = !http_intake_step(c);
        if (c->bev == NULL) {
            return; /* handed over */
        }
    }
    if (is_stuck && is_reading(c) && c->is_eof) {
        on_input_end(c);
    }
    flush(c);
}

/* Events */

static void on_input_over(struct http_conn *c)
{
    c->is_eof = true;
    if (http_phase_is(c, HTTP_PHASE_LINGER) || c->source.is_waking) {
        http_conn_close(c);
    } else if (is_reading(c)) {
        work(c);
    }
}

/* There is new input. */
static void use_input(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_LINGER)) {
        drain_lingering(c);
    } else if (is_reading(c)) {
        work(c);
    }
    if (!http_phase_is(c, HTTP_PHASE_CLOSED) && http_input_keep(&c->input) != RC_OK) {
        http_conn_close(c);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;
    struct http_shared *shared = c->shared;
    const size_t size = http_phase_is(c, HTTP_PHASE_BODY) ? sizeof(shared->room) : HTTP_INPUT_MAX;
    (void)what;
    const enum rc rc = http_input_read(&c->input, fd, shared->room, size);
    if (rc == RC_OK) {
        use_input(c);
    } else if (rc == RC_CLOSED) {
        on_input_over(c);
    } else if (rc != RC_AGAIN) {
        http_conn_close(c);
    }
    settle(c);
}

void http_conn_go_on(struct http_conn *c)
{
    if (!is_owed_a_turn(c)) {
        return; /* new input came first, and was used with what was here */
    }
    if (is_reading(c)) {
        work(c);
    } else {
        fill(c);
        flush(c);
    }
    settle(c);
}

static void on_write(struct bufferevent *bev, void *arg)
{
    struct http_conn *c = arg;
    if (http_phase_is(c, HTTP_PHASE_ANSWER) && http_source_is_active(&c->source)) {
        fill(c);
    }
    if (!http_phase_is(c, HTTP_PHASE_CLOSED) &&
        evbuffer_get_length(bufferevent_get_output(bev)) == 0) {
        set_writing(c, false);
        flush(c);
    }
    settle(c);
}

/* Only writing can fail here: the bufferevent does not read. */
static void on_event(struct bufferevent *bev, short what, void *arg)
{
    struct http_conn *c = arg;
    (void)bev;
    (void)what;
    http_conn_close(c);
    settle(c);
}

/* From outside */

uint64_t http_conn_turn_bytes(uint32_t woken_count)
{
    const uint64_t all = (uint64_t)HTTP_TURNS_WHOLE * HTTP_TURN_BYTES;
    const uint64_t share = woken_count <= HTTP_TURNS_WHOLE ? HTTP_TURN_BYTES : all / woken_count;
    return share > HTTP_TURN_BYTES_MIN ? share : HTTP_TURN_BYTES_MIN;
}

struct http_conn *http_conn_new(struct http_shared *shared, int fd, const struct addr *peer,
                                uint32_t slot, bool is_over)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    struct bufferevent *bev =
        c == NULL ? NULL : bufferevent_socket_new(shared->config.base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        free(c);
        (void)close(fd);
        return NULL;
    }
    c->shared = shared;
    c->bev = bev;
    c->peer = *peer;
    c->slot = slot;
    c->is_over = is_over;
    c->input.kept = bufferevent_get_input(bev);
    (void)evbuffer_unfreeze(c->input.kept, 0);
    bufferevent_setcb(bev, NULL, on_write, on_event, c);
    bufferevent_setwatermark(bev, EV_WRITE, HTTP_OUTPUT_LOW, 0);
    (void)bufferevent_set_max_single_write(bev, HTTP_OUTPUT_HIGH);
    (void)bufferevent_disable(bev, EV_READ | EV_WRITE);
    (void)event_assign(&c->reader, shared->config.base, fd, EV_READ | EV_PERSIST, on_readable, c);
    set_reading(c, true);
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
    http_intake_release(c);
    http_source_drop(&c->source);
    set_reading(c, false);
    if (c->bev != NULL) {
        bufferevent_free(c->bev);
    }
    free(c);
}

void http_conn_complete(struct http_conn *c, struct http_response *rs)
{
    ASSERT(http_phase_is(c, HTTP_PHASE_DEFERRED));
    ASSERT(rs->kind != HTTP_BODY_DEFER && rs->kind != HTTP_BODY_UPGRADE);
    http_conn_answer(c, rs);
    flush(c);
    /* What was pipelined behind it is for a turn of its own: the caller may be in the middle of
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
    case HTTP_PHASE_HEAD:
        c->shared->stats.timeouts++;
        http_conn_refuse(c, 408, "invalid_request", "the headers took too long");
        flush(c);
        break;
    case HTTP_PHASE_BODY:
        if (is_slow(c)) {
            http_conn_refuse(c, 408, "invalid_request", "the body took too long");
            flush(c);
        }
        break;
    case HTTP_PHASE_HELD:
        http_conn_refuse(c, 503, "overloaded", "no room for the body; try again");
        flush(c);
        break;
    case HTTP_PHASE_ANSWER:
        if (is_slow(c)) {
            reset(c);
        }
        break;
    case HTTP_PHASE_PAUSED:
        fill(c);
        flush(c);
        break;
    case HTTP_PHASE_IDLE:
    case HTTP_PHASE_LINGER:
    case HTTP_PHASE_DEFERRED:
    case HTTP_PHASE_WAITING:
    case HTTP_PHASE_CLOSED:
    case HTTP_PHASES:
        http_conn_close(c);
        break;
    }
    settle(c);
}

void http_conn_wake(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_WAITING)) {
        fill(c);
        flush(c);
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
    flush(c);
    settle(c);
    return true;
}

void http_conn_drain(struct http_conn *c)
{
    if (http_phase_is(c, HTTP_PHASE_IDLE) && !http_intake_has_some(c)) {
        c->is_close = true;
        c->is_lingering = true;
        end(c);
        settle(c);
    }
}
