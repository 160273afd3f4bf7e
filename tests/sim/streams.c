#include "tests/sim/streams.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { STREAMS_MIN = 64 };

void streams_init(struct streams *s)
{
    *s = (struct streams){.count = 0};
}

static void drop_pieces(struct stream *at)
{
    for (uint32_t end = 0; end < 2; end++) {
        while (at->first[end] != NULL) {
            struct piece *piece = at->first[end];
            at->first[end] = piece->next;
            free(piece);
        }
    }
}

void streams_fini(struct streams *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        drop_pieces(&s->all[i]);
    }
    free(s->chains);
    free(s->all);
    free(s->free);
}

/* Head of the chain in which this link of this node is, if anywhere. */
static uint32_t *chain_of(const struct streams *s, uint32_t node, uint32_t link)
{
    const uint64_t mixed = ((uint64_t)node << 32 | link) * UINT64_C(0x9e3779b97f4a7c15);
    return &s->chains[(mixed >> 32) & (2 * s->size - 1)];
}

static void chain_in(struct streams *s, uint32_t stream, uint32_t end)
{
    struct stream *at = &s->all[stream];
    uint32_t *first = chain_of(s, at->node[end], at->link[end]);
    at->next_1[end] = *first;
    *first = 2 * stream + end + 1;
}

static void chain_out(struct streams *s, uint32_t stream, uint32_t end)
{
    const struct stream *at = &s->all[stream];
    uint32_t *from = chain_of(s, at->node[end], at->link[end]);
    while (*from != 2 * stream + end + 1) {
        ASSERT(*from != 0);
        from = &s->all[(*from - 1) / 2].next_1[(*from - 1) % 2];
    }
    *from = at->next_1[end];
}

static void grow(struct streams *s)
{
    s->size = s->size == 0 ? STREAMS_MIN : 2 * s->size;
    s->all = mem_resize(s->all, s->size, sizeof(*s->all));
    s->free = mem_resize(s->free, s->size, sizeof(*s->free));
    free(s->chains);
    s->chains = mem_new(2 * (size_t)s->size, sizeof(*s->chains));
    for (uint32_t i = 0; i < 2 * s->count; i++) {
        if (s->all[i / 2].is_used && s->all[i / 2].link[i % 2] != 0) {
            chain_in(s, i / 2, i % 2);
        }
    }
}

uint32_t streams_add(struct streams *s, uint32_t from, uint32_t from_life, uint32_t link,
                     uint32_t to, uint32_t to_life)
{
    if (s->free_count == 0 && s->count == s->size) {
        grow(s);
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
        chain_out(s, stream, end);
    }
    at->link[end] = link;
    if (link != 0) {
        chain_in(s, stream, end);
    }
}

struct stream *streams_find(const struct streams *s, uint32_t node, uint32_t link,
                            uint32_t *ret_end)
{
    if (s->size == 0) {
        return NULL;
    }
    for (uint32_t i = *chain_of(s, node, link); i != 0;) {
        struct stream *at = &s->all[(i - 1) / 2];
        const uint32_t end = (i - 1) % 2;
        if (at->node[end] == node && at->link[end] == link) {
            *ret_end = end;
            return at;
        }
        i = at->next_1[end];
    }
    return NULL;
}

void streams_push(struct streams *s, uint32_t stream, uint32_t end, uint64_t due_us,
                  const uint8_t *bytes, size_t len)
{
    struct stream *at = &s->all[stream];
    struct piece *piece = mem_new(1, sizeof(*piece) + len);
    *piece = (struct piece){.due_us = due_us, .len = len};
    memcpy(piece->bytes, bytes, len);
    if (at->first[end] == NULL) {
        at->first[end] = piece;
    } else {
        at->last[end]->next = piece;
    }
    at->last[end] = piece;
    at->free_us[end] = due_us;
    at->in_flight[end] += len;
}

void streams_pop(struct streams *s, uint32_t stream, uint32_t end)
{
    struct stream *at = &s->all[stream];
    struct piece *piece = at->first[end];
    at->first[end] = piece->next;
    at->in_flight[end] -= piece->len;
    free(piece);
}

void streams_release(struct streams *s, uint32_t stream)
{
    struct stream *at = &s->all[stream];
    ASSERT(at->is_used);
    if (at->events == 0 && at->link[0] == 0 && at->link[1] == 0) {
        drop_pieces(at);
        at->is_used = false;
        s->free[s->free_count++] = stream;
    }
}
