#include "net/http/http_output.h"

#include "core/base/assert.h"
#include "net/http/http_phase.h"
#include "net/sys/hostclock.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The end of a connection */

void http_output_reset(struct http_conn *c)
{
    stream_reset(&c->stream);
    http_phase_enter(c, HTTP_PHASE_CLOSED);
}

void http_output_linger(struct http_conn *c)
{
    const size_t len = http_input_len(&c->input);
    c->moved += len;
    http_input_drop(&c->input, len);
    if (c->moved >= HTTP_LINGER_BYTES || c->is_eof) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    }
}

/* The last answer has left. Closing a socket with unread input resets it, and the reset can destroy
 * the answer. So a client that may still be sending is first allowed to finish (RFC 9112 section
 * 9.6). */
void http_output_end(struct http_conn *c)
{
    const bool has_input = http_input_len(&c->input) > 0;
    if (c->is_eof || (!c->is_lingering && !has_input)) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
        return;
    }
    stream_finish(&c->stream);
    http_phase_enter(c, HTTP_PHASE_LINGER);
    c->moved = 0;
    http_output_linger(c);
}

/* Output */

void http_output_set_writing(struct http_conn *c, bool is_writing)
{
    if (c->is_writing != is_writing) {
        c->is_writing = is_writing;
        (void)(is_writing ? event_add(&c->writer, NULL) : event_del(&c->writer));
    }
}

static void count_out(struct http_conn *c, size_t added)
{
    c->moved += added;
    c->shared->stats.bytes_out += added;
}

/* The whole answer stands in the output, or in its place among those that are late. */
static void answered(struct http_conn *c)
{
    const bool is_waiting = c->is_writing || c->is_close;
    http_phase_enter(c, c->late_count > 0 ? HTTP_PHASE_DEFERRED
                        : is_waiting      ? HTTP_PHASE_ANSWER
                                          : HTTP_PHASE_IDLE);
}

/* More of a blob or a stream. */
void http_output_fill(struct http_conn *c)
{
    struct evbuffer *output = c->output;
    const size_t before = evbuffer_get_length(output);
    const enum rc rc = http_answer_source_fill(&c->source, output, &c->shared->piece);
    c->is_dry = rc == RC_AGAIN;
    count_out(c, evbuffer_get_length(output) - before);
    if (rc != RC_OK && rc != RC_AGAIN) {
        http_output_reset(c);
    } else if (!http_answer_source_is_active(&c->source)) {
        answered(c);
    } else if (!http_phase_is(c, HTTP_PHASE_ANSWER)) {
        http_phase_enter(c, HTTP_PHASE_ANSWER);
    }
}

/* The socket has taken all of an answer so far: the answer goes on later, or it is over. */
static void drained(struct http_conn *c)
{
    if (http_answer_source_is_active(&c->source)) {
        if (c->is_dry) {
            http_phase_enter(c, c->source.is_waking ? HTTP_PHASE_WAITING : HTTP_PHASE_PAUSED);
        }
    } else if (c->is_close || c->shared->is_draining) {
        c->is_lingering |= !c->is_close;
        http_output_end(c);
    } else {
        http_phase_enter(c, HTTP_PHASE_IDLE);
    }
}

/* Sends the piece; what the socket does not take goes into the output. */
static enum rc send_piece(struct http_conn *c, const struct buf *piece)
{
    size_t sent = 0;
    const enum rc rc = stream_write(&c->stream, buf_data(piece), piece->len, &sent);
    if (rc != RC_OK && rc != RC_AGAIN) {
        return rc;
    }
    const size_t left = piece->len - sent;
    if (left == 0) {
        return RC_OK;
    }
    http_output_set_writing(c, true);
    return evbuffer_add(c->output, buf_data(piece) + sent, left) == 0 ? RC_OK : RC_NO_MEMORY;
}

