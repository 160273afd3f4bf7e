/*
 * origin: the writers' ids, each kept once, named by 32-bit handles and counted.
 *
 * A version's origin is 16 bytes and there are as many origins as nodes that wrote in the last 30
 * days, so entries hold a handle instead. An origin is forgotten with the last entry that names it.
 */
#ifndef CORE_STORE_ORIGIN_H
#define CORE_STORE_ORIGIN_H

#include "core/base/uuid.h"
#include "core/store/keymap.h"
#include "core/store/slab.h"

#include <stdint.h>

struct origins {
    struct slab slab;
    struct keymap map;
    uint64_t seed;
};

/* `seed` keys the hash: peers choose the ids. The struct must not be moved afterwards. */
void origin_init(struct origins *origins, uint64_t seed);
void origin_fini(struct origins *origins);

/* The id's handle, one holder more; 0 when there is no memory. */
uint32_t origin_hold(struct origins *origins, const struct uuid *uuid);

/* One holder less. */
void origin_release(struct origins *origins, uint32_t handle);

/* The id behind a held handle; valid while it is held. */
const struct uuid *origin_at(const struct origins *origins, uint32_t handle);

/* Distinct ids held. */
uint64_t origin_count(const struct origins *origins);

/* Memory that one id takes, bookkeeping included. */
enum { ORIGIN_BYTES = 40 };

void origin_check(const struct origins *origins);

#endif
