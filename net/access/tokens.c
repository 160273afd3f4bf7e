#include "net/access/tokens.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 4096 }; /* a power of two, more than twice TOKENS_MAX */

_Static_assert((int)SLOTS >= 2 * (int)TOKENS_MAX, "a search is short, and ends");

struct token {
    uint8_t hash[DIGEST_SIZE];
    uint32_t user;
};

struct tokens {
    uint32_t count;
    uint16_t slots[SLOTS]; /* 0: free; else one more than the index of a token */
    struct token tokens[TOKENS_MAX];
};

struct tokens *tokens_new(void)
{
    return calloc(1, sizeof(struct tokens));
}

void tokens_free(struct tokens *t)
{
    free(t);
}

/* The slot that holds the hash, or else the free one that it would take. */
static uint32_t slot_of(const struct tokens *t, const uint8_t hash[DIGEST_SIZE])
{
    uint32_t at = 0;
    memcpy(&at, hash, sizeof(at));
    at %= SLOTS;
    while (t->slots[at] != 0 && !digest_is_equal(t->tokens[t->slots[at] - 1].hash, hash)) {
        at = (at + 1) % SLOTS;
    }
    return at;
}

enum rc tokens_add(struct tokens *t, const uint8_t hash[DIGEST_SIZE], uint32_t user)
{
    const uint32_t slot = slot_of(t, hash);
    if (t->slots[slot] != 0) {
        return RC_EXISTS;
    }
    if (t->count == TOKENS_MAX) {
        return RC_FULL;
    }
    memcpy(t->tokens[t->count].hash, hash, DIGEST_SIZE);
    t->tokens[t->count].user = user;
    t->slots[slot] = (uint16_t)++t->count;
    return RC_OK;
}

enum rc tokens_find(const struct tokens *t, const uint8_t hash[DIGEST_SIZE], uint32_t *ret_user)
{
    const uint32_t slot = slot_of(t, hash);
    if (t->slots[slot] == 0) {
        return RC_NOT_FOUND;
    }
    *ret_user = t->tokens[t->slots[slot] - 1].user;
    return RC_OK;
}
