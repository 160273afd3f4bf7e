#include "tests/sim/introduce.h"

#include "core/assert.h"
#include "core/mem.h"
#include "gossip/packet.h"
#include "tests/sim/stage.h"

#include <stdlib.h>

enum { PAGE_BYTES = DATAGRAM_BYTES_MAX - PACKET_OVERHEAD_MAX };

#define HALF_THE_TAGS (UINT32_C(1) << 31)

struct page {
    uint8_t entries[PAGE_BYTES];
    size_t len;
};

static const struct member *self_of(const struct cluster *c, uint32_t node)
{
    uint32_t slot = 0;
    const struct member *m = engine_next_member(c->nodes[node].engine, &slot);
    while (!m->is_self) {
        slot++;
        m = engine_next_member(c->nodes[node].engine, &slot);
    }
    return m;
}

static void write_entry(struct cursor *c, const struct member *m)
{
    cursor_put_u8(c, ENTRY_ALIVE);
    member_write_card(c, m, CARD_OTHER_HOST);
}

/* The cards of all running nodes; *ret_count pages, to be freed. */
static struct page *write_pages(const struct cluster *c, uint32_t *ret_count)
{
    struct page *pages = mem_new(c->count, sizeof(*pages));
    struct cursor to = cursor_writer(pages[0].entries, PAGE_BYTES);
    uint32_t last = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        uint8_t entry[ENTRY_WIRE_MAX];
        struct cursor one = cursor_writer(entry, sizeof(entry));
        if (!c->nodes[i].is_up) {
            continue;
        }
        write_entry(&one, self_of(c, i));
        if (one.pos > cursor_left(&to)) {
            to = cursor_writer(pages[++last].entries, PAGE_BYTES);
        }
        cursor_put_bytes(&to, entry, one.pos);
        pages[last].len = to.pos;
    }
    *ret_count = last + 1;
    return pages;
}

static void hand_over(struct cluster *c, uint32_t node, uint32_t by, enum packet_kind kind,
                      const struct page *page, uint32_t next)
{
    const struct member *sender = self_of(c, by);
    const struct addr from = stage_addr(by);
    uint8_t data[DATAGRAM_BYTES_MAX];
    struct cursor to = cursor_writer(data, sizeof(data));
    const struct packet p = {
        .kind = kind,
        .version = PROTOCOL_VERSION_MAX,
        .is_long = true,
        .knows_you = true,
        .tag = sender->tag,
        .cluster = swim_cluster_hash(c->config.network),
        .uuid = sender->uuid,
        .boot = sender->boot,
        .first = next,
        .entries = page->entries,
        .entries_len = page->len,
    };
    packet_write(&to, &p);
    ASSERT(cursor_ok(&to));
    engine_datagram(c->nodes[node].engine, &from, data, to.pos, stage_now_us(c, node));
    stage_drain(c, node);
}

/* The node meets the one after it, asks it for its table, from tag 0 on, and gets it: half of the
 * tags are said to have come with the first page, the rest with the last. Those between say what
 * the first said, as if they had come twice, so that the pull is under way until the last. */
static void tell(struct cluster *c, uint32_t node, uint32_t by, const struct page *pages,
                 uint32_t count)
{
    struct page own;
    struct cursor to = cursor_writer(own.entries, PAGE_BYTES);
    write_entry(&to, self_of(c, by));
    own.len = to.pos;
    hand_over(c, node, by, PACKET_GOSSIP, &own, 0);
    for (uint32_t i = 0; i < count; i++) {
        hand_over(c, node, by, PACKET_CARDS, &pages[i], i + 1 < count ? HALF_THE_TAGS : 0);
    }
}

void introduce_all(struct cluster *c, void (*told)(void *arg, uint32_t nodes), void *arg)
{
    uint32_t count = 0;
    struct page *pages = write_pages(c, &count);
    for (uint32_t i = 0; i < c->count; i++) {
        const uint32_t by = (i + 1) % c->count;
        if (c->nodes[i].is_up && c->nodes[by].is_up && by != i) {
            tell(c, i, by, pages, count);
        }
        told(arg, i + 1);
    }
    free(pages);
}
