/*
 * node_tls: the TLS of one node: its one context, and the files of its certificate, which are
 * looked at when it begins, at every SIGHUP and every half a minute.
 *
 * What is new is taken whole or not at all. Dates that are wrong are said, and served all the same:
 * who has no other certificate is better off with an old one than without an answer, and links
 * between nodes need none.
 */
#ifndef NET_NODE_TLS_H
#define NET_NODE_TLS_H

#include "net/api/api_view.h"
#include "net/crypto/tls_context.h"
#include "net/discovery/node_config.h"

struct event_base;
struct node_tls;

/* Borrows all three. RC_CONFIG, said in the log: the files cannot be served. RC_NO_MEMORY. */
MUST_USE enum rc node_tls_new(struct event_base *base, const struct node_config *config,
                              const struct node_hooks *hooks, struct node_tls **ret_tls);

/* After all connections that were made with it. NULL is taken. */
void node_tls_free(struct node_tls *t);

struct tls_context *node_tls_context(struct node_tls *t);

/* Looks at the files now. What is wrong with them is said even if it was said before. */
void node_tls_reload(struct node_tls *t);

/* Fills what is about TLS. */
void node_tls_figures(const struct node_tls *t, struct api_figures *figures);

#endif
