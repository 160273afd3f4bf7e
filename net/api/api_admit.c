#include "net/api/api_admit.h"

#include "core/base/parse.h"
#include "net/api/api_data.h"
#include "net/api/uri.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- What is asked for ---- */

static bool is_read(const struct http_request *rq)
{
    return rq->method == HTTP_GET_ || rq->method == HTTP_HEAD_;
}

/* The length that the client names or, in chunks, how much has come by now. */
static uint64_t length_of(const struct http_request *rq)
{
    const struct http_header *header = http_find(rq, "Content-Length");
    uint64_t len = 0;
    if (header == NULL ||
        parse_u64(header->value.data, header->value.len, UINT64_MAX, &len) != RC_OK) {
        return rq->body_len;
    }
    return len;
}

static size_t key_asks(const struct api_config *config, const struct http_request *rq,
                       struct acl_ask ask, struct acl_ask *ret_asks)
{
    if (is_read(rq)) {
        ask.verb = ACL_READ;
        ret_asks[0] = ask;
        return 1;
    }
    if (api_data_ttl_s(config, rq, &ask.ttl_s) != RC_OK) {
        ask.ttl_s = UINT64_MAX;
    }
    ask.verb = ACL_WRITE;
    ask.size = length_of(rq);
    ret_asks[0] = ask;
    if (http_find(rq, "If-Match") == NULL && http_find(rq, "If-None-Match") == NULL) {
        return 1;
    }
    ret_asks[1] = (struct acl_ask){.verb = ACL_READ, .key = ask.key, .key_len = ask.key_len};
    return 2;
}

/* A switch that is there in any form but "0" counts as on, for the handler may take it so. */
static bool has_values(struct http_text query)
{
    struct http_text text = {.len = 0};
    const size_t count = uri_query(query, "values", &text);
    return count > 1 || (count == 1 && (text.len != 1 || text.data[0] != '0'));
}

static size_t range_asks(const struct http_request *rq, enum acl_verb verb, bool has_prefix,
                         uint8_t *ret_key, struct acl_ask *ret_asks)
{
    struct http_text text = {.len = 0};
    size_t len = 0;
    const size_t count = has_prefix ? uri_query(rq->query, "prefix", &text) : 0;
    if (count != 1 || uri_decode_query(text, ret_key, KEY_BYTES_MAX, &len) != RC_OK) {
        len = 0;
    }
    ret_asks[0] = (struct acl_ask){.verb = verb, .key = ret_key, .key_len = len};
    ret_asks[1] = ret_asks[0];
    ret_asks[1].verb = ACL_READ;
    return has_values(rq->query) ? 2 : 1;
}

size_t api_admit_asks(const struct api_config *config, const struct http_request *rq,
                      uint8_t ret_key[static KEY_BYTES_MAX],
                      struct acl_ask ret_asks[static API_ADMIT_ASKS_MAX])
{
    /* What cannot be read is taken for the most that it could be; the handler refuses it. */
    struct acl_ask ask = {.key = ret_key};
    switch ((enum api_right)rq->route.right) {
    case API_RIGHT_KEY:
        if (uri_decode(rq->route.rest, ret_key, KEY_BYTES_MAX, &ask.key_len) != RC_OK) {
            ask.key_len = 0;
        }
        return key_asks(config, rq, ask, ret_asks);
    case API_RIGHT_LIST:
        return range_asks(rq, ACL_LIST, true, ret_key, ret_asks);
    case API_RIGHT_SCAN:
        return range_asks(rq, ACL_LIST, false, ret_key, ret_asks);
    case API_RIGHT_WATCH:
        return range_asks(rq, ACL_WATCH, true, ret_key, ret_asks);
    case API_RIGHT_STATUS:
        ret_asks[0] = (struct acl_ask){.verb = ACL_STATUS};
        return 1;
    case API_RIGHT_METRICS:
        ret_asks[0] = (struct acl_ask){.verb = ACL_METRICS};
        return 1;
    case API_RIGHT_MGET:
    case API_RIGHT_NONE:
        break;
    }
    return 0;
}

/* ---- Refusals ---- */

/* Who brings no token hears that one could help (RFC 6750 section 3.1). */
static void refuse(const struct api_admit *admit, const struct http_request *rq,
                   const struct access_who *who, enum acl_verb verb, const char *detail,
                   struct http_response *rs)
{
    const bool is_known = who->has_token;
    http_problem(rs, is_known ? 403 : 401, is_known ? "forbidden" : "unauthorized", "%s", detail);
    if (!is_known) {
        http_add(rs, "WWW-Authenticate", "Bearer");
    }
    access_refused(admit->access, rq, is_known ? ACCESS_FORBIDDEN : ACCESS_NO_TOKEN, who->user,
                   acl_verb_name(verb));
}

