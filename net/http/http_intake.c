#include "net/http/http_intake.h"

#include "core/base/assert.h"
#include "net/http/http_output.h"
#include "net/http/http_phase.h"
#include "net/http/http_room.h"
#include "net/http/proxy.h"
#include "net/sys/hostclock.h"

#include <event2/buffer.h>
#include <event2/event.h>

static struct http_parse *take_parse(struct http_shared *shared)
{
    return shared->spare_count > 0 ? shared->spare[--shared->spare_count]
                                   : http_parse_new(shared->config.pages);
}

void http_intake_release(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    if (c->parse != NULL && shared->spare_count < HTTP_SPARE_PARSERS) {
        http_parse_reset(c->parse);
        shared->spare[shared->spare_count++] = c->parse;
    } else {
        http_parse_free(c->parse);
    }
    c->parse = NULL;
    http_room_give_back(c);
}

/* Answers with an error of the server's own. Nothing more is read after it: what follows cannot be
 * trusted, or is not wanted. */
void http_intake_refuse(struct http_conn *c, int status, const char *code, const char *detail)
{
    struct http_response *rs = &c->shared->scratch;
    http_response_clear(rs);
    http_problem(rs, status, code, "%s", detail);
    c->is_keep_alive = false;
    c->is_lingering = true;
    http_intake_release(c);
    http_output_answer(c, rs);
    http_response_clear(rs);
}

/* A refusal that passes, before the request has been handled. */
static void refuse_for_now(struct http_conn *c, int status, const char *code, const char *detail)
{
    struct http_response *rs = &c->shared->scratch;
    const bool is_events = http_parse_request(c->parse)->route.is_events;
    const bool has_body = http_parse_has_body(c->parse);
    if (!is_events && (c->is_over || !c->is_keep_alive || has_body)) {
        http_intake_refuse(c, status, code, detail);
        return;
    }
    c->is_keep_alive = c->is_keep_alive && !has_body;
    c->is_lingering |= has_body;
    http_intake_release(c);
    if (is_events) {
        http_events_refuse(rs, HTTP_EVENTS_BUSY_MS, code, detail);
    } else {
        http_problem(rs, status, code, "%s", detail);
    }
    http_output_answer(c, rs);
    http_response_clear(rs);
}

/* A refusal that stays, before the request's body has been read. */
static void refuse_for_good(struct http_conn *c, int status, const char *code, const char *detail)
{
    struct http_response *rs = &c->shared->scratch;
    if (c->is_over || !c->is_keep_alive || http_parse_has_body(c->parse)) {
        http_intake_refuse(c, status, code, detail);
        return;
    }
    http_intake_release(c);
    http_problem(rs, status, code, "%s", detail);
    http_output_answer(c, rs);
    http_response_clear(rs);
}

/* A body without a length, larger than its client may send: the rules say so themselves. False
 * where they have nothing against it, or no more. */
static bool refuse_by_rules(struct http_conn *c)
{
    const struct http_server_config *config = &c->shared->config;
    struct http_response *rs = &c->shared->scratch;
    struct http_request rq = *http_parse_request(c->parse);
    if (!rq.route.is_bounded || rq.route.body_max == SIZE_MAX) {
        return false;
    }
    rq.body_len = (size_t)rq.route.body_max + 1; /* at least */
    if (config->admit(config->arg, &rq, rs)) {
        return false;
    }
    c->is_keep_alive = false;
    c->is_lingering = true;
    http_intake_release(c);
    http_output_answer(c, rs);
    http_response_clear(rs);
    return true;
}

static void refuse_malformed(struct http_conn *c)
{
    const struct http_refusal refusal = *http_parse_refusal(c->parse);
    if (refusal.status == 413 && refuse_by_rules(c)) {
        return;
    }
    /* A body over the limit, or without memory for it, is well-formed all the same. */
    c->shared->stats.requests_malformed += refusal.status != 413 && refusal.status != 503;
    http_intake_refuse(c, refusal.status, refusal.code, refusal.detail);
}

