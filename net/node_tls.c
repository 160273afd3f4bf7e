#include "net/node_tls.h"

#include "net/crypto/tls_files.h"
#include "net/sys/hostclock.h"
#include "net/sys/rfc3339.h"

#include <event2/event.h>
#include <stdlib.h>

enum {
    LOOK_S = 30,
    ENDS_SOON_S = 7 * 86400, /* what renews certificates has done so weeks before */
    MS = 1000,
};

enum dates { DATES_UNTOLD, DATES_GOOD, DATES_EARLY, DATES_ENDING, DATES_OVER };

struct node_tls {
    struct tls_context *context;
    struct tls_files files;
    const struct node_hooks *hooks;
    struct event *timer; /* NULL without a certificate */
    enum dates told;
    uint64_t taken, refused;
    bool is_refusing; /* what was looked at last was no good */
    enum rc found;    /* by the last look; what that had no memory for the next one finds */
};

/* ---- What is said ---- */

static enum dates judge(const struct tls_dates *dates)
{
    const int64_t now_s = (int64_t)hostclock_wall_s();
    if (now_s < dates->not_before_s) {
        return DATES_EARLY;
    }
    if (now_s > dates->not_after_s) {
        return DATES_OVER;
    }
    return now_s > dates->not_after_s - ENDS_SOON_S ? DATES_ENDING : DATES_GOOD;
}

static const char *text_of(int64_t seconds, char ret[static RFC3339_TEXT_SIZE])
{
    return rfc3339_format(seconds > 0 ? (uint64_t)seconds * MS : 0, ret);
}

/* Once for each turn that they take. */
static void tell_dates(struct node_tls *t)
{
    const struct tls_dates dates = tls_context_dates(t->context);
    const enum dates found = judge(&dates);
    const struct node_hooks *h = t->hooks;
    char begin[RFC3339_TEXT_SIZE], end[RFC3339_TEXT_SIZE];
    (void)text_of(dates.not_before_s, begin);
    (void)text_of(dates.not_after_s, end);
    if (found == t->told) {
        return;
    }
    t->told = found;
    if (found == DATES_EARLY) {
        h->log(h->arg, LOG_ERROR, "tls",
               "the certificate is not valid before %s; it is served, and clients refuse it",
               begin);
    } else if (found == DATES_OVER) {
        h->log(h->arg, LOG_ERROR, "tls",
               "the certificate has expired at %s; it is served, and clients refuse it", end);
    } else if (found == DATES_ENDING) {
        h->log(h->arg, LOG_WARN, "tls", "the certificate expires soon, at %s", end);
    }
}

static void look(struct node_tls *t)
{
    char why[TLS_FILES_WHY_SIZE], end[RFC3339_TEXT_SIZE];
    const struct node_hooks *h = t->hooks;
    const bool was_serving = tls_context_is_serving(t->context);
    const enum rc rc = tls_files_look(&t->files, t->context, why);
    if (rc == RC_OK) {
        const struct tls_dates dates = tls_context_dates(t->context);
        t->taken++;
        t->told = DATES_UNTOLD;
        t->is_refusing = false;
        h->log(h->arg, LOG_INFO, "tls",
               was_serving ? "changed to a certificate that is valid until %s%s"
                           : "HTTPS with a certificate that is valid until %s%s",
               text_of(dates.not_after_s, end),
               tls_context_asks_clients(t->context) ? "; clients are asked for theirs" : "");
    } else if (rc == RC_CONFIG) {
        t->refused++;
        t->is_refusing = true;
        h->log(h->arg, LOG_ERROR, "tls", "%s%s", why,
               was_serving ? "; the certificate from before is served" : "");
    }
    if (tls_context_is_serving(t->context)) {
        tell_dates(t);
    }
    t->found = rc;
}

/* ---- Life ---- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct node_tls *t = arg;
    (void)fd;
    (void)what;
    look(t);
}

static enum rc begin(struct node_tls *t, struct event_base *base)
{
    static const struct timeval every = {.tv_sec = LOOK_S};
    look(t);
    if (t->found != RC_OK) {
        return t->found;
    }
    t->timer = event_new(base, -1, EV_PERSIST, on_timer, t);
    return t->timer != NULL && event_add(t->timer, &every) == 0 ? RC_OK : RC_NO_MEMORY;
}

enum rc node_tls_new(struct event_base *base, const struct node_config *config,
                     const struct node_hooks *hooks, struct node_tls **ret_tls)
{
    struct node_tls *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return RC_NO_MEMORY;
    }
    t->hooks = hooks;
    t->files =
        (struct tls_files){.cert = config->tls_cert, .key = config->tls_key, .ca = config->tls_ca};
    t->context = tls_context_new();
    enum rc rc = t->context == NULL ? RC_NO_MEMORY : RC_OK;
    if (rc == RC_OK && config->tls_cert[0] != '\0') {
        rc = begin(t, base);
    }
    if (rc != RC_OK) {
        node_tls_free(t);
        return rc;
    }
    *ret_tls = t;
    return RC_OK;
}

void node_tls_free(struct node_tls *t)
{
    if (t == NULL) {
        return;
    }
    if (t->timer != NULL) {
        event_free(t->timer);
    }
    tls_context_free(t->context);
    free(t);
}

struct tls_context *node_tls_context(struct node_tls *t)
{
    return t->context;
}

void node_tls_reload(struct node_tls *t)
{
    if (t->timer == NULL) {
        return;
    }
    t->told = DATES_UNTOLD;
    t->files.has_seen = t->files.has_seen && !t->is_refusing;
    look(t);
}

void node_tls_figures(const struct node_tls *t, struct api_figures *figures)
{
    figures->tls_expiry_s = tls_context_dates(t->context).not_after_s;
    figures->tls_taken = t->taken;
    figures->tls_refused = t->refused;
}
