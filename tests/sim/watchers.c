#include "tests/sim/watchers.h"

#include "core/base/assert.h"
#include "core/base/base64.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/out/event_stream.h"
#include "net/watch/watch.h"
#include "tests/sim/stage.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS = 6,
    TURNS_MAX = 1000,          /* of one node in one moment; more would be a loop without end */
    OUT_BYTES_MAX = 48 * 1024, /* what a connection buffers */
    READ_ONE_OF = 2,           /* samples in which a client reads what waits for it */
    GO_ONE_OF = 100,           /* samples after which it loses its connection */
    BACK_ONE_OF = 50,          /* samples after which it is back */
    MOVE_ONE_OF = 4,           /* times that it comes back to another node */
    /* The tick that ends an entry may be a slot late when the first watcher has just come. */
    END_LATE_MS = 100,
};

/* What a client believes of a key. */
struct belief {
    bool is_there;
    uint64_t end_ms;
    char version[VERSION_TEXT_SIZE];
};

struct client {
    struct watchers *watchers;
    uint32_t node;
    const char *prefix;
    struct http_response stream; /* its `done` is NULL while the client is away */
    struct event_stream events;
    uint64_t clock_ms; /* its node's, at the delivery under way */
    bool is_waiting;   /* there is something for it, which it has not read */
    bool is_live;
    struct belief *beliefs; /* by key */
};

/* The watchers of one node. */
struct desk {
    struct watchers *watchers;
    uint32_t node;
    struct watch *watch; /* NULL: nobody has watched this life of the node */
    uint64_t turn_us;    /* when watch_turn() is wanted */
};

struct watchers {
    struct oracle *oracle;
    struct oracle_config config;
    const struct writes *writes;
    struct rng rng;
    struct desk *desks; /* by node */
    struct client clients[CLIENTS];
};

/* ---- Events ---- */

static const char *text_of(const cJSON *data, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(data, name));
    return text == NULL ? "" : text;
}

/* The number of the key that an event names. */
static uint32_t key_of(const struct watchers *w, const cJSON *data)
{
    uint8_t bytes[KEY_BYTES_MAX];
    const char *coded = text_of(data, "key_base64");
    const char *key = text_of(data, "key");
    size_t len = 0;
    if (*coded != '\0') {
        ASSERT(base64_decode(coded, strlen(coded), bytes, sizeof(bytes), &len) == RC_OK);
        return writes_key_number(w->writes, bytes, len);
    }
    return writes_key_number(w->writes, (const uint8_t *)key, strlen(key));
}

static void take_change(struct client *c, const struct stream_event *event)
{
    cJSON *data = cJSON_ParseWithLength(event->data, event->data_len);
    const struct watchers *w = c->watchers;
    const uint32_t key = key_of(w, data);
    ASSERT(key < w->config.key_count);
    struct belief *b = &c->beliefs[key];
    const bool is_put = strcmp(event->name, "put") == 0;
    const bool is_same = b->is_there && strcmp(b->version, text_of(data, "etag")) == 0;
    if (is_put == is_same) {
        oracle_broken(w->oracle, INVARIANT_WATCHED, "a watcher of node %u was told %s", c->node,
                      is_put ? "of the same version twice" : "of an end of what it never was told");
    }
    b->is_there = is_put;
    b->end_ms = c->clock_ms +
                (uint64_t)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(data, "ttl_ms"));
    (void)snprintf(b->version, sizeof(b->version), "%s", text_of(data, "etag"));
    cJSON_Delete(data);
}

static void take_event(void *arg, const struct stream_event *event)
{
    struct client *c = arg;
    if (strcmp(event->name, "reset") == 0) {
        memset(c->beliefs, 0, c->watchers->config.key_count * sizeof(*c->beliefs));
        c->is_live = false;
    } else if (strcmp(event->name, "live") == 0) {
        c->is_live = true;
    } else if (strcmp(event->name, "put") == 0 || strcmp(event->name, "expire") == 0) {
        take_change(c, event);
    }
}

/* ---- Connections ---- */

static bool is_away(const struct client *c)
{
    return c->stream.done == NULL;
}

static void go_away(struct client *c)
{
    if (!is_away(c)) {
        c->stream.done(c->stream.arg);
    }
    c->stream = (struct http_response){.done = NULL};
    c->is_waiting = false;
}

/* Reads the next piece. */
static void read_piece(struct client *c)
{
    const struct cluster *cluster = c->watchers->config.cluster;
    struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    c->is_waiting = false;
    c->clock_ms = engine_clock_ms(cluster->nodes[c->node].engine, stage_now_us(cluster, c->node));
    const bool has_more = c->stream.produce(c->stream.arg, &out);
    ASSERT(event_stream_feed(&c->events, buf_data(&out), out.len) == RC_OK);
    buf_fini(&out);
    if (!has_more) {
        go_away(c);
    }
}

