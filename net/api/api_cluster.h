/*
 * api_cluster: what a node says of itself and of the others, in JSON: /health, /livez, /readyz,
 * /peers, /topology, /status.
 *
 * Pages are built from the engine's views at the moment of the request; nothing is cached.
 */
#ifndef NET_API_API_CLUSTER_H
#define NET_API_API_CLUSTER_H

#include "net/api/api_view.h"

void api_cluster_health(const struct api_view *v, struct http_response *rs);
void api_cluster_livez(struct http_response *rs);

/* 503 with the reasons while the node is not ready; ?for=writes is about writes. */
void api_cluster_readyz(const struct api_view *v, const struct http_request *rq,
                        struct http_response *rs);
void api_cluster_peers(const struct api_view *v, struct http_response *rs);
void api_cluster_topology(const struct api_view *v, struct http_response *rs);
void api_cluster_status(const struct api_view *v, struct http_response *rs);

/* Hours, minutes and seconds as Go prints a duration, "1h2m3s"; returns `ret_text`. */
enum { API_UPTIME_TEXT_SIZE = 40 };
const char *api_cluster_uptime(uint64_t seconds, char ret_text[static API_UPTIME_TEXT_SIZE]);

#endif
