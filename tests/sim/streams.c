#include "tests/sim/streams.h"

#include "core/assert.h"
#include "core/mem.h"

#include <stdlib.h>

enum { ENDS_MAX = 1 << 26, STREAMS_MIN = 64 };

void streams_init(struct streams *s)
{
    *s = (struct streams){.count = 0};
    slotindex_init(&s->index, ENDS_MAX);
}

void streams_fini(struct streams *s)
{
    slotindex_fini(&s->index);
    free(s->all);
    free(s->free);
}

static uint32_t hash_of(uint32_t node, uint32_t link)
{
    const uint64_t mixed = ((uint64_t)node << 32 | link) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(mixed >> 32);
}

uint32_t streams_add(struct streams *s, uint32_t from, uint32_t from_life, uint32_t link,
                     uint32_t to, uint32_t to_life)
{
    if (s->free_count == 0 && s->count == s->size) {
        s->size = s->size == 0 ? STREAMS_MIN : 2 * s->size;
        s->all = mem_resize(s->all, s->size, sizeof(*s->all));
        s->free = mem_resize(s->free, s->size, sizeof(*s->free));
    }
    const uint32_t stream = s->free_count > 0 ? s->free[--s->free_count] : s->count++;
    s->all[stream] =
        (struct stream){.is_used = true, .node = {from, to}, .life = {from_life, to_life}};
    streams_set_link(s, stream, 0, link);
    return stream;
}

void streams_set_link(struct streams *s, uint32_t stream, uint32_t end, uint32_t link)
{
    struct stream *at = &s->all[stream];
    if (at->link[end] != 0) {
        slotindex_remove(&s->index, hash_of(at->node[end], at->link[end]), 2 * stream + end);
    }
    at->link[end] = link;
    if (link != 0) {
        slotindex_add(&s->index, hash_of(at->node[end], link), 2 * stream + end);
    }
}

struct stream *streams_find(const struct streams *s, uint32_t node, uint32_t link,
                            uint32_t *ret_end)
{
    uint32_t walk = 0;
    uint32_t slot = 0;
    while (slotindex_next(&s->index, hash_of(node, link), &walk, &slot)) {
        struct stream *at = &s->all[slot / 2];
        if (at->node[slot % 2] == node && at->link[slot % 2] == link) {
            *ret_end = slot % 2;
            return at;
        }
    }
    return NULL;
}

void streams_release(struct streams *s, uint32_t stream)
{
    struct stream *at = &s->all[stream];
    ASSERT(at->is_used);
    if (at->events == 0 && at->link[0] == 0 && at->link[1] == 0) {
        at->is_used = false;
        s->free[s->free_count++] = stream;
    }
}
