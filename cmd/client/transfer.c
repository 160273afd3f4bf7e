#include "cmd/client/transfer.h"

#include "cmd/base/output.h"
#include "core/base/mem.h"
#include "core/base/units.h"
#include "net/sys/hostclock.h"
#include "net/sys/rfc3339.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SHOW_MS = 500,
    HOLD_MS = 200, /* after a failure that names no time */
    HOLD_MAX_MS = 5000,
    MS_PER_S = 1000,
    STATUS_BUSY = 429,
    STATUS_UNAVAILABLE = 503,
};

/* ---- The node ---- */

static const cJSON *member(const cJSON *root, const char *name, const char *inner)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    return inner == NULL ? item : cJSON_GetObjectItemCaseSensitive(item, inner);
}

static bool read_number(const cJSON *item, uint64_t *ret_number)
{
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > 9e15) {
        return false;
    }
    *ret_number = (uint64_t)item->valuedouble;
    return true;
}

static bool read_text(const cJSON *item, char *ret_text, size_t size)
{
    const char *text = cJSON_GetStringValue(item);
    (void)snprintf(ret_text, size, "%s", text != NULL ? text : "");
    return text != NULL;
}

static bool read_status(struct transfer *t, const cJSON *root)
{
    const char *clock = cJSON_GetStringValue(member(root, "clock", "time"));
    return clock != NULL && rfc3339_parse(clock, &t->clock_ms) == RC_OK &&
           read_text(member(root, "uuid", NULL), t->uuid, sizeof(t->uuid)) &&
           read_text(member(root, "network", NULL), t->network, sizeof(t->network)) &&
           read_text(member(root, "enclave", NULL), t->enclave, sizeof(t->enclave)) &&
           read_number(member(root, "storage", "keys"), &t->keys) &&
           read_number(member(root, "limits", "min_ttl_s"), &t->ttl_min_s) &&
           read_number(member(root, "limits", "max_ttl_s"), &t->ttl_max_s);
}

static bool take_status(struct transfer *t, const struct client_answer *answer)
{
    char state[32] = "";
    if (answer->rc != RC_OK) {
        return false; /* which was said */
    }
    if (answer->status != 200) {
        client_complain(t->client, answer);
        return false;
    }
    cJSON *root = cJSON_ParseWithLength((const char *)answer->body, answer->body_len);
    const bool is_read =
        read_status(t, root) && read_text(member(root, "state", NULL), state, sizeof(state));
    cJSON_Delete(root);
    if (!is_read) {
        client_say(t->client, "the answer to /v1/status is not that of a node");
    } else if (strcmp(state, "ready") != 0) {
        client_say(t->client, "the node is not ready: %s", state);
    }
    /* While it joins it has neither all entries nor its last clock. */
    return is_read && strcmp(state, "ready") == 0;
}

static bool ask_status(struct transfer *t)
{
    const struct client_request request = {.method = "GET", .target = "/v1/status"};
    struct client_answer answer;
    client_ask_any(t->client, &request, &answer, &t->server);
    const bool is_taken = take_status(t, &answer);
    client_answer_fini(&answer);
    return is_taken;
}

static void answered(void *arg, const struct pipeline_answer *answer);

/* The headers of every request. */
static char *make_lines(const struct transfer *t)
{
    const char *token =
        client_may_send_token(t->client, &t->server) ? t->client->credentials.authorization : NULL;
    const size_t size = 128 + (token != NULL ? strlen(token) : 0);
    char *lines = mem_new(size, 1);
    (void)snprintf(lines, size, "User-Agent: repram/" REPRAM_VERSION "\r\n%s%s%s",
                   token != NULL ? "Authorization: " : "", token != NULL ? token : "",
                   token != NULL ? "\r\n" : "");
    return lines;
}

bool transfer_begin(struct transfer *t, struct client *c, const struct transfer_shape *shape)
{
    *t = (struct transfer){.client = c, .is_watched = isatty(STDERR_FILENO) == 1};
    t->again_end = &t->again;
    t->clock_boot_ms = hostclock_boot_ms();
    t->began_ms = t->shown_ms = t->clock_boot_ms;
    if (!ask_status(t)) {
        return false;
    }
    t->lines = make_lines(t);
    const struct pipeline_config config = {.host = t->server.at.host,
                                           .port = t->server.at.port,
                                           .is_tls = t->server.is_tls,
                                           .tls = c->tls,
                                           .lines = t->lines,
                                           .connections = shape->connections,
                                           .depth = shape->depth,
                                           .body_max = shape->body_max,
                                           .pending_max = shape->pending_max,
                                           .timeout_ms = c->timeout_ms,
                                           .answered = answered,
                                           .arg = t};
    t->pipeline = pipeline_new(&config);
    if (t->pipeline == NULL) {
        client_say(c, "%s", rc_text(RC_NO_MEMORY));
    }
    return t->pipeline != NULL;
}

