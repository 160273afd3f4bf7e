#include "tests/sim/introduce.h"

#include "gossip/engine_state.h"
#include "gossip/membership/hearsay.h"
#include "gossip/wire/packet.h"
#include "tests/sim/stage.h"

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

/* Another's card comes as in a page that the node has asked for. */
static void tell(struct cluster *c, uint32_t node, uint32_t of, const struct uuid *by)
{
    uint8_t card[CARD_WIRE_MAX];
    struct engine *e = c->nodes[node].engine;
    const struct member *m = self_of(c, of);
    const struct view_teller teller = {.uuid = by, .is_sure = true};
    struct cursor to = cursor_writer(card, sizeof(card));
    member_write_card(&to, m, CARD_OTHER_HOST);
    const struct entry entry = {
        .kind = ENTRY_ALIVE,
        .uuid = m->uuid,
        .incarnation = m->incarnation,
        .addr_count = m->addr_count,
        .card = card,
        .card_len = to.pos,
    };
    hearsay_entry(e->swim, &entry, &teller);
}

void introduce_all(struct cluster *c, void (*told)(void *arg, uint32_t nodes), void *arg)
{
    for (uint32_t i = 0; i < c->count; i++) {
        const uint32_t by = (i + 1) % c->count;
        for (uint32_t of = 0; of < c->count && c->nodes[i].is_up && c->nodes[by].is_up; of++) {
            if (of != i && c->nodes[of].is_up) {
                tell(c, i, of, &self_of(c, by)->uuid);
            }
        }
        if (c->nodes[i].is_up) {
            engine_tick(c->nodes[i].engine, stage_now_us(c, i));
            stage_drain(c, i);
        }
        told(arg, i + 1);
    }
}
