/*
 * health_answer: what another node's /health says of it, as far as a claim needs to know.
 */
#ifndef NET_DISCOVERY_HEALTH_ANSWER_H
#define NET_DISCOVERY_HEALTH_ANSWER_H

#include "core/base/uuid.h"
#include "gossip/wire/outbox.h"

#include <stddef.h>

enum { HEALTH_ANSWER_BYTES_MAX = 8 * 1024 };

struct health_answer {
    struct uuid uuid;
    char name[NAME_SIZE]; /* printable; "" when it gave none */
    bool is_claiming;     /* it has not decided yet whether it keeps its port */
};

/* Parses the JSON body. RC_MALFORMED when it is not a node's. */
MUST_USE enum rc health_answer_parse(const void *body, size_t len,
                                     struct health_answer *ret_answer);

/* Writes the body that a node gives while it claims. Returns the length; cut to `size` - 1. */
size_t health_answer_write_claiming(const struct uuid *uuid, uint16_t port, char *ret_text,
                                    size_t size);

#endif
