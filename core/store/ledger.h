/*
 * ledger: the last changes of a sum and a count, by the second they belong to.
 *
 * It answers "what changed after second S": the total as of S is the present one without that. It
 * remembers each second until ledger_forget(), in any order. LEDGER_SECONDS_MAX different ones are
 * enough for how far a cut goes back and how far other nodes' clocks are ahead. Most of the time it
 * is empty and takes no memory beside itself.
 *
 * Sums and counts are modulo 2^64: a change is added, its undoing subtracted.
 */
#ifndef CORE_STORE_LEDGER_H
#define CORE_STORE_LEDGER_H

#include "core/store/epoch.h"

#include <stdint.h>

enum { LEDGER_SECONDS_MAX = CUT_SECONDS + 64 };

struct ledger_line {
    uint64_t second;
    struct digest change;
};

struct ledger {
    struct ledger_line *lines; /* ascending by second */
    uint32_t count;
    uint32_t size;
};

/* A zeroed ledger is an empty one. */
void ledger_fini(struct ledger *ledger);

/*
 * Books a change. Returns the latest second that had to be forgotten for it, 0 when none had: with
 * LEDGER_SECONDS_MAX lines the earliest goes, which may be the one just booked.
 */
uint64_t ledger_book(struct ledger *ledger, uint64_t second, struct digest change);

/* The sum of the changes of seconds after `cut_s`. */
struct digest ledger_since(const struct ledger *ledger, uint64_t cut_s);

/* Forgets the seconds up to `horizon_s`. Returns the latest one forgotten, 0 when none was. */
uint64_t ledger_forget(struct ledger *ledger, uint64_t horizon_s);

void ledger_check(const struct ledger *ledger);

#endif
