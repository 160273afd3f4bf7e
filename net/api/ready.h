/*
 * ready: the public words for the reasons why a node is not ready (enum ready_reason).
 */
#ifndef NET_API_READY_H
#define NET_API_READY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ready {
    uint32_t reason; /* one of enum ready_reason */
    const char *name;
};

enum { READY_COUNT = 8 };

/* All of them, the one that weighs most first. */
extern const struct ready READY_REASONS[READY_COUNT];

/* Of a set those that are against sending the node requests: any, or writes that need room. */
uint32_t ready_against(uint32_t unready, bool is_for_writes);

/* The word for the reason that weighs most against sending it any; "ready" when there is none. */
const char *ready_state(uint32_t unready);

#endif
