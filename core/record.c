#include "core/record.h"

#include "core/assert.h"
#include "core/cursor.h"

#include <string.h>
#include <xxhash.h>

static enum rc check_value(const struct record *r)
{
    if (r->is_shadow) {
        return r->value_len == 0 && r->blob == NULL ? RC_OK : RC_MALFORMED;
    }
    if (r->value_len > RECORD_VALUE_MAX) {
        return RC_TOO_LONG;
    }
    if (r->blob != NULL) {
        return r->value == NULL && blob_len(r->blob) == r->value_len ? RC_OK : RC_MALFORMED;
    }
    return r->value != NULL || r->value_len == 0 ? RC_OK : RC_MALFORMED;
}

static enum rc check_key(const struct record *r)
{
    if (r->is_shadow) {
        return r->key_len == KEY_DIGEST_BYTES ? RC_OK : RC_MALFORMED;
    }
    if (r->key_len > KEY_BYTES_MAX) {
        return RC_TOO_LONG;
    }
    return r->key_len > 0 && memchr(r->key, 0, r->key_len) == NULL ? RC_OK : RC_MALFORMED;
}

enum rc record_check(const struct record *r)
{
    enum rc rc = check_key(r);
    if (rc == RC_OK) {
        rc = check_value(r);
    }
    if (rc != RC_OK) {
        return rc;
    }
    const uint64_t from = version_ms(&r->version);
    const uint64_t until = from + RECORD_LIFETIME_MAX_MS;
    const bool is_lifetime_ok = r->expiry_ms > from && r->expiry_ms <= until;
    /* A guard comes from earlier versions, so it is held to the same bound. */
    return is_lifetime_ok && r->guard_ms <= until ? RC_OK : RC_RANGE;
}

void record_key_digest(const uint8_t *key, size_t key_len, uint64_t seed,
                       uint8_t ret_digest[static KEY_DIGEST_BYTES])
{
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(key, key_len, seed));
    memcpy(ret_digest, canonical.digest, KEY_DIGEST_BYTES);
}

/*
 * The canonical form; no length is needed because only the key's varies:
 *
 *   kind 1 (0 live, 1 shadow) | stamp 8 | origin 16 | expiry 8 | key
 */
enum { ID_HEAD_BYTES = 1 + 8 + UUID_BYTES + 8 };

uint64_t record_id(const struct record *r, uint64_t seed)
{
    ASSERT(r->key_len <= KEY_BYTES_MAX);
    uint8_t form[ID_HEAD_BYTES + KEY_BYTES_MAX];
    struct cursor c = cursor_writer(form, sizeof(form));
    cursor_put_u8(&c, r->is_shadow ? 1 : 0);
    cursor_put_u64(&c, r->version.stamp);
    cursor_put_uuid(&c, &r->version.origin);
    cursor_put_u64(&c, r->expiry_ms);
    cursor_put_bytes(&c, r->key, r->key_len);
    ASSERT(cursor_ok(&c));
    return XXH3_64bits_withSeed(form, c.pos, seed);
}
