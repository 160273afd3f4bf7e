#include "tests/sim/sample.h"

#include "core/mem.h"

#include <stdlib.h>

enum { SAMPLE_MIN = 64, PERMILLE = 1000 };

void sample_add(struct sample *s, uint64_t value)
{
    if (s->count == s->size) {
        s->size = s->size == 0 ? SAMPLE_MIN : 2 * s->size;
        s->values = mem_resize(s->values, s->size, sizeof(*s->values));
    }
    s->values[s->count++] = value;
    s->is_sorted = false;
}

void sample_fini(struct sample *s)
{
    free(s->values);
    *s = (struct sample){.count = 0};
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

uint64_t sample_percentile(struct sample *s, uint32_t permille)
{
    if (s->count == 0) {
        return 0;
    }
    if (!s->is_sorted) {
        qsort(s->values, s->count, sizeof(*s->values), compare);
        s->is_sorted = true;
    }
    const size_t rank = (s->count * permille + PERMILLE - 1) / PERMILLE;
    return s->values[rank == 0 ? 0 : rank - 1];
}
