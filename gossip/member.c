#include "gossip/member.h"

#include "core/assert.h"

#include <string.h>

const char *member_state_name(enum member_state state)
{
    switch (state) {
    case MEMBER_ALIVE:
        return "alive";
    case MEMBER_SUSPECT:
        return "suspect";
    case MEMBER_DEAD:
        return "dead";
    case MEMBER_LEFT:
        return "left";
    }
    return "?";
}

bool card_text_ok(const char *text)
{
    const size_t len = strnlen(text, NAME_SIZE);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~') {
            return false;
        }
    }
    return len > 0 && len < NAME_SIZE;
}

void card_write(struct cursor *c, const struct member_card *card)
{
    ASSERT(card->addr_count <= MEMBER_ADDRS_MAX);
    cursor_put_uuid(c, &card->uuid);
    cursor_put_u64(c, card->boot);
    cursor_put_u64(c, card->host_tag);
    cursor_put_u32(c, card->incarnation);
    cursor_put_text(c, card->name);
    cursor_put_text(c, card->enclave);
    cursor_put_u8(c, (uint8_t)card->addr_count);
    for (uint32_t i = 0; i < card->addr_count; i++) {
        cursor_put_u8(c, (uint8_t)card->addrs[i].scope);
        addr_write(c, &card->addrs[i].addr);
    }
}

static void read_addrs(struct cursor *c, struct member_card *card)
{
    const uint32_t count = cursor_u8(c);
    if (count > MEMBER_ADDRS_MAX) {
        cursor_fail(c);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t scope = cursor_u8(c);
        if (scope != SCOPE_HOST && scope != SCOPE_GLOBAL) {
            cursor_fail(c);
            return;
        }
        card->addrs[i].scope = (enum addr_scope)scope;
        card->addrs[i].addr = addr_read(c);
    }
    card->addr_count = count;
}

void card_read(struct cursor *c, struct member_card *ret_card)
{
    struct member_card card = {.uuid = cursor_uuid(c)};
    card.boot = cursor_u64(c);
    card.host_tag = cursor_u64(c);
    card.incarnation = cursor_u32(c);
    cursor_text(c, card.name, sizeof(card.name));
    cursor_text(c, card.enclave, sizeof(card.enclave));
    read_addrs(c, &card);
    if (uuid_is_nil(&card.uuid) || card.incarnation >= INCARNATION_MAX ||
        !card_text_ok(card.name) || !card_text_ok(card.enclave)) {
        cursor_fail(c);
    }
    *ret_card = card;
}

static void add_addr(struct addr *list, uint32_t *count, const struct addr *addr)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (addr_equal(&list[i], addr)) {
            return;
        }
    }
    list[(*count)++] = *addr;
}

uint32_t member_addrs(const struct member *m, uint64_t host_tag,
                      struct addr ret_addrs[static MEMBER_USABLE_MAX])
{
    uint32_t count = 0;
    if (m->last_addr.port != 0) {
        add_addr(ret_addrs, &count, &m->last_addr);
    }
    const bool is_near = m->card.host_tag == host_tag;
    for (int scope = is_near ? SCOPE_HOST : SCOPE_GLOBAL; scope <= SCOPE_GLOBAL; scope++) {
        for (uint32_t i = 0; i < m->card.addr_count; i++) {
            const struct member_addr *a = &m->card.addrs[i];
            if ((int)a->scope == scope && a->addr.port != 0 && !addr_is_any(&a->addr) &&
                (is_near || !addr_is_loopback(&a->addr))) {
                add_addr(ret_addrs, &count, &a->addr);
            }
        }
    }
    return count;
}
