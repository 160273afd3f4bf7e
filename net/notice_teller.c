#include "net/notice_teller.h"

#include "core/base/assert.h"
#include "core/base/units.h"
#include "net/sys/hostclock.h"

#include <event2/event.h>

static void arm(struct notice_teller *t)
{
    const uint64_t now_ms = hostclock_boot_ms();
    const uint64_t due_ms = notice_gate_deadline(&t->gate);
    if (due_ms != NEVER) {
        const uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
        const struct timeval after = {.tv_sec = (time_t)(left_ms / 1000),
                                      .tv_usec = (suseconds_t)(left_ms % 1000) * 1000};
        ASSERT(event_add(t->timer, &after) == 0);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct notice_teller *t = arg;
    enum notice_kind kind = NOTICE_KINDS;
    uint32_t count = 0;
    (void)fd;
    (void)what;
    while (notice_gate_next(&t->gate, hostclock_boot_ms(), &kind, &count)) {
        t->hooks->left_out(t->hooks->arg, kind, count);
    }
    arm(t);
}

enum rc notice_teller_init(struct notice_teller *t, struct event_base *base,
                           const struct node_hooks *hooks)
{
    *t = (struct notice_teller){.hooks = hooks};
    t->timer = evtimer_new(base, on_timer, t);
    return t->timer == NULL ? RC_IO : RC_OK;
}

void notice_teller_fini(struct notice_teller *t)
{
    if (t->timer != NULL) {
        event_free(t->timer);
        t->timer = NULL;
    }
}

void notice_teller_tell(struct notice_teller *t, const struct engine *e,
                        const struct notice *notice)
{
    bool is_last = false;
    if (!notice_gate_passes(&t->gate, notice->kind, hostclock_boot_ms(), &is_last)) {
        arm(t);
        return;
    }
    struct notice said = *notice;
    said.is_name_shared = notice->name[0] != '\0' && engine_shares_name(e, &notice->member);
    t->hooks->notice(t->hooks->arg, &said);
    if (is_last) {
        t->hooks->left_out(t->hooks->arg, notice->kind, 0);
    }
}
