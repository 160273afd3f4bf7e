/*
 * api_sealing: how traffic between nodes is sealed, as `/status` and the metrics show it. Keys are
 * named by their ids; nothing of a key itself stands there.
 */
#ifndef NET_API_API_SEALING_H
#define NET_API_API_SEALING_H

#include "gossip/engine.h"
#include "net/api/api_view.h"
#include "net/http/json_out.h"

/* The member `sealing` of `/status`. */
void api_sealing_put(const struct api_view *v, struct json_out *o);

#endif
