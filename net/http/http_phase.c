#include "net/http/http_phase.h"

#include "net/http/http_room.h"
#include "net/sys/hostclock.h"

#include <event2/buffer.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

void http_phase_enter(struct http_conn *c, enum http_phase phase)
{
    c->phase = (uint8_t)phase;
    c->is_refreshed = true;
}

bool http_phase_is(const struct http_conn *c, enum http_phase phase)
{
    return c->phase == phase;
}

static uint32_t duration_ms(const struct http_conn *c)
{
    const struct http_server_config *config = &c->shared->config;
    switch ((enum http_phase)c->phase) {
    case HTTP_PHASE_HANDSHAKE:
        return config->request_timeout_ms < HTTP_HANDSHAKE_MS ? config->request_timeout_ms
                                                              : HTTP_HANDSHAKE_MS;
    case HTTP_PHASE_IDLE:
        return config->idle_timeout_ms;
    case HTTP_PHASE_HEAD:
    case HTTP_PHASE_BODY:
    case HTTP_PHASE_HELD:
    case HTTP_PHASE_ANSWER:
        return config->request_timeout_ms;
    case HTTP_PHASE_PAUSED:
        return HTTP_PAUSE_MS;
    case HTTP_PHASE_LINGER:
        return HTTP_LINGER_MS;
    case HTTP_PHASE_DEFERRED:
    case HTTP_PHASE_WAITING:
    case HTTP_PHASE_CLOSED:
    case HTTP_PHASES:
        break;
    }
    return 0;
}

/* Bytes that were queued for the client and that it has not acknowledged yet. The kernel's part of
 * them is megabytes, in which it makes room in steps of a third. For a client that takes 50 KB a
 * second such a step is longer than a window. */
static uint64_t unacknowledged(const struct http_conn *c)
{
    int in_kernel = 0;
    if (ioctl(c->stream.fd, SIOCOUTQ, &in_kernel) != 0 || in_kernel < 0) {
        in_kernel = 0;
    }
    return evbuffer_get_length(c->output) + (uint64_t)in_kernel;
}

uint64_t http_phase_progress(const struct http_conn *c)
{
    if (!http_phase_is(c, HTTP_PHASE_ANSWER)) {
        return c->moved;
    }
    const uint64_t left = unacknowledged(c);
    return c->moved > left ? c->moved - left : 0;
}

static void note_body(struct http_conn *c, uint64_t now_ms)
{
    if (c->body_timed != c->id) {
        c->body_timed = c->id;
        c->body_began_ms = now_ms;
    }
}

void http_phase_settle(struct http_conn *c)
{
    if (!c->is_refreshed) {
        return;
    }
    struct http_shared *shared = c->shared;
    const uint64_t now_ms = hostclock_coarse_ms();
    if (http_phase_is(c, HTTP_PHASE_BODY) || http_phase_is(c, HTTP_PHASE_HELD)) {
        note_body(c, now_ms);
    }
    TAILQ_REMOVE(&shared->phases[c->listed], c, entry);
    TAILQ_INSERT_TAIL(&shared->phases[c->phase], c, entry);
    c->listed = c->phase;
    c->is_refreshed = false;
    c->mark = http_phase_progress(c);
    const uint32_t wait_ms = duration_ms(c);
    if (wait_ms > 0) {
        c->deadline_ms = now_ms + wait_ms;
        shared->deadline(shared, http_phase_is(c, HTTP_PHASE_HELD) && wait_ms > HTTP_ROOM_LOOK_MS
                                     ? now_ms + HTTP_ROOM_LOOK_MS
                                     : c->deadline_ms);
    }
}