static void handle(struct http_conn *c)
{
    struct http_shared *shared = c->shared;
    struct http_response *rs = &shared->scratch;
    http_phase_enter(c, HTTP_PHASE_ANSWER); /* no hold on bodies concerns it any more */
    shared->config.handle(shared->config.arg, http_parse_request(c->parse), rs);
    if (rs->kind == HTTP_BODY_UPGRADE && !http_parse_is_upgrade(c->parse)) {
        http_response_clear(rs);
        http_problem(rs, 426, "invalid_request", "this path needs an Upgrade");
    } else if (rs->kind == HTTP_BODY_UPGRADE && c->stream.ssl != NULL) {
        http_response_clear(rs);
        http_problem(rs, 403, "forbidden", "a link is made with the cluster's key, not over HTTPS");
    } else if (rs->kind == HTTP_BODY_UPGRADE && c->late_count > 0) {
        http_response_clear(rs);
        http_problem(rs, 426, "invalid_request",
                     "answers to requests before this one are late; upgrade a connection of its "
                     "own");
    }
    http_intake_release(c);
    http_output_answer(c, rs);
    http_response_clear(rs);
}

bool http_intake_has_room(const struct http_conn *c)
{
    return !c->shared->is_held && http_room_has(c, http_room_body_here(c));
}

void http_intake_start_body(struct http_conn *c)
{
    if (!http_intake_has_room(c)) {
        http_phase_enter(c, HTTP_PHASE_HELD);
        return;
    }
    http_room_take(c, http_room_body_here(c));
    const bool is_waiting = http_input_len(&c->input) == 0;
    if (http_parse_expects_continue(c->parse) && is_waiting && !c->is_continued) {
        c->is_continued = true;
        if (http_output_continue(c) != RC_OK) {
            http_phase_enter(c, HTTP_PHASE_CLOSED);
            return;
        }
    }
    http_phase_enter(c, HTTP_PHASE_BODY);
}

/* Room for what has come of the body since; false when it is held until there is some. */
static bool keep_room(struct http_conn *c)
{
    if (!http_phase_is(c, HTTP_PHASE_BODY)) {
        return true;
    }
    if (!http_room_has(c, http_room_body_here(c))) {
        http_phase_enter(c, HTTP_PHASE_HELD);
        return false;
    }
    http_room_take(c, http_room_body_here(c));
    return true;
}

/* Whether the limits let this request through; answered if not. */
static bool is_admitted(struct http_conn *c, const struct http_request *rq)
{
    struct http_shared *shared = c->shared;
    if ((shared->rate_limit == NULL && !c->is_over) || rq->route.is_exempt) {
        return true;
    }
    if (c->is_over && !http_parse_is_upgrade(c->parse)) {
        refuse_for_now(c, 503, "overloaded", "too many connections");
        return false;
    }
    const struct addr key = addr_net(&rq->client);
    if (shared->rate_limit == NULL ||
        rate_limit_take(shared->rate_limit, &key, hostclock_coarse_ms())) {
        return true;
    }
    shared->stats.rate_limited++;
    refuse_for_now(c, 429, "rate_limited", "too many requests");
    return false;
}

/* Whether it may do what it asks for, which is judged before any of its body is read; answered if
 * not. */
static bool is_allowed(struct http_conn *c, struct http_request *rq)
{
    const struct http_server_config *config = &c->shared->config;
    struct http_response *rs = &c->shared->scratch;
    if (config->admit(config->arg, rq, rs)) {
        return true;
    }
    const bool has_body = http_parse_has_body(c->parse);
    c->is_keep_alive = c->is_keep_alive && !has_body;
    c->is_lingering |= has_body;
    http_intake_release(c);
    http_output_answer(c, rs);
    http_response_clear(rs);
    return false;
}

/* Where HTTPS is served the rest of HTTP is for probes, and so is HTTPS without a certificate where
 * these are asked for. What a page asks is judged by its token alone, so it needs rules. Answered
 * if it is not for this request. */
