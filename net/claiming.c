#include "net/claiming.h"

#include "net/api/api_admit.h"
#include "net/api/api_watch.h"
#include "net/discovery/health_answer.h"

#include <string.h>

enum { BODY_MAX = 65536, ANSWER_SIZE = 160 };

static bool is_path(struct http_text path, const char *plain)
{
    static const char v1[] = "/v1";
    const size_t skipped = sizeof(v1) - 1;
    if (path.len > skipped && memcmp(path.data, v1, skipped) == 0) {
        path = (struct http_text){path.data + skipped, path.len - skipped};
    }
    return path.len == strlen(plain) && memcmp(path.data, plain, path.len) == 0;
}

/* The one thing that takes a right while the port is being claimed. */
static bool is_watch(const struct http_request *rq)
{
    return (rq->method == HTTP_GET_ || rq->method == HTTP_HEAD_) && is_path(rq->path, "/watch");
}

struct http_route claiming_route(const struct cors *cors, const struct http_request *rq)
{
    return (struct http_route){.body_max = BODY_MAX,
                               .is_exempt = !is_watch(rq),
                               .right = is_watch(rq) ? API_RIGHT_WATCH : API_RIGHT_NONE,
                               .cors = cors_lines(cors, rq)};
}

void claiming_answer(const struct claiming *c, const struct http_request *rq,
                     struct http_response *rs)
{
    if (is_watch(rq)) {
        api_watch(c->watch, c->access, rq, rs);
    } else if (is_path(rq->path, "/health")) {
        char body[ANSWER_SIZE];
        const size_t len = health_answer_write_claiming(c->uuid, c->port, body, sizeof(body));
        http_set_body(rs, 503, "application/json", body, len);
    } else {
        http_problem(rs, 503, "joining", "This node is still claiming its port.");
    }
}