void http_output_wake(struct http_conn *c)
{
    struct buf *piece = &c->shared->piece;
    /* A record of TLS is made of the output, as what is sent again must be the same. */
    if (c->stream.ssl != NULL || evbuffer_get_length(c->output) > 0) {
        http_output_fill(c);
        http_output_flush(c);
        return;
    }
    enum rc rc = http_answer_source_piece(&c->source, piece);
    if (rc == RC_OK && piece->len > 0) {
        c->moved += piece->len;
        c->shared->stats.bytes_out += piece->len;
        rc = send_piece(c, piece);
    }
    if (rc == RC_IO) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    } else if (rc != RC_OK) {
        http_output_reset(c);
    } else if (!http_answer_source_is_active(&c->source)) {
        answered(c);
        http_output_flush(c);
    } else if (c->is_writing) {
        http_phase_enter(c, HTTP_PHASE_ANSWER);
    }
}

/* Writes what it can now; the rest is left to the loop. */
void http_output_flush(struct http_conn *c)
{
    struct evbuffer *output = c->output;
    c->is_due = false;
    if (http_phase_is(c, HTTP_PHASE_CLOSED) || http_phase_is(c, HTTP_PHASE_LINGER) ||
        c->is_writing) {
        return;
    }
    const bool has_output = evbuffer_get_length(output) > 0;
    if (has_output && http_phase_is(c, HTTP_PHASE_ANSWER) && c->source.produce != NULL &&
        !c->source.is_waking) {
        /* One filling a turn, so that a fast reader does not keep the loop. */
        http_output_set_writing(c, true);
        return;
    }
    if (has_output && stream_send(&c->stream, output, SIZE_MAX) != RC_OK) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
        return;
    }
    if (evbuffer_get_length(output) > 0) {
        http_output_set_writing(c, true);
        if (http_phase_is(c, HTTP_PHASE_IDLE)) {
            http_phase_enter(c, HTTP_PHASE_ANSWER);
        }
    } else if (http_phase_is(c, HTTP_PHASE_ANSWER)) {
        drained(c);
    }
}

/* Answers that are late */

static struct http_late *find_late(const struct http_conn *c, uint64_t id)
{
    struct http_late *late = TAILQ_FIRST(&c->late);
    while (late != NULL && late->id != id) {
        late = TAILQ_NEXT(late, next);
    }
    return late;
}

static struct http_late *last_late(const struct http_conn *c)
{
    return TAILQ_LAST(&c->late, http_late_list);
}

bool http_output_awaits(const struct http_conn *c, uint64_t id)
{
    return id != 0 && find_late(c, id) != NULL;
}

bool http_output_has_place(const struct http_conn *c)
{
    const struct http_late *last = last_late(c);
    return last == NULL ||
           (c->late_count < HTTP_LATE_MAX && c->late_bytes < HTTP_OUTPUT_HIGH &&
            c->shared->late_count < HTTP_LATE_ALL_MAX && (last->id == 0 || last->is_brief));
}

/* At the end of the queue. NULL without memory. */
static struct http_late *add_late(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    struct http_late *late = SLIST_FIRST(&shared->late_spare);
    if (late != NULL) {
        SLIST_REMOVE_HEAD(&shared->late_spare, spare);
        shared->late_spare_count--;
    } else {
        late = malloc(sizeof(*late));
    }
    if (late != NULL) {
        *late = (struct http_late){.id = 0};
        TAILQ_INSERT_TAIL(&c->late, late, next);
        c->late_count++;
        shared->late_count++;
    }
    return late;
}

/* Takes the first out of the queue. */
static void drop_first(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    struct http_late *late = TAILQ_FIRST(&c->late);
    TAILQ_REMOVE(&c->late, late, next);
    ASSERT(TAILQ_FIRST(&c->late) != late);
    c->late_count--;
    shared->late_count--;
    if (late->answer != NULL) {
        evbuffer_free(late->answer);
    }
    if (shared->late_spare_count < HTTP_LATE_ALL_MAX) {
        SLIST_INSERT_HEAD(&shared->late_spare, late, spare);
        shared->late_spare_count++;
    } else {
        free(late);
    }
}

void http_output_free_spare(struct http_shared *shared)
{
    while (!SLIST_EMPTY(&shared->late_spare)) {
        struct http_late *late = SLIST_FIRST(&shared->late_spare);
        SLIST_REMOVE_HEAD(&shared->late_spare, spare);
        free(late);
    }
    shared->late_spare_count = 0;
}

void http_output_drop_late(struct http_conn *c)
{
    while (c->late_count > 0) {
        drop_first(c);
    }
    c->late_bytes = 0;
}

