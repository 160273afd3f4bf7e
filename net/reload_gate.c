#include "net/reload_gate.h"

#include "net/sys/hostclock.h"

#include <event2/event.h>
#include <signal.h>

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct reload_gate *g = arg;
    (void)fd;
    (void)what;
    g->last_ms = hostclock_boot_ms();
    g->reload(g->arg);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct reload_gate *g = arg;
    const uint64_t now_ms = hostclock_boot_ms();
    const uint64_t due_ms = g->last_ms == 0 ? now_ms : g->last_ms + RELOAD_GAP_MS;
    const uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    const struct timeval wait = {.tv_usec = (suseconds_t)wait_ms * 1000};
    (void)number;
    (void)what;
    if (evtimer_pending(g->timer, NULL) == 0 && evtimer_add(g->timer, &wait) != 0) {
        event_active(g->timer, EV_TIMEOUT, 0); /* rather at once than not at all */
    }
}

enum rc reload_gate_init(struct reload_gate *g, struct event_base *base, void (*reload)(void *arg),
                         void *arg)
{
    *g = (struct reload_gate){.reload = reload, .arg = arg};
    g->timer = evtimer_new(base, on_timer, g);
    g->signal = evsignal_new(base, SIGHUP, on_signal, g);
    if (g->timer == NULL || g->signal == NULL || event_add(g->signal, NULL) != 0) {
        reload_gate_fini(g);
        return RC_IO;
    }
    return RC_OK;
}

void reload_gate_fini(struct reload_gate *g)
{
    if (g->timer != NULL) {
        event_free(g->timer);
    }
    if (g->signal != NULL) {
        event_free(g->signal);
    }
    *g = (struct reload_gate){.reload = NULL};
}
