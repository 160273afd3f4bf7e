#include "net/discovery/holders.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "net/out/fetch.h"
#include "net/sys/hostinfo.h"

#include <event2/event.h>
#include <stdlib.h>

enum { ASK_TIMEOUT_MS = 500, HTTP_STATUS_MIN = 200 };

/* One port and the question that is under way to it. */
struct question {
    struct holders *owner;
    struct fetch *fetch; /* NULL when answered */
};

struct holders {
    void (*done)(void *arg, const struct holder *list, size_t count);
    void *arg;
    struct event *finish;
    size_t count;
    size_t waiting;
    struct holder list[HOLDERS_MAX];
    struct question questions[HOLDERS_MAX];
};

static void on_answer(void *arg, const struct fetch_answer *answer)
{
    struct question *q = arg;
    struct holders *h = q->owner;
    struct holder *holder = &h->list[q - h->questions];
    q->fetch = NULL;
    /* Whatever the status: a node that is still claiming answers 503. */
    holder->is_node = answer->rc == RC_OK && answer->status >= HTTP_STATUS_MIN &&
                      health_answer_parse(answer->body, answer->body_len, &holder->health) == RC_OK;
    if (--h->waiting == 0) {
        event_active(h->finish, EV_TIMEOUT, 0);
    }
}

static void on_finish(evutil_socket_t fd, short what, void *arg)
{
    struct holders *h = arg;
    (void)fd;
    (void)what;
    h->done(h->arg, h->list, h->count);
    holders_cancel(h);
}

static struct fetch *ask(struct event_base *base, const struct addr *host, struct question *q,
                         uint16_t port)
{
    char text[ADDR_TEXT_SIZE];
    const struct fetch_request request = {.method = "GET",
                                          .host = addr_format_ip(host, text),
                                          .port = port,
                                          .target = "/health",
                                          .timeout_ms = ASK_TIMEOUT_MS,
                                          .bytes_max = HEALTH_ANSWER_BYTES_MAX};
    return fetch_start(base, NULL, &request, on_answer, q);
}

struct holders *holders_ask(struct event_base *base, const struct addr *host, uint16_t first,
                            uint16_t last,
                            void (*done)(void *arg, const struct holder *list, size_t count),
                            void *arg)
{
    const struct addr loopback = hostinfo_loopback();
    const struct addr *at = addr_is_any(host) ? &loopback : host;
    struct holders *h = mem_new(1, sizeof(*h));
    h->done = done;
    h->arg = arg;
    h->finish = evtimer_new(base, on_finish, h);
    ASSERT(h->finish != NULL);
    for (uint32_t port = first; port <= last && h->count < HOLDERS_MAX; port++) {
        struct question *q = &h->questions[h->count];
        h->list[h->count++].port = (uint16_t)port;
        q->owner = h;
        q->fetch = ask(base, at, q, (uint16_t)port);
        h->waiting += q->fetch != NULL;
    }
    if (h->waiting == 0) {
        event_active(h->finish, EV_TIMEOUT, 0);
    }
    return h;
}

void holders_cancel(struct holders *h)
{
    if (h == NULL) {
        return;
    }
    for (size_t i = 0; i < h->count; i++) {
        if (h->questions[i].fetch != NULL) {
            fetch_cancel(h->questions[i].fetch);
        }
    }
    event_free(h->finish);
    free(h);
}
