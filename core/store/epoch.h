/*
 * epoch: how time is cut by expiry, what sums up a piece of it, and where a walk over one stands.
 *
 * An epoch is 64 s of expiry; its sum is the sum modulo 2^64 of its record ids, guards included.
 * Groups are runs of 64 epochs. "As of a cut" leaves out records whose version's second is later
 * than `cut_s`; cuts go back 16 s from the newest version second.
 *
 * Left out: the entries (core/store/calendar has them by epoch).
 */
#ifndef CORE_STORE_EPOCH_H
#define CORE_STORE_EPOCH_H

#include <stdbool.h>
#include <stdint.h>

enum { EPOCH_MS = 64000, EPOCHS_PER_GROUP = 64, CUT_SECONDS = 16 };

struct digest {
    uint64_t sum;
    uint64_t count;
};

/* Open walks of one store. */
enum { STORE_WALKS_MAX = 64 };

struct store_walk {
    uint64_t epoch;
    uint32_t after; /* the handle that it has come to */
    bool is_open;
};

#endif
