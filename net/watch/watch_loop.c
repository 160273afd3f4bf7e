#include "net/watch/watch_loop.h"

#include "core/base/assert.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/http/http_server.h"
#include "net/sys/hostclock.h"

#include <event2/event.h>
#include <stdlib.h>

struct watch_loop {
    struct http_server *http;
    struct event *timer;
    struct watch *watch;
    uint64_t at_us; /* what the timer is armed for; NEVER: nothing */
};

static uint64_t on_now(void *arg)
{
    (void)arg;
    return hostclock_boot_us();
}

static void on_wake(void *arg, uint64_t id)
{
    const struct watch_loop *l = arg;
    http_server_wake(l->http, id);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct watch_loop *l = arg;
    (void)fd;
    (void)what;
    l->at_us = NEVER;
    watch_turn(l->watch);
}

static void on_turn_by(void *arg, uint64_t at_us)
{
    struct watch_loop *l = arg;
    if (at_us >= l->at_us) {
        return;
    }
    const uint64_t now_us = hostclock_boot_us();
    const uint64_t left_us = at_us > now_us ? at_us - now_us : 0;
    const struct timeval after = {.tv_sec = (time_t)(left_us / 1000000),
                                  .tv_usec = (suseconds_t)(left_us % 1000000)};
    ASSERT(event_add(l->timer, &after) == 0);
    l->at_us = at_us;
}

/* The identity is random and made anew at each start: half of it is enough to tell starts apart. */
static uint64_t boot_of(const struct uuid *uuid)
{
    uint64_t boot = 0;
    for (size_t i = 0; i < sizeof(boot); i++) {
        boot = boot << 8 | uuid->bytes[i];
    }
    return boot;
}

struct watch_loop *watch_loop_new(struct event_base *base, struct http_server *http,
                                  const struct uuid *uuid, uint32_t watchers_max)
{
    struct watch_loop *l = mem_new(1, sizeof(*l));
    const struct watch_config config = {.boot = boot_of(uuid),
                                        .watchers_max = watchers_max,
                                        .arg = l,
                                        .now_us = on_now,
                                        .wake = on_wake,
                                        .turn_by = on_turn_by};
    l->http = http;
    l->at_us = NEVER;
    l->timer = evtimer_new(base, on_timer, l);
    ASSERT(l->timer != NULL);
    l->watch = watch_new(&config);
    return l;
}

void watch_loop_free(struct watch_loop *l)
{
    if (l != NULL) {
        watch_free(l->watch);
        event_free(l->timer);
        free(l);
    }
}

struct watch *watch_loop_watch(struct watch_loop *l)
{
    return l->watch;
}