static uint64_t node_now_us(void *arg)
{
    const struct desk *d = arg;
    return stage_now_us(d->watchers->config.cluster, d->node);
}

static void wake(void *arg, uint64_t id)
{
    struct desk *d = arg;
    d->watchers->clients[id].is_waiting = true;
}

static void turn_by(void *arg, uint64_t at_us)
{
    struct desk *d = arg;
    d->turn_us = at_us < d->turn_us ? at_us : d->turn_us;
}

static void come(struct client *c, uint32_t node)
{
    struct watchers *w = c->watchers;
    struct desk *d = &w->desks[node];
    const struct sim_node *n = &w->config.cluster->nodes[node];
    if (d->watch == NULL) {
        const struct watch_config config = {.engine = n->engine,
                                            .boot = (uint64_t)node << 32 | n->life,
                                            .watchers_max = CLIENTS,
                                            .arg = d,
                                            .now_us = node_now_us,
                                            .wake = wake,
                                            .turn_by = turn_by};
        d->watch = watch_new(&config);
        d->turn_us = NEVER;
    }
    const struct watch_request request = {
        .id = (uint64_t)(c - w->clients),
        .prefix = (const uint8_t *)c->prefix,
        .prefix_len = strlen(c->prefix),
        .has_snapshot = true,
        .last_id = {.data = c->events.last_id, .len = strlen(c->events.last_id)}};
    c->node = node;
    c->is_live = false;
    event_stream_restart(&c->events);
    const uint64_t resumed = watch_stats(d->watch).resumed_total;
    const enum rc rc = watch_open(d->watch, &request, &c->stream);
    ASSERT(rc == RC_OK || rc == RC_DRAINING);
    c->is_waiting = rc == RC_OK;
    w->config.cluster->effects.watches++;
    w->config.cluster->effects.watches_resumed += watch_stats(d->watch).resumed_total - resumed;
}

static bool is_running(const struct watchers *w, uint32_t node)
{
    const struct cluster *c = w->config.cluster;
    return c->nodes[node].is_up && c->net.now_us >= c->nodes[node].paused_until_us;
}

static bool has_joined(const struct watchers *w, uint32_t node)
{
    const struct engine *e = w->config.cluster->nodes[node].engine;
    return (engine_unready(e) & (READY_JOINING | READY_NO_CLOCK)) == 0;
}

/* Where a client goes that is back: mostly to where it was. */
static uint32_t choose_node(struct watchers *w, const struct client *c)
{
    const bool is_moving = rng_below(&w->rng, MOVE_ONE_OF) == 0;
    return is_moving ? (uint32_t)rng_below(&w->rng, w->config.cluster->count) : c->node;
}

/* Everything that the node has to do for its watchers now. */
static void serve(struct watchers *w, uint32_t node)
{
    struct desk *d = &w->desks[node];
    for (uint32_t i = 0; d->watch != NULL && d->turn_us <= node_now_us(d); i++) {
        ASSERT(i < TURNS_MAX);
        d->turn_us = NEVER;
        watch_turn(d->watch);
    }
}

static void serve_all(struct watchers *w)
{
    for (uint32_t i = 0; i < w->config.cluster->count; i++) {
        if (is_running(w, i)) {
            serve(w, i);
        }
    }
}

static void act(struct client *c)
{
    struct watchers *w = c->watchers;
    if (is_away(c)) {
        const uint32_t node = choose_node(w, c);
        if (rng_below(&w->rng, BACK_ONE_OF) == 0 && is_running(w, node)) {
            come(c, node);
        }
        return;
    }
    if (rng_below(&w->rng, GO_ONE_OF) == 0) {
        go_away(c);
    } else if (c->is_waiting && is_running(w, c->node) && rng_below(&w->rng, READ_ONE_OF) == 0) {
        read_piece(c);
    }
}

void watchers_sample(struct watchers *w)
{
    serve_all(w);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        act(&w->clients[i]);
    }
    serve_all(w);
}

/* ---- Judging ---- */

/* What a client has wrong of the entries that the node lists; NULL: nothing. *ret_listed counts
 * them. */
static const char *fault_of(const struct client *c, const struct engine *e, uint64_t now_us,
                            uint32_t *ret_listed)
{
    const struct watchers *w = c->watchers;
    struct record r = {.key = NULL};
    char version[VERSION_TEXT_SIZE];
    *ret_listed = 0;
    while (engine_next_key(e, (const uint8_t *)c->prefix, strlen(c->prefix), r.key, r.key_len,
                           now_us, &r) == RC_OK) {
        const uint32_t key = writes_key_number(w->writes, r.key, r.key_len);
        const struct belief *b = key < w->config.key_count ? &c->beliefs[key] : NULL;
        if (b == NULL || !b->is_there) {
            return "was not told of a key";
        }
        if (strcmp(b->version, version_format(&r.version, version)) != 0 ||
            b->end_ms != r.expiry_ms) {
            return "was told of another version or end of a key";
        }
        *ret_listed += 1;
    }
    return NULL;
}

