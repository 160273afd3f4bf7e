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

void api_watch(struct watch *watch, const struct http_request *rq, struct http_response *rs)
{
    struct parameters p = {.request = {.id = rq->id, .has_snapshot = true}};
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
