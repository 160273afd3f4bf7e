#include "net/out/dns_channel.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <ares.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>

/* What fits a datagram on every path (RFC 9715), as gossip's own do. */
enum { EDNS_BYTES = 1232, CLASS_IN = 1, SILENT_MS = 60 * 1000 };

/* A socket of c-ares. */
struct wire {
    LIST_ENTRY(wire) all;
    struct dns_channel *channel;
    ares_socket_t fd;
    struct event *event;
};

struct dns_channel {
    struct event_base *base;
    ares_channel ares;
    struct event *timer; /* when c-ares wants to be called next */
    LIST_HEAD(, wire) wires;
};

/* c-ares has no way to take back one question, so this lives until it calls. */
struct dns_ask {
    struct dns_ask **slot; /* NULL: forgotten */
    void (*done)(void *arg, const struct dns_reply *reply);
    void *arg;
};

/* ---- c-ares on the loop ---- */

static void arm(struct dns_channel *ch)
{
    struct timeval after;
    if (ares_timeout(ch->ares, NULL, &after) == NULL) {
        (void)event_del(ch->timer);
    } else {
        ASSERT(event_add(ch->timer, &after) == 0);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct dns_channel *ch = arg;
    (void)fd;
    (void)what;
    ares_process_fd(ch->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(ch);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    const struct wire *w = arg;
    struct dns_channel *ch = w->channel; /* the wire may be gone after the next call */
    ares_process_fd(ch->ares, (what & EV_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (what & EV_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    arm(ch);
}

static struct wire *wire_of(struct dns_channel *ch, ares_socket_t fd)
{
    struct wire *w = NULL;
    LIST_FOREACH(w, &ch->wires, all)
    {
        if (w->fd == fd) {
            return w;
        }
    }
    w = mem_new(1, sizeof(*w));
    *w = (struct wire){.channel = ch, .fd = fd};
    LIST_INSERT_HEAD(&ch->wires, w, all);
    return w;
}

/* From c-ares, when it wants to know something else of a socket; nothing more, before it closes. */
static void on_socket(void *arg, ares_socket_t fd, int is_read, int is_written)
{
    struct wire *w = wire_of(arg, fd);
    const short wanted = (short)((is_read != 0 ? EV_READ : 0) | (is_written != 0 ? EV_WRITE : 0));
    if (w->event != NULL) {
        event_free(w->event);
        w->event = NULL;
    }
    if (wanted == 0) {
        LIST_REMOVE(w, all);
        free(w);
        return;
    }
    w->event = event_new(w->channel->base, fd, (short)(wanted | EV_PERSIST), on_ready, w);
    ASSERT(w->event != NULL && event_add(w->event, NULL) == 0);
}

/* ---- Life ---- */

/* Everything is said, so that neither files nor the environment say anything else. */
static int open_channel(struct dns_channel *ch)
{
    char lookups[] = "b"; /* by servers; files are net/out/dns's */
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_NOCHECKRESP,
        .timeout = SILENT_MS,
        .tries = 1,
        .ndots = 1,
        .lookups = lookups,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = ch,
        .ednspsz = EDNS_BYTES,
    };
    int said = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
               ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_EDNSPSZ |
               ARES_OPT_NOROTATE;
#ifdef ARES_OPT_QUERY_CACHE
    said |= ARES_OPT_QUERY_CACHE; /* for no time: how old an answer may be is the caller's to say */
#endif
    return ares_init_options(&ch->ares, &options, said);
}

struct dns_channel *dns_channel_new(struct event_base *base, const struct addr *at)
{
    char text[ADDR_TEXT_SIZE];
    struct dns_channel *ch = mem_new(1, sizeof(*ch));
    ch->base = base;
    LIST_INIT(&ch->wires);
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
        free(ch);
        return NULL;
    }
    ch->timer = evtimer_new(base, on_timer, ch);
    ASSERT(ch->timer != NULL);
    if (open_channel(ch) != ARES_SUCCESS ||
        ares_set_servers_ports_csv(ch->ares, addr_format(at, text)) != ARES_SUCCESS) {
        dns_channel_free(ch);
        return NULL;
    }
    return ch;
}

void dns_channel_free(struct dns_channel *ch)
{
    if (ch == NULL) {
        return;
    }
    if (ch->ares != NULL) {
        ares_destroy(ch->ares); /* which calls for each question, and closes each socket */
    }
    ASSERT(LIST_EMPTY(&ch->wires));
    event_free(ch->timer);
    ares_library_cleanup();
    free(ch);
}

/* ---- Questions ---- */

static struct dns_reply reply_of(int status)
{
    static const struct {
        int status;
        struct dns_reply reply;
    } table[] = {
        {ARES_SUCCESS, {DNS_REPLY_RECORDS, "", NULL, 0}},
        {ARES_ENODATA, {DNS_REPLY_NO_RECORDS, "the name has no such record", NULL, 0}},
        {ARES_ENOTFOUND, {DNS_REPLY_NO_NAME, "there is no such name", NULL, 0}},
        {ARES_EBADNAME, {DNS_REPLY_NO_NAME, "it is no host name", NULL, 0}},
        {ARES_ESERVFAIL, {DNS_REPLY_FAILED, "fails (SERVFAIL)", NULL, 0}},
        {ARES_EREFUSED, {DNS_REPLY_FAILED, "refuses to answer (REFUSED)", NULL, 0}},
        {ARES_ENOTIMP, {DNS_REPLY_FAILED, "does not do such questions (NOTIMP)", NULL, 0}},
        {ARES_EFORMERR, {DNS_REPLY_FAILED, "calls the question malformed (FORMERR)", NULL, 0}},
        {ARES_ETIMEOUT, {DNS_REPLY_SILENT, "does not answer", NULL, 0}},
        {ARES_ECONNREFUSED, {DNS_REPLY_FAILED, "cannot be reached", NULL, 0}},
        {ARES_ENOMEM, {DNS_REPLY_FAILED, "cannot be asked for want of memory", NULL, 0}},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].reply;
        }
    }
    return (struct dns_reply){DNS_REPLY_FAILED, "gives an answer that cannot be used", NULL, 0};
}

static void pass_over(void *arg, const struct dns_record *record)
{
    (void)arg;
    (void)record;
}

/* c-ares 1.18 looks at no more than the head of an answer. */
static int judged(int status, const uint8_t *bytes, size_t len)
{
    const bool is_bad =
        status == ARES_SUCCESS && dns_message_read(bytes, len, pass_over, NULL) != RC_OK;
    return is_bad ? ARES_EBADRESP : status;
}

static void finish(struct dns_ask *ask, int status, const uint8_t *bytes, size_t len)
{
    struct dns_reply reply = reply_of(judged(status, bytes, len));
    reply.bytes = bytes;
    reply.len = len;
    if (ask->slot != NULL) {
        *ask->slot = NULL;
        if (status != ARES_EDESTRUCTION) {
            ask->done(ask->arg, &reply);
        }
    }
    free(ask);
}

/* From 1.28 on c-ares takes answers apart itself. It drops the additional section's order but none
 * of its records, so its own form is written out again and there is one reader for all releases. */
#if ARES_VERSION >= 0x011c00

static void on_answer(void *arg, ares_status_t status, size_t timeouts,
                      const ares_dns_record_t *record)
{
    unsigned char *bytes = NULL;
    size_t len = 0;
    (void)timeouts;
    if (status == ARES_SUCCESS) {
        status = ares_dns_write(record, &bytes, &len);
    }
    finish(arg, (int)status, bytes, len);
    ares_free_string(bytes);
}

static void send_question(struct dns_channel *ch, const char *name, enum dns_type type,
                          struct dns_ask *ask)
{
    /* A failure is told by the callback too. */
    (void)ares_query_dnsrec(ch->ares, name, (ares_dns_class_t)CLASS_IN, (ares_dns_rec_type_t)type,
                            on_answer, ask, NULL);
}

#else

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    (void)timeouts;
    finish(arg, status, bytes, status == ARES_SUCCESS ? (size_t)len : 0);
}

static void send_question(struct dns_channel *ch, const char *name, enum dns_type type,
                          struct dns_ask *ask)
{
    ares_query(ch->ares, name, CLASS_IN, (int)type, on_answer, ask);
}

#endif

void dns_channel_ask(struct dns_channel *ch, const char *name, enum dns_type type,
                     struct dns_ask **slot, void (*done)(void *arg, const struct dns_reply *reply),
                     void *arg)
{
    struct dns_ask *ask = mem_new(1, sizeof(*ask));
    *ask = (struct dns_ask){.slot = slot, .done = done, .arg = arg};
    *slot = ask;
    send_question(ch, name, type, ask);
    arm(ch);
}

void dns_channel_forget(struct dns_ask **slot)
{
    if (*slot != NULL) {
        (*slot)->slot = NULL;
        *slot = NULL;
    }
}
