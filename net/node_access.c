#include "net/node_access.h"

#include "core/base/assert.h"
#include "net/api/api.h"
#include "net/api/api_admit.h"
#include "net/api/api_watch.h"
#include "net/sys/hostclock.h"
#include "net/sys/hostinfo.h"

#include <event2/event.h>

static uint64_t on_clock_ms(void *arg)
{
    const struct node_access *na = arg;
    return na->engine == NULL ? hostclock_wall_ms()
                              : engine_clock_ms(na->engine, hostclock_boot_us());
}

static void review(const struct node_access *na)
{
    if (na->watch != NULL) {
        api_watch_review(na->watch, na->access);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct node_access *na = arg;
    (void)fd;
    (void)what;
    if (access_tick(na->access)) {
        review(na);
    }
}

static enum rc init_rules(struct node_access *na, struct event_base *base)
{
    static const struct timeval tick = {.tv_usec = (suseconds_t)ACCESS_TICK_MS * 1000};
    struct access_config config = {.hooks = na->hooks, .arg = na, .clock_ms = on_clock_ms};
    struct acl *acl = na->hooks->acl(na->hooks->arg);
    if (acl == NULL) {
        return RC_CONFIG;
    }
    const enum rc rc = hostinfo_random(&config.seed, sizeof(config.seed));
    na->access = rc == RC_OK ? access_new(&config, acl) : NULL;
    if (na->access == NULL) {
        acl_free(acl);
        return rc == RC_OK ? RC_NO_MEMORY : rc;
    }
    na->timer = event_new(base, -1, EV_PERSIST, on_timer, na);
    ASSERT(na->timer != NULL && event_add(na->timer, &tick) == 0);
    return RC_OK;
}

enum rc node_access_init(struct node_access *na, struct event_base *base,
                         const struct node_config *config, const struct node_hooks *hooks)
{
    *na = (struct node_access){.hooks = hooks};
    if (config->cors != NULL) {
        na->cors = cors_new(config->cors);
        if (na->cors == NULL) {
            return RC_NO_MEMORY;
        }
    }
    return config->has_acl ? init_rules(na, base) : RC_OK;
}

void node_access_fini(struct node_access *na)
{
    if (na->timer != NULL) {
        event_free(na->timer);
    }
    access_free(na->access);
    cors_free(na->cors);
    *na = (struct node_access){.hooks = NULL};
}

void node_access_reload(struct node_access *na)
{
    if (na->access != NULL) {
        access_reload(na->access, na->hooks->acl(na->hooks->arg));
        review(na);
    }
}

bool node_access_judge(struct node_access *na, struct api *api, struct http_request *rq,
                       uint64_t now_us, struct http_response *rs)
{
    if (api != NULL && rq->route.row != NULL) {
        return api_judge(api, rq, now_us, rs);
    }
    const struct api_admit admit = {.access = na->access, .mono_ms = now_us / 1000};
    return admit.access == NULL || api_admit(&admit, rq, rs);
}
