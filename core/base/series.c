#include "core/base/series.h"

#include <string.h>

void series_init(struct series *s, const uint8_t secret[static SIPHASH_KEY_BYTES],
                 const char *label)
{
    const size_t len = strlen(label);
    const uint64_t halves[2] = {
        siphash(secret, label, len), siphash(secret, label, len + 1), /* with the end of the text */
    };
    *s = (struct series){.count = 0};
    memcpy(s->key, halves, sizeof(s->key));
}

uint64_t series_next(struct series *s)
{
    s->count++;
    return siphash(s->key, &s->count, sizeof(s->count));
}
