/*
 * claiming: what a node answers from when it listens until its claim of the port is decided: who it
 * is, to others that claim (net/discovery/claim_check) and to probes. Who wants to watch waits
 * until there is something; everything else is to come later.
 */
#ifndef NET_CLAIMING_H
#define NET_CLAIMING_H

#include "core/base/uuid.h"
#include "net/access/access.h"
#include "net/access/cors.h"
#include "net/watch/watch.h"

struct claiming {
    const struct uuid *uuid;
    uint16_t port;
    struct watch *watch;
    struct access *access; /* NULL: all may do everything */
};

struct http_route claiming_route(const struct cors *cors, const struct http_request *rq);

void claiming_answer(const struct claiming *c, const struct http_request *rq,
                     struct http_response *rs);

#endif
