/*
 * node_access: the rules of a running node: where they come from, what happens when they change or
 * a token ends, and whether a request is let in.
 *
 * New rules hold from one request to the next. Streams of events that they do not allow any more
 * end at once. Left out is what the rules mean (net/access/acl) and which of them a path asks for
 * (net/api/api_admit).
 */
#ifndef NET_NODE_ACCESS_H
#define NET_NODE_ACCESS_H

#include "net/access/access.h"
#include "net/access/cors.h"

struct api;
struct engine;
struct event_base;
struct watch;

struct node_access {
    const struct node_hooks *hooks;
    struct access *access; /* NULL: all may do everything */
    struct cors *cors;
    struct event *timer;   /* with `access` */
    struct engine *engine; /* whose clock tokens end by; NULL: this host's */
    struct watch *watch;   /* whose streams end; NULL: there are none */
};

/* RC_CONFIG: the rules are no good, and hooks->acl() has said why; RC_NO_MEMORY. In every
 * case node_access_fini() follows. */
MUST_USE enum rc node_access_init(struct node_access *na, struct event_base *base,
                                  const struct node_config *config, const struct node_hooks *hooks);
void node_access_fini(struct node_access *na);

/* Asks for the rules anew, and keeps the old ones where those are no good. */
void node_access_reload(struct node_access *na);

/* Whether a request may do what it asks for; `api` is NULL while the port is being claimed. */
bool node_access_judge(struct node_access *na, struct api *api, struct http_request *rq,
                       uint64_t now_us, struct http_response *rs);

#endif
