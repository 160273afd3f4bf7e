#include "net/api/api_watch.h"

#include "net/api/uri.h"
#include "net/watch/watch_text.h"

#include <string.h>

/* Each reader of a parameter returns what is wrong with it, or NULL. */

struct parameters {
    uint8_t prefix[KEY_BYTES_MAX];
    char last_id[WATCH_TEXT_ID_SIZE];
    struct watch_request request;
};

static const char *read_prefix(struct http_text query, struct parameters *p)
{
    struct http_text text = {0};
    const size_t count = uri_query(query, "prefix", &text);
    if (count > 1) {
        return "prefix is given more than once.";
    }
    if (count == 1 &&
        uri_decode_query(text, p->prefix, sizeof(p->prefix), &p->request.prefix_len) != RC_OK) {
        return "prefix is not percent-encoded, or longer than any key.";
    }
    p->request.prefix = p->prefix;
    return NULL;
}

static const char *read_switch(struct http_text query, const char *name, const char *wrong,
                               bool *is_on)
{
    struct http_text text = {0};
    const size_t count = uri_query(query, name, &text);
    if (count == 0) {
        return NULL;
    }
    if (count > 1 || text.len != 1 || (text.data[0] != '0' && text.data[0] != '1')) {
        return wrong;
    }
    *is_on = text.data[0] == '1';
    return NULL;
}

/* The header, else the parameter, for pages that cannot set a header. An id that is not ours is
 * taken for another node's. */
static const char *read_last_id(const struct http_request *rq, struct parameters *p)
{
    const struct http_header *header = http_find(rq, "Last-Event-ID");
    struct http_text text = {0};
    size_t len = 0;
    if (http_count(rq, "Last-Event-ID") > 1 || uri_query(rq->query, "last_id", &text) > 1) {
        return "the last event's id is given more than once.";
    }
    if (header != NULL && header->value.len > 0) {
        p->request.last_id = header->value;
    } else if (text.len > 0) {
        const bool is_short =
            uri_decode_query(text, (uint8_t *)p->last_id, sizeof(p->last_id), &len) == RC_OK;
        p->request.last_id = (struct http_text){p->last_id, is_short ? len : 1};
    }
    return NULL;
}

static const char *read_parameters(const struct http_request *rq, struct parameters *p)
{
    const char *wrong = read_prefix(rq->query, p);
    if (wrong == NULL) {
        wrong = read_switch(rq->query, "values", "values is 0 or 1, given once.",
                            &p->request.has_values);
    }
    if (wrong == NULL) {
        wrong = read_switch(rq->query, "snapshot", "snapshot is 0 or 1, given once.",
                            &p->request.has_snapshot);
    }
    return wrong != NULL ? wrong : read_last_id(rq, p);
}

/* Who watches is kept as the hash of his token, by which he is found in the rules that come. */
static void note_who(struct access *access, const struct http_request *rq, uint8_t *ret_hash)
{
    struct access_who who = {.has_token = false};
    if (access != NULL && access_identify(access, rq, 0, &who) == RC_OK) {
        memcpy(ret_hash, who.hash, sizeof(who.hash));
    }
}

bool api_watch_is_good(const struct http_request *rq, struct http_response *rs)
{
    struct parameters p = {.request = {.has_snapshot = true}};
    const char *wrong = read_parameters(rq, &p);
    if (wrong != NULL) {
        http_problem(rs, 400, "invalid_request", "%s", wrong);
    }
    return wrong == NULL;
}

void api_watch(struct watch *watch, struct access *access, const struct http_request *rq,
               struct http_response *rs)
{
    struct parameters p = {.request = {.id = rq->id, .has_snapshot = true}};
    note_who(access, rq, p.request.who);
    const char *wrong = read_parameters(rq, &p);
    if (wrong != NULL) {
        http_problem(rs, 400, "invalid_request", "%s", wrong);
        return;
    }
    if (rq->method == HTTP_HEAD_) {
        http_events(rs);
        rs->kind = HTTP_BODY_STREAM; /* of which only the headers are sent */
        return;
    }
    const enum rc rc = watch == NULL ? RC_FULL : watch_open(watch, &p.request, rs);
    if (rc == RC_OK) {
        http_events(rs);
    } else if (rc == RC_DRAINING) {
        http_events_refuse(rs, HTTP_EVENTS_RETRY_MS, "draining",
                           "This node is shutting down; watch another.");
    } else {
        http_events_refuse(rs, HTTP_EVENTS_BUSY_MS, "overloaded",
                           "This node has as many watchers as it may have.");
    }
}

static bool may_watch(void *arg, const struct watch_right *right)
{
    const struct access *access = arg;
    struct acl_ask ask = {.verb = ACL_WATCH, .key = right->prefix, .key_len = right->prefix_len};
    uint32_t user = 0;
    if (access_recall(access, right->who, &user) != RC_OK ||
        access_judge(access, user, &ask).why != ACL_ALLOWED) {
        return false;
    }
    ask.verb = ACL_READ;
    return !right->has_values || access_judge(access, user, &ask).why == ACL_ALLOWED;
}

void api_watch_review(struct watch *watch, struct access *access)
{
    watch_review(watch, may_watch, access);
}