/* The entries of which the client believes that their time is not over. */
static uint32_t count_believed(const struct client *c, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t key = 0; key < c->watchers->config.key_count; key++) {
        const struct belief *b = &c->beliefs[key];
        count += b->is_there && b->end_ms > now_ms;
    }
    return count;
}

/* Those of them whose end it should have been told. */
static uint32_t count_overdue(const struct client *c, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t key = 0; key < c->watchers->config.key_count; key++) {
        const struct belief *b = &c->beliefs[key];
        count += b->is_there && b->end_ms + END_LATE_MS <= now_ms;
    }
    return count;
}

static void judge(const struct client *c)
{
    const struct watchers *w = c->watchers;
    const struct cluster *cluster = w->config.cluster;
    const struct engine *e = cluster->nodes[c->node].engine;
    const uint64_t now_us = stage_now_us(cluster, c->node);
    const uint64_t now_ms = engine_clock_ms(e, now_us);
    uint32_t listed = 0;
    const char *fault = fault_of(c, e, now_us, &listed);
    if (fault == NULL && count_believed(c, now_ms) > listed) {
        fault = "was not told that a key is gone";
    }
    if (fault == NULL && count_overdue(c, now_ms) > 0) {
        fault = "was not told that the time of a key is over";
    }
    if (fault != NULL) {
        oracle_broken(w->oracle, INVARIANT_WATCHED, "a watcher of node %u %s", c->node, fault);
    }
}

void watchers_judge(struct watchers *w, uint32_t node)
{
    for (uint32_t i = 0; is_running(w, node) && has_joined(w, node) && i < CLIENTS; i++) {
        const struct client *c = &w->clients[i];
        if (!is_away(c) && c->node == node && c->is_live && !c->is_waiting) {
            judge(c);
        }
    }
}

void watchers_stopping(struct watchers *w, uint32_t node)
{
    struct desk *d = &w->desks[node];
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (w->clients[i].node == node) {
            go_away(&w->clients[i]);
        }
    }
    watch_free(d->watch);
    d->watch = NULL;
}

void watchers_judge_rest(struct watchers *w)
{
    const uint32_t count = w->config.cluster->count;
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &w->clients[i];
        for (uint32_t at = 0; at < count && is_away(c); at++) {
            const uint32_t node = (c->node + at) % count;
            if (is_running(w, node) && has_joined(w, node)) {
                come(c, node);
            }
        }
    }
    for (uint32_t i = 0; i < TURNS_MAX; i++) {
        serve_all(w);
        for (uint32_t at = 0; at < CLIENTS; at++) {
            if (w->clients[at].is_waiting && is_running(w, w->clients[at].node)) {
                read_piece(&w->clients[at]);
            }
        }
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        const struct client *c = &w->clients[i];
        if (!is_away(c) && !c->is_live && has_joined(w, c->node)) {
            oracle_broken(w->oracle, INVARIANT_WATCHED,
                          "a watcher of node %u has read everything, and is not live", c->node);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        watchers_judge(w, i);
    }
}

/* ---- Life ---- */

struct watchers *watchers_new(struct oracle *oracle, const struct oracle_config *config,
                              const struct writes *writes)
{
    static const char *const prefixes[] = {"", "key-", "k", "key-0000001"};
    ASSERT(config->cluster->count > 0);
    struct watchers *w = mem_new(1, sizeof(*w));
    w->oracle = oracle;
    w->config = *config;
    w->writes = writes;
    rng_init(&w->rng, config->seed);
    w->desks = mem_new(config->cluster->count, sizeof(*w->desks));
    for (uint32_t i = 0; i < config->cluster->count; i++) {
        w->desks[i] = (struct desk){.watchers = w, .node = i};
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct client *c = &w->clients[i];
        c->watchers = w;
        c->node = i % config->cluster->count;
        c->prefix = prefixes[i % (sizeof(prefixes) / sizeof(prefixes[0]))];
        c->beliefs = mem_new(config->key_count, sizeof(*c->beliefs));
        event_stream_init(&c->events, take_event, c);
    }
    return w;
}

void watchers_free(struct watchers *w)
{
    if (w == NULL) {
        return;
    }
    for (uint32_t i = 0; i < w->config.cluster->count; i++) {
        watchers_stopping(w, i);
    }
    for (uint32_t i = 0; i < CLIENTS; i++) {
        event_stream_fini(&w->clients[i].events);
        free(w->clients[i].beliefs);
    }
    free(w->desks);
    free(w);
}