/* Where an answer goes that is made now and stands behind all others: NULL without memory. */
static struct evbuffer *place_behind(struct http_conn *c)
{
    struct http_late *last = last_late(c);
    if (last == NULL) {
        return c->output;
    }
    if (last->id != 0) {
        last = add_late(c);
    }
    if (last != NULL && last->answer == NULL) {
        last->answer = evbuffer_new();
    }
    return last == NULL ? NULL : last->answer;
}

/* Moves what waits for nobody any more into the output. */
static enum rc let_go(struct http_conn *c)
{
    const struct http_late *late = NULL;
    while ((late = TAILQ_FIRST(&c->late)) != NULL && late->id == 0) {
        if (late->answer != NULL) {
            c->late_bytes -= evbuffer_get_length(late->answer);
            if (evbuffer_add_buffer(c->output, late->answer) != 0) {
                return RC_NO_MEMORY;
            }
        }
        drop_first(c);
    }
    return RC_OK;
}

static void defer(struct http_conn *c, bool is_brief)
{
    struct http_late *late = add_late(c);
    if (late == NULL) {
        http_output_reset(c);
        return;
    }
    late->id = c->id;
    late->cors = c->cors;
    late->is_head = c->is_head;
    late->is_http10 = c->is_http10;
    late->is_keep_alive = c->is_keep_alive;
    late->is_brief = is_brief;
    c->made += HTTP_ANSWER_COST;
    http_phase_enter(c, HTTP_PHASE_DEFERRED);
}

enum rc http_output_continue(struct http_conn *c)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct evbuffer *place = place_behind(c);
    if (place == NULL || evbuffer_add(place, interim, sizeof(interim) - 1) != 0) {
        return RC_NO_MEMORY;
    }
    c->late_bytes += place == c->output ? 0 : sizeof(interim) - 1;
    count_out(c, sizeof(interim) - 1);
    return RC_OK;
}

/* Answers */

static void count_answer(struct http_conn *c, int status)
{
    struct http_server_stats *stats = &c->shared->stats;
    stats->requests_total++;
    ASSERT(status >= 100 && status < 600);
    stats->requests_by_class[status / 100]++;
}

static struct http_answer framing_of(const struct http_late *asked, const struct http_response *rs,
                                     bool is_close)
{
    struct http_answer a = {.is_bodiless = asked->is_head,
                            .is_close = is_close,
                            .is_keep_alive_named = asked->is_http10};
    if (rs->status == 204 || rs->status == 304) {
        a.length = HTTP_LENGTH_NONE;
        a.is_bodiless = true;
    } else if (rs->kind == HTTP_BODY_STREAM) {
        a.length = asked->is_http10 ? HTTP_LENGTH_UNTIL_CLOSE : HTTP_LENGTH_CHUNKED;
    } else {
        a.length = HTTP_LENGTH_KNOWN;
        a.body_len = rs->kind == HTTP_BODY_BLOB ? blob_len(rs->blob) : rs->bytes.len;
    }
    return a;
}

/* A bufferevent of the connection, with what has come and what is to leave. NULL when out of
 * memory. */
static struct bufferevent *bufferevent_of(struct http_conn *c, const struct http_response *rs)
{
    if (http_answer_upgrade(c->output, rs) != RC_OK || http_input_keep(&c->input) != RC_OK) {
        return NULL;
    }
    struct bufferevent *bev =
        bufferevent_socket_new(c->shared->config.base, c->stream.fd, BEV_OPT_CLOSE_ON_FREE);
    if (bev == NULL) {
        return NULL;
    }
    c->stream = stream_plain(-1);
    struct evbuffer *input = bufferevent_get_input(bev);
    (void)evbuffer_unfreeze(input, 0);
    const bool is_moved = evbuffer_add_buffer(input, c->input.kept) == 0 &&
                          evbuffer_add_buffer(bufferevent_get_output(bev), c->output) == 0;
    (void)evbuffer_freeze(input, 0);
    if (!is_moved) {
        bufferevent_free(bev);
        return NULL;
    }
    return bev;
}

