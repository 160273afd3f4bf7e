/*
 * version: which of two writes to a key is the later one, and the hybrid logical clock that stamps
 * them (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014).
 *
 * A stamp is 48 bits of milliseconds on the cluster's clock and 16 bits of counter; the writer's id
 * makes the order total. Times here are milliseconds since the Unix epoch on the cluster's clock,
 * not on this machine's.
 */
#ifndef CORE_STORE_VERSION_H
#define CORE_STORE_VERSION_H

#include "core/base/uuid.h"

#include <stdint.h>

struct version {
    uint64_t stamp; /* milliseconds << 16 | counter */
    struct uuid origin;
};

enum { VERSION_COUNTER_BITS = 16, VERSION_TEXT_SIZE = 16 + 32 + 1 };

/* <0, 0 or >0 as `a` is earlier than, the same as or later than `b`. */
int version_compare(const struct version *a, const struct version *b);

/* The milliseconds of the stamp. */
uint64_t version_ms(const struct version *v);

/* 48 lower-case hex digits and a NUL: the ETag without its quotes. Returns `ret_text`. */
const char *version_format(const struct version *v, char ret_text[static VERSION_TEXT_SIZE]);

/* The clock: the last stamp given or seen. */
struct hlc {
    uint64_t last;
};

/* A stamp later than every stamp given or seen before, and not earlier than `now_ms`. */
uint64_t version_next(struct hlc *hlc, uint64_t now_ms);

/* Takes note of a stamp that came from elsewhere. The caller has refused those too far ahead. */
void version_see(struct hlc *hlc, uint64_t stamp);

#endif