static void refuse_token(const struct api_admit *admit, const struct http_request *rq, enum rc rc,
                         struct http_response *rs)
{
    if (rc == RC_OVERLOADED) {
        http_problem(rs, 429, "rate_limited",
                     "Too many tokens from this address were not good; try again later.");
        access_refused(admit->access, rq, ACCESS_LATER, ACCESS_NOBODY, "try");
        return;
    }
    http_problem(rs, 401, "unauthorized",
                 "The token is not known here, or is over. It is sent as Authorization: Bearer, "
                 "once.");
    http_add(rs, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
    access_refused(admit->access, rq, ACCESS_BAD_TOKEN, ACCESS_NOBODY, "try");
}

/* What somebody does who uses the verb. */
static const char *deed_of(enum acl_verb verb)
{
    switch (verb) {
    case ACL_READ:
        return "read here";
    case ACL_WRITE:
        return "write here";
    case ACL_LIST:
        return "list here";
    case ACL_WATCH:
        return "watch here";
    case ACL_STATUS:
        return "see the status of the node (status)";
    case ACL_METRICS:
        return "see the metrics of the node (metrics)";
    case ACL_ADMIN:
        break;
    }
    return "administer the cluster (admin)";
}

/* What is wrong, for people: no more than who asks may know of his own rights. */
static void explain(const struct api_admit *admit, const struct access_who *who,
                    const struct acl_ask *ask, const struct acl_verdict *v, char *ret_text,
                    size_t size)
{
    char prefixes[ACCESS_PREFIXES_SIZE];
    const char *verb = acl_verb_name(ask->verb);
    const char *whose = who->has_token ? "This token" : "Without a token, one";
    switch (v->why) {
    case ACL_NO_PREFIX:
        (void)snprintf(ret_text, size, "%s may %s with one of these prefixes alone: %s", whose,
                       verb, access_prefixes(admit->access, who->user, ask->verb, prefixes));
        break;
    case ACL_TTL:
        (void)snprintf(ret_text, size,
                       "%s may write here with a time to live of at most %" PRIu64 " seconds.",
                       whose, v->limit);
        break;
    case ACL_SIZE:
        (void)snprintf(ret_text, size, "%s may write here at most %" PRIu64 " bytes.", whose,
                       v->limit);
        break;
    case ACL_NO_VERB:
    case ACL_ALLOWED:
        (void)snprintf(ret_text, size, "%s may not %s.", whose, deed_of(ask->verb));
        break;
    }
}

static bool judge(const struct api_admit *admit, struct http_request *rq,
                  const struct access_who *who, const struct acl_ask *ask, struct http_response *rs)
{
    char detail[ACCESS_PREFIXES_SIZE + 128];
    const struct acl_verdict v = access_judge(admit->access, who->user, ask);
    if (v.why != ACL_ALLOWED) {
        explain(admit, who, ask, &v, detail, sizeof(detail));
        refuse(admit, rq, who, ask->verb, detail, rs);
        return false;
    }
    if (ask->verb == ACL_WRITE && v.size_max < rq->route.body_max) {
        rq->route.body_max = v.size_max; /* what comes in chunks ends there */
        rq->route.is_bounded = true;
    }
    return true;
}

/* Some right to read is enough here: the keys are judged one by one. */
static bool judge_mget(const struct api_admit *admit, const struct http_request *rq,
                       const struct access_who *who, struct http_response *rs)
{
    const struct acl_ask ask = {.verb = ACL_READ};
    const struct acl_verdict v = access_judge(admit->access, who->user, &ask);
    if (v.why == ACL_ALLOWED || v.why == ACL_NO_PREFIX) {
        return true;
    }
    refuse(admit, rq, who, ACL_READ,
           who->has_token ? "This token may not read." : "Without a token, one may not read here.",
           rs);
    return false;
}

bool api_admit(const struct api_admit *admit, struct http_request *rq, struct http_response *rs)
{
    uint8_t key[KEY_BYTES_MAX];
    struct acl_ask asks[API_ADMIT_ASKS_MAX];
    struct access_who who;
    if (rq->route.right == API_RIGHT_NONE) {
        return true;
    }
    const enum rc rc = access_identify(admit->access, rq, admit->mono_ms, &who);
    if (rc != RC_OK) {
        refuse_token(admit, rq, rc, rs);
        return false;
    }
    rq->route.user = who.user;
    rq->route.rules = access_serial(admit->access);
    if (rq->route.right == API_RIGHT_MGET) {
        return judge_mget(admit, rq, &who, rs);
    }
    const size_t count = api_admit_asks(admit->config, rq, key, asks);
    for (size_t i = 0; i < count; i++) {
        if (!judge(admit, rq, &who, &asks[i], rs)) {
            return false;
        }
    }
    return true;
}
