#include "gossip/repair/holdings.h"

#include "core/base/assert.h"
#include "gossip/repair/session.h"

#include <stdlib.h>
#include <string.h>

void holdings_init(struct holdings *h, uint64_t store_bytes_max)
{
    const uint64_t part = store_bytes_max / HOLDINGS_PART;
    *h = (struct holdings){.bytes_max = part > HOLDINGS_BYTES_MIN ? part : HOLDINGS_BYTES_MIN};
}

uint32_t holdings_cells_max(const struct holdings *h)
{
    const uint64_t of_one = h->bytes_max / HOLDINGS_STREAMS_PART / SYNC_SINKS_MAX;
    const uint64_t cells = of_one / CELLS_SINK_CELL_BYTES;
    return cells < CELLS_WANTED_MAX ? (uint32_t)cells : (uint32_t)CELLS_WANTED_MAX;
}

static void count(struct holdings *h, struct link *l)
{
    const uint64_t bytes = link_memory(l) + (l->sync == NULL ? 0 : session_memory(l->sync));
    h->bytes += bytes - l->held_bytes;
    l->held_bytes = bytes;
}

void holdings_count(struct holdings *h, const struct mesh *m, struct link *l, uint64_t now_us)
{
    count(h, l);
    if (now_us < h->all_at_us) {
        return;
    }
    h->all_at_us = now_us + HOLDINGS_ALL_US;
    for (struct link *other = mesh_first(m); other != NULL; other = mesh_after(m, other->id)) {
        count(h, other);
    }
}

void holdings_drop(struct holdings *h, const struct link *l)
{
    ASSERT(h->bytes >= l->held_bytes);
    h->bytes -= l->held_bytes;
}

/* By network, then address: so those of one place are neighbours. */
static int compare(const void *a, const void *b)
{
    const struct link *x = *(struct link *const *)a;
    const struct link *y = *(struct link *const *)b;
    return memcmp(x->addr.ip, y->addr.ip, sizeof(x->addr.ip));
}

struct link *holdings_excess(const struct holdings *h, const struct mesh *m)
{
    if (h->bytes <= h->bytes_max) {
        return NULL;
    }
    struct link *links[MESH_LINKS_MAX];
    size_t link_count = 0;
    for (struct link *l = mesh_first(m); l != NULL; l = mesh_after(m, l->id)) {
        links[link_count++] = l;
    }
    ASSERT(link_count > 0); /* or nothing would be held */
    qsort(links, link_count, sizeof(struct link *), compare);
    struct link *heaviest = NULL, *first = links[0], *of_place = links[0];
    uint64_t most = 0, sum = 0;
    for (size_t i = 0; i < link_count; i++) {
        if (!mesh_same_place(m, &links[i]->addr, &first->addr)) {
            first = of_place = links[i];
            sum = 0;
        }
        of_place = links[i]->held_bytes > of_place->held_bytes ? links[i] : of_place;
        sum += links[i]->held_bytes;
        if (sum > most) {
            most = sum;
            heaviest = of_place;
        }
    }
    return heaviest;
}
