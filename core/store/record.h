/*
 * record: one write, as it stands in the store, on the wire and in a reply.
 *
 * A record is live until `expiry_ms`; its `guard_ms` is the latest expiry or guard of the versions
 * it replaced, 0 when none outlives it. A shadow is what is left of a record whose guard is later
 * than its expiry: the record without its value. It refuses every version of its key up to its own
 * until `expiry_ms`, which for a shadow is the guard.
 *
 * Nothing stands for a key but the key itself. For any digest that nodes can agree on, somebody can
 * write two keys with the same one.
 *
 * All times are milliseconds on the cluster's clock. A stamp may run ahead of that clock, when
 * another node's clock was ahead. The expiry is counted from the clock, and `ahead_ms` says by how
 * much the stamp ran ahead when the record was written. It belongs to the version, as the value
 * does: it counts neither in the order of versions nor in ids.
 */
#ifndef CORE_STORE_RECORD_H
#define CORE_STORE_RECORD_H

#include "core/base/units.h"
#include "core/store/blob.h"
#include "core/store/version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEY_BYTES_MAX = 1024,
    /* Values up to this stand beside their key; larger ones are blobs. */
    VALUE_INLINE_MAX = 2048,
};

/* The limits for peers. A node's own limits bind only its clients, as the cluster must converge. */
#define RECORD_VALUE_MAX (UINT32_C(64) << 20)
#define RECORD_LIFETIME_MAX_MS (30 * DAY_MS)
#define RECORD_AHEAD_MAX_MS UINT64_C(60000) /* beyond, a stamp is of another clock */

struct record {
    const uint8_t *key; /* borrowed; 1 to KEY_BYTES_MAX bytes, no NUL */
    size_t key_len;
    const uint8_t *value; /* borrowed; NULL when the value is a blob or empty */
    struct blob *blob;    /* borrowed; NULL when the value is at `value` or empty */
    size_t value_len;
    struct version version;
    uint64_t expiry_ms;
    uint64_t guard_ms;
    uint16_t ahead_ms; /* 0 in a shadow */
    bool is_shadow;
};

/*
 * Checks what came through a door against the protocol's constants: key and value length, expiry
 * after the version's time and at most RECORD_LIFETIME_MAX_MS after it, a stamp at most
 * RECORD_AHEAD_MAX_MS ahead, neither value nor guard in a shadow. Both doors use it. RC_MALFORMED,
 * RC_TOO_LONG, RC_RANGE.
 */
MUST_USE enum rc record_check(const struct record *r);

/* When a live record was written, by its origin's clock. */
uint64_t record_written_ms(const struct record *r);

/*
 * The record's id in anti-entropy: XXH3 of its canonical form (kind, key, version, expiry, guard)
 * under a key, which is the cluster's for the sums that are kept and a session's own where ids are
 * compared. A guard that does not outlive the expiry counts as none.
 */
uint64_t record_id(const struct record *r, uint64_t key);

/* The same without the guard: the name of a write, whatever this node knows of its past. */
uint64_t record_write_id(const struct record *r, uint64_t key);

#endif