void transfer_end(struct transfer *t)
{
    pipeline_free(t->pipeline);
    if (t->lines != NULL) {
        mem_wipe(t->lines, strlen(t->lines));
        free(t->lines);
    }
    output_progress_end();
}

uint64_t transfer_now_ms(const struct transfer *t)
{
    return t->clock_ms + (hostclock_boot_ms() - t->clock_boot_ms);
}

/* ---- Asking, again and again ---- */

static void failed(struct transfer *t, uint64_t hold_ms, const char *problem)
{
    const uint64_t now = hostclock_boot_ms();
    (void)snprintf(t->problem, sizeof(t->problem), "%s", problem);
    t->failing_from_ms = t->failing_from_ms == 0 ? now : t->failing_from_ms;
    t->hold_until_ms = now + hold_ms;
}

static uint64_t hold_ms_of(const struct pipeline_answer *answer)
{
    const uint64_t ms = client_retry_after_ms(pipeline_header_of(answer, "Retry-After"));
    return ms > 0 ? min_u64(ms, HOLD_MAX_MS) : HOLD_MS;
}

static void answered(void *arg, const struct pipeline_answer *answer)
{
    struct transfer *t = arg;
    struct transfer_ask *ask = answer->tag;
    char problem[64];
    const bool is_final =
        answer->rc == RC_OK ? answer->status != STATUS_BUSY && answer->status != STATUS_UNAVAILABLE
                            : answer->rc == RC_TOO_LONG;
    if (is_final) {
        t->failing_from_ms = 0;
        free(ask->target);
        ask->target = NULL;
        ask->done(ask, answer);
        return;
    }
    /* Who refuses with 429 or 503 has not done it. */
    ask->is_doubtful = ask->is_doubtful || answer->rc != RC_OK;
    (void)snprintf(problem, sizeof(problem), "the node answers %d", answer->status);
    failed(t, answer->rc == RC_OK ? hold_ms_of(answer) : HOLD_MS,
           answer->rc == RC_OK ? problem : answer->error);
    ask->next = NULL;
    *t->again_end = ask;
    t->again_end = &ask->next;
}

/* Waits until something may be sent. */
static enum rc hold(struct transfer *t)
{
    const uint64_t now = hostclock_boot_ms();
    if (t->failing_from_ms > 0 && now - t->failing_from_ms > t->client->timeout_ms) {
        char where[NODE_TEXT_SIZE + 16];
        client_say(t->client, "%s fails: %s", client_server_text(&t->server, where, sizeof(where)),
                   t->problem);
        return RC_REFUSED;
    }
    if (now < t->hold_until_ms) {
        (void)poll(NULL, 0, (int)(t->hold_until_ms - now));
    }
    return RC_OK;
}

/* RC_FULL when there is no room; RC_AGAIN when the node could not be reached, just now. */
static enum rc try_to_send(struct transfer *t, struct transfer_ask *ask)
{
    const struct pipeline_request request = {.method = ask->method,
                                             .target = ask->target,
                                             .lines = ask->lines,
                                             .body = ask->body,
                                             .body_len = ask->body_len,
                                             .tag = ask};
    const enum rc rc = hold(t);
    if (rc != RC_OK) {
        return rc;
    }
    const enum rc sent = pipeline_send(t->pipeline, &request);
    if (sent == RC_OK || sent == RC_FULL) {
        return sent;
    }
    failed(t, HOLD_MS, pipeline_error(t->pipeline));
    return RC_AGAIN;
}

enum rc transfer_step(struct transfer *t)
{
    struct transfer_ask *ask = t->again;
    if (ask == NULL) {
        pipeline_wait(t->pipeline);
        return RC_OK;
    }
    const enum rc rc = try_to_send(t, ask);
    if (rc == RC_OK) {
        t->again = ask->next;
        t->again_end = t->again == NULL ? &t->again : t->again_end;
    } else if (rc == RC_FULL) {
        pipeline_wait(t->pipeline);
    }
    return rc == RC_FULL || rc == RC_AGAIN ? RC_OK : rc;
}

