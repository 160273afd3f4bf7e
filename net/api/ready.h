/*
 * ready: the public words for the reasons why a node is not ready (enum ready_reason).
 */
#ifndef NET_API_READY_H
#define NET_API_READY_H

#include <stddef.h>
#include <stdint.h>

struct ready {
    uint32_t reason; /* one of enum ready_reason */
    const char *name;
};

enum { READY_COUNT = 8 };

/* All of them, the one that weighs most first. */
extern const struct ready READY_REASONS[READY_COUNT];

/* The word for the reason of a set that weighs most; "ready" for the empty set. */
const char *ready_state(uint32_t unready);

#endif