static void hand_over(struct http_conn *c, const struct http_response *rs)
{
    struct http_shared *shared = c->shared;
    (void)event_del(&c->reader);
    c->is_on = false;
    http_output_set_writing(c, false);
    struct bufferevent *bev = bufferevent_of(c, rs);
    http_phase_enter(c, HTTP_PHASE_CLOSED);
    if (bev != NULL) {
        (void)bufferevent_enable(bev, EV_READ | EV_WRITE);
        shared->config.upgraded(shared->config.arg, bev, &c->peer);
    }
}

/* Whether the connection ends with this answer, which is the last one. */
static bool is_to_close(struct http_conn *c, const struct http_late *asked,
                        const struct http_response *rs)
{
    if (rs->is_close || c->shared->is_draining || c->is_over) {
        c->is_close = true;
        c->is_lingering = true;
    }
    c->is_close |= !asked->is_keep_alive || (rs->kind == HTTP_BODY_STREAM && asked->is_http10);
    return c->is_close;
}

static void take_source(struct http_conn *c, struct http_response *rs, bool is_chunked)
{
    http_answer_source_take(&c->source, rs, is_chunked);
    if (c->source.is_waking) {
        const int size = HTTP_WAKING_SNDBUF;
        const unsigned unacked_ms = HTTP_WAKING_UNACKED_MS;
        const int fd = c->stream.fd;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof(unacked_ms));
    }
}

/* Writes the answer to what was `asked`, all of it or as much as is bytes, to its place. False: the
 * connection is reset.
 */
static bool write_answer(struct http_conn *c, const struct http_late *asked, struct evbuffer *place,
                         struct http_response *rs, bool is_last)
{
    count_answer(c, rs->status);
    if (asked->cors != NULL) {
        http_add_lines(rs, asked->cors);
    }
    c->made += HTTP_ANSWER_COST + rs->bytes.len;
    const struct http_answer framing = framing_of(asked, rs, is_last && is_to_close(c, asked, rs));
    const size_t before = place == NULL ? 0 : evbuffer_get_length(place);
    if (place == NULL ||
        http_answer_write(place, &framing, rs,
                          http_answer_date_line(&c->shared->date, hostclock_wall_s())) != RC_OK) {
        http_output_reset(c);
        return false;
    }
    const size_t added = evbuffer_get_length(place) - before;
    c->late_bytes += place == c->output ? 0 : added;
    count_out(c, added);
    if (rs->kind != HTTP_BODY_BYTES && !framing.is_bodiless) {
        take_source(c, rs, framing.length == HTTP_LENGTH_CHUNKED);
    }
    return true;
}

/* The phase after an answer has been made, when nothing else is under way. */
static void go_on(struct http_conn *c)
{
    if (c->late_count == 0 && http_answer_source_is_active(&c->source)) {
        http_output_fill(c);
    } else {
        answered(c);
    }
}

void http_output_answer(struct http_conn *c, struct http_response *rs)
{
    if (rs->kind == HTTP_BODY_DEFER) {
        defer(c, rs->is_brief);
        return;
    }
    if (rs->kind == HTTP_BODY_UPGRADE) {
        count_answer(c, 101);
        hand_over(c, rs);
        return;
    }
    const struct http_late now = {.cors = c->cors,
                                  .is_head = c->is_head,
                                  .is_http10 = c->is_http10,
                                  .is_keep_alive = c->is_keep_alive};
    if (write_answer(c, &now, place_behind(c), rs, true)) {
        go_on(c);
    }
}

void http_output_complete(struct http_conn *c, uint64_t id, struct http_response *rs)
{
    struct http_late *late = find_late(c, id);
    const bool is_first = late == TAILQ_FIRST(&c->late);
    const bool is_last = late == last_late(c) && http_phase_is(c, HTTP_PHASE_DEFERRED);
    ASSERT(late != NULL && (rs->kind == HTTP_BODY_BYTES || (is_last && !late->is_brief)));
    if (!is_first) {
        late->answer = evbuffer_new();
    }
    if (!write_answer(c, late, is_first ? c->output : late->answer, rs, is_last)) {
        return;
    }
    late->id = 0;
    if (let_go(c) != RC_OK) {
        http_output_reset(c);
    } else if (c->late_count == 0 && http_phase_is(c, HTTP_PHASE_DEFERRED)) {
        go_on(c);
    }
    c->is_due = true;
}