enum rc transfer_send(struct transfer *t, struct transfer_ask *ask)
{
    for (;;) {
        enum rc rc = t->again == NULL ? try_to_send(t, ask) : RC_FULL;
        if (rc == RC_OK) {
            return RC_OK;
        }
        rc = rc == RC_FULL ? transfer_step(t) : rc;
        if (rc != RC_OK && rc != RC_AGAIN) {
            return rc;
        }
    }
}

bool transfer_is_idle(const struct transfer *t)
{
    return t->again == NULL && pipeline_pending(t->pipeline) == 0;
}

/* ---- Replies that are kept ---- */

void transfer_reply_init(struct transfer_reply *r)
{
    buf_init(&r->body, TRANSFER_BODY_MAX);
    buf_init(&r->answer, CLIENT_BODY_MAX);
}

void transfer_reply_fini(struct transfer_reply *r)
{
    buf_fini(&r->body);
    buf_fini(&r->answer);
    free(r->ask.target);
}

static void keep(struct transfer_ask *ask, const struct pipeline_answer *answer)
{
    struct transfer_reply *r = ask->arg;
    buf_clear(&r->answer);
    r->is_done = true;
    r->status =
        answer->rc == RC_OK && buf_append(&r->answer, answer->body, answer->body_len) == RC_OK
            ? answer->status
            : 0;
}

enum rc transfer_reply_send(struct transfer *t, struct transfer_reply *r, const char *method,
                            const char *target, const char *lines)
{
    const size_t len = strlen(target);
    r->is_done = false;
    r->ask = (struct transfer_ask){.method = method,
                                   .target = mem_new(len + 1, 1),
                                   .lines = lines,
                                   .body = buf_data(&r->body),
                                   .body_len = r->body.len,
                                   .done = keep,
                                   .arg = r};
    memcpy(r->ask.target, target, len);
    return transfer_send(t, &r->ask);
}

enum rc transfer_reply_wait(struct transfer *t, const struct transfer_reply *r)
{
    enum rc rc = RC_OK;
    while (rc == RC_OK && !r->is_done) {
        rc = transfer_step(t);
    }
    return rc;
}

cJSON *transfer_reply_json(const struct transfer_reply *r)
{
    return cJSON_ParseWithLength((const char *)buf_data(&r->answer), r->answer.len);
}

enum rc transfer_reply_refused(const struct transfer *t, const struct transfer_reply *r,
                               const char *what)
{
    if (r->status == 0) {
        client_say(t->client, "there is no memory for the answer to %s", what);
    } else {
        client_say(t->client, "the node answers %d to %s", r->status, what);
    }
    return RC_REFUSED;
}

enum rc transfer_no_sense(const struct transfer *t, const char *what)
{
    client_say(t->client, "the answer to %s makes no sense", what);
    return RC_MALFORMED;
}

enum rc transfer_is_same(struct transfer *t, bool *ret_is_same)
{
    char uuid[UUID_TEXT_SIZE];
    struct transfer_reply reply = {.status = 0};
    transfer_reply_init(&reply);
    enum rc rc = transfer_reply_send(t, &reply, "GET", "/v1/status", "");
    rc = rc == RC_OK ? transfer_reply_wait(t, &reply) : rc;
    if (rc == RC_OK && reply.status != 200) {
        rc = transfer_reply_refused(t, &reply, "/v1/status");
    }
    cJSON *root = rc == RC_OK ? transfer_reply_json(&reply) : NULL;
    *ret_is_same =
        read_text(member(root, "uuid", NULL), uuid, sizeof(uuid)) && strcmp(uuid, t->uuid) == 0;
    cJSON_Delete(root);
    transfer_reply_fini(&reply);
    return rc;
}

/* ---- How far it is ---- */

void transfer_show(struct transfer *t, const char *done, uint64_t count, uint64_t total)
{
    const uint64_t now = hostclock_boot_ms();
    if (!t->is_watched || now < t->shown_ms + SHOW_MS) {
        return;
    }
    const uint64_t ms = now - t->began_ms;
    t->shown_ms = now;
    output_progress_begin();
    (void)fprintf(stderr, "%s %" PRIu64, done, count);
    if (total > 0) {
        (void)fprintf(stderr, " of about %" PRIu64, total);
    }
    (void)fprintf(stderr, " entries, %" PRIu64 " a second", ms > 0 ? count * MS_PER_S / ms : 0);
    (void)fflush(stderr);
}
