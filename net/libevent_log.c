#include "net/libevent_log.h"

#include <event2/event.h>

/* libevent writes to standard error unless it is given a function, and gives that no argument. */
static const struct node_hooks *libevent_hooks;

static void on_libevent_log(int severity, const char *text)
{
    const struct node_hooks *hooks = libevent_hooks;
    if (hooks == NULL || severity < EVENT_LOG_MSG) {
        return;
    }
    /* At an error libevent ends the process; other failures also come back from the call. */
    hooks->log(hooks->arg, severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_DEBUG, "libevent",
               severity == EVENT_LOG_ERR ? "the node ends: %s" : "%s", text);
}

void libevent_log_take(const struct node_hooks *hooks)
{
    libevent_hooks = hooks;
    event_set_log_callback(on_libevent_log);
}