static bool is_private(struct http_conn *c, struct http_request *rq)
{
    const struct tls_context *tls = c->shared->config.tls;
    if (tls == NULL || rq->route.is_exempt || !tls_context_is_serving(tls)) {
        return true;
    }
    if (!rq->is_tls) {
        refuse_for_good(c, 403, "tls_required", "this node serves HTTPS; plain HTTP is for probes");
        return false;
    }
    if (!tls_context_asks_clients(tls)) {
        return true;
    }
    rq->needs_token = http_find(rq, "Origin") != NULL;
    if (!c->has_cert) {
        refuse_for_good(c, 403, "forbidden",
                        "this needs a certificate of an authority that the node believes");
        return false;
    }
    if (rq->needs_token && c->shared->config.admit == NULL) {
        refuse_for_good(c, 403, "forbidden",
                        "a certificate counts for no page (Origin), and the node has no tokens");
        return false;
    }
    return true;
}

static void on_headers(struct http_conn *c)
{
    const struct http_server_config *config = &c->shared->config;
    struct http_request *rq = http_parse_request(c->parse);
    rq->id = c->id;
    rq->client = proxy_client(rq, &c->peer, config->trust_all, config->trust, config->trust_count);
    rq->is_tls = c->stream.ssl != NULL;
    rq->needs_token = false;
    rq->route = config->route(config->arg, rq);
    c->cors = rq->route.cors;
    c->is_head = rq->method == HTTP_HEAD_;
    c->is_http10 = http_parse_is_http10(c->parse);
    c->is_keep_alive = http_parse_is_keep_alive(c->parse);
    if (!is_admitted(c, rq) || !is_private(c, rq) ||
        (config->admit != NULL && !is_allowed(c, rq))) {
        return;
    }
    http_parse_accept(c->parse, http_parse_has_body(c->parse) ? rq->route.body_max : 0);
    if (http_parse_state(c->parse) == HTTP_PARSE_BODY) {
        http_intake_start_body(c);
    }
}

void http_intake_begin(struct http_conn *c)
{
    c->parse = take_parse(c->shared);
    c->id = (uint64_t)++c->shared->serial << 32 | c->slot;
    c->is_head = false;
    c->is_http10 = false;
    c->is_continued = false;
    c->cors = c->shared->config.cors;
    if (c->parse == NULL) {
        http_phase_enter(c, HTTP_PHASE_CLOSED);
    } else {
        http_phase_enter(c, HTTP_PHASE_HEAD);
    }
}

bool http_intake_has_some(const struct http_conn *c)
{
    const size_t len = http_input_len(&c->input);
    uint8_t first = 0;
    if (len != 1 || c->parse != NULL) {
        return len > 0;
    }
    (void)http_input_copy(&c->input, &first, 1);
    return first != '\r';
}

/* Drops the empty lines that may stand before a request (RFC 9112 section 2.2); true when there is
 * more. */
static bool skip_empty_lines(struct http_conn *c)
{
    uint8_t pair[2] = {0};
    size_t len = 0;
    while ((len = http_input_copy(&c->input, pair, 2)) == 2 && pair[0] == '\r' && pair[1] == '\n') {
        http_input_drop(&c->input, 2);
        c->shared->stats.bytes_in += 2;
    }
    return len == 2 || (len == 1 && pair[0] != '\r');
}

bool http_intake_step(struct http_conn *c)
{
    if (c->parse == NULL) {
        if (!skip_empty_lines(c)) {
            return false;
        }
        http_intake_begin(c);
    }
    const uint8_t *run = NULL;
    const size_t len = c->parse == NULL ? 0 : http_input_run(&c->input, &run);
    if (len == 0 || !keep_room(c)) {
        return false;
    }
    const size_t used = http_parse_feed(c->parse, run, len);
    ASSERT(used > 0);
    http_input_drop(&c->input, used);
    c->moved += used;
    c->shared->stats.bytes_in += used;
    if (http_parse_state(c->parse) == HTTP_PARSE_HEADERS) {
        on_headers(c);
    }
    if (c->parse != NULL && http_parse_state(c->parse) == HTTP_PARSE_REFUSED) {
        refuse_malformed(c);
    } else if (c->parse != NULL && http_parse_state(c->parse) == HTTP_PARSE_DONE) {
        handle(c);
    }
    return true;
}
