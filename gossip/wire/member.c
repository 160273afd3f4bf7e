#include "gossip/wire/member.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct member) <= 112, "a member is kept MEMBERS_MAX times per node");
_Static_assert(MEMBER_USABLE_MAX < 8 && MEMBER_NAMED < 8, "they fit their bits");

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
    case MEMBER_NAMED:
        return "named";
    }
    return "?";
}

bool member_card_text_ok(const char *text)
{
    const size_t len = strnlen(text, NAME_SIZE);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    return len > 0 && len < NAME_SIZE;
}

/* Both counts are in one byte. */
enum { COUNT_BITS = 4, COUNT_MASK = (1 << COUNT_BITS) - 1 };

void member_card_write(struct cursor *c, const struct member_card *card)
{
    ASSERT(card->addr_count <= MEMBER_ADDRS_MAX && card->key_count <= MEMBER_KEYS_MAX);
    cursor_put_uuid(c, &card->uuid);
    cursor_put_u48(c, card->boot);
    cursor_put_u48(c, card->host_tag);
    cursor_put_u64(c, card->incarnation);
    cursor_put_u8(c, card->version_min);
    cursor_put_u8(c, card->version_max);
    cursor_put_u16(c, card->features);
    cursor_put_text(c, card->name);
    cursor_put_text(c, card->enclave);
    cursor_put_u8(c, (uint8_t)(card->addr_count | card->key_count << COUNT_BITS));
    for (uint32_t i = 0; i < card->key_count; i++) {
        cursor_put_u16(c, card->keys[i]);
    }
    for (uint32_t i = 0; i < card->addr_count; i++) {
        cursor_put_u8(c, (uint8_t)card->addrs[i].scope);
        addr_write(c, &card->addrs[i].addr);
    }
}

static void read_counts(struct cursor *c, uint32_t *ret_addr_count, uint32_t *ret_key_count)
{
    const uint32_t counts = cursor_u8(c);
    *ret_addr_count = counts & COUNT_MASK;
    *ret_key_count = counts >> COUNT_BITS;
    if (*ret_addr_count > MEMBER_ADDRS_MAX || *ret_key_count > MEMBER_KEYS_MAX) {
        cursor_fail(c);
        *ret_addr_count = *ret_key_count = 0;
    }
}

static void read_keys_and_addrs(struct cursor *c, struct member_card *card)
{
    uint32_t count = 0;
    read_counts(c, &count, &card->key_count);
    for (uint32_t i = 0; i < card->key_count; i++) {
        card->keys[i] = cursor_u16(c);
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

void member_card_read(struct cursor *c, struct member_card *ret_card)
{
    *ret_card = (struct member_card){.uuid = cursor_uuid(c)};
    ret_card->boot = cursor_u48(c);
    ret_card->host_tag = cursor_u48(c);
    ret_card->incarnation = cursor_u64(c);
    ret_card->version_min = cursor_u8(c);
    ret_card->version_max = cursor_u8(c);
    ret_card->features = cursor_u16(c);
    cursor_text(c, ret_card->name, sizeof(ret_card->name));
    cursor_text(c, ret_card->enclave, sizeof(ret_card->enclave));
    read_keys_and_addrs(c, ret_card);
    if (uuid_is_nil(&ret_card->uuid) || ret_card->version_min > ret_card->version_max ||
        !member_card_text_ok(ret_card->name) || !member_card_text_ok(ret_card->enclave)) {
        cursor_fail(c);
    }
}

static bool skip_text(struct cursor *c)
{
    const size_t len = cursor_u8(c);
    const uint8_t *text = cursor_bytes(c, len);
    bool is_fine = text != NULL && len > 0 && len < NAME_SIZE;
    for (size_t i = 0; is_fine && i < len; i++) {
        is_fine = text[i] > ' ' && text[i] <= '~';
    }
    return is_fine;
}

void member_card_skip(struct cursor *c, struct uuid *ret_uuid, uint64_t *ret_incarnation,
                      uint32_t *ret_addr_count)
{
    *ret_uuid = cursor_uuid(c);
    (void)cursor_u48(c); /* boot and host tag: any will do */
    (void)cursor_u48(c);
    *ret_incarnation = cursor_u64(c);
    const uint8_t version_min = cursor_u8(c);
    const uint8_t version_max = cursor_u8(c);
    (void)cursor_u16(c); /* features: likewise */
    bool is_fine = !uuid_is_nil(ret_uuid) && version_min <= version_max;
    is_fine = is_fine && skip_text(c) && skip_text(c);
    uint32_t key_count = 0;
    read_counts(c, ret_addr_count, &key_count);
    (void)cursor_bytes(c, 2 * (size_t)key_count);
    for (uint32_t i = 0; is_fine && i < *ret_addr_count; i++) {
        const uint8_t scope = cursor_u8(c);
        is_fine = scope == SCOPE_HOST || scope == SCOPE_GLOBAL;
        (void)addr_read(c);
    }
    if (!is_fine) {
        cursor_fail(c);
    }
}

/* ---- What is packed: name, NUL, enclave, NUL, the keys' ids, then the addresses ---- */

/*
 * An address: scope and family (1 byte), 4 or 16 bytes, port 2. The card's own come first; where
 * the member last answered is a number among them, or one more when it is none of them.
 */
enum {
    PACKED_SCOPE = 1,
    PACKED_IS_V6 = 2,
    PACKED_V6_BYTES = 1 + 16 + 2,
    V4_AT = 12, /* in a mapped address */
    PACKED_MAX = 2 * (NAME_SIZE + MEMBER_KEYS_MAX) + MEMBER_USABLE_MAX * PACKED_V6_BYTES,
};

static const char *packed(const struct member *m)
{
    return m->is_far ? m->packed.far : m->packed.near;
}

static size_t put_packed_addr(char *to, const struct member_addr *a)
{
    const bool is_v6 = !addr_is_v4(&a->addr);
    const size_t skipped = is_v6 ? 0 : V4_AT;
    const size_t len = sizeof(a->addr.ip) - skipped;
    to[0] = (char)((a->scope == SCOPE_GLOBAL ? PACKED_SCOPE : 0) | (is_v6 ? PACKED_IS_V6 : 0));
    memcpy(to + 1, a->addr.ip + skipped, len);
    memcpy(to + 1 + len, &a->addr.port, sizeof(a->addr.port));
    return 1 + len + sizeof(a->addr.port);
}

static size_t get_packed_addr(const char *from, struct member_addr *ret_addr)
{
    const bool is_v6 = (from[0] & PACKED_IS_V6) != 0;
    const size_t skipped = is_v6 ? 0 : V4_AT;
    const size_t len = sizeof(ret_addr->addr.ip) - skipped;
    ret_addr->scope = (from[0] & PACKED_SCOPE) != 0 ? SCOPE_GLOBAL : SCOPE_HOST;
    if (!is_v6) {
        static const uint8_t none[4] = {0};
        ret_addr->addr = addr_v4(none, 0);
    }
    memcpy(ret_addr->addr.ip + skipped, from + 1, len);
    memcpy(&ret_addr->addr.port, from + 1 + len, sizeof(ret_addr->addr.port));
    return 1 + len + sizeof(ret_addr->addr.port);
}

/* All addresses in their order, the one where it last answered at the end unless it is among its
 * own. */
static uint32_t unpack_addrs(const struct member *m,
                             struct member_addr ret_addrs[static MEMBER_USABLE_MAX])
{
    const char *at = packed(m) + m->text_len;
    const uint32_t count = m->addr_count + (m->last_1 > m->addr_count ? 1U : 0U);
    for (uint32_t i = 0; i < count; i++) {
        at += get_packed_addr(at, &ret_addrs[i]);
    }
    return count;
}

/* Of the card its texts, keys and addresses. */
static void pack(struct member *m, const struct member_card *card, const struct addr *last)
{
    char bytes[PACKED_MAX];
    const size_t name_size = strnlen(card->name, NAME_SIZE - 1) + 1;
    const size_t enclave_size = strnlen(card->enclave, NAME_SIZE - 1) + 1;
    const uint32_t addr_count = card->addr_count;
    ASSERT(addr_count <= MEMBER_ADDRS_MAX && card->key_count <= MEMBER_KEYS_MAX);
    memcpy(bytes, card->name, name_size - 1);
    bytes[name_size - 1] = '\0';
    memcpy(bytes + name_size, card->enclave, enclave_size - 1);
    bytes[name_size + enclave_size - 1] = '\0';
    size_t len = name_size + enclave_size;
    memcpy(bytes + len, card->keys, card->key_count * sizeof(card->keys[0]));
    len += card->key_count * sizeof(card->keys[0]);
    const uint8_t text_len = (uint8_t)len;
    uint32_t last_1 = 0;
    for (uint32_t i = 0; i < addr_count; i++) {
        len += put_packed_addr(bytes + len, &card->addrs[i]);
        last_1 = last->port != 0 && addr_equal(last, &card->addrs[i].addr) ? i + 1 : last_1;
    }
    if (last->port != 0 && last_1 == 0) {
        const struct member_addr seen = {.scope = SCOPE_GLOBAL, .addr = *last};
        len += put_packed_addr(bytes + len, &seen);
        last_1 = addr_count + 1;
    }
    member_fini(m);
    m->is_far = len > sizeof(m->packed.near);
    if (m->is_far) {
        m->packed.far = mem_new(len, 1);
    }
    memcpy(m->is_far ? m->packed.far : m->packed.near, bytes, len);
    m->text_len = text_len;
    m->addr_count = addr_count & 7U;
    m->last_1 = last_1 & 7U;
}

void member_fini(struct member *m)
{
    if (m->is_far) {
        free(m->packed.far);
        m->is_far = false;
    }
}

void member_set_card(struct member *m, const struct member_card *card)
{
    const struct addr last = member_last_addr(m);
    m->uuid = card->uuid;
    m->boot = card->boot & CARD_48_BITS;
    m->host_tag = card->host_tag & CARD_48_BITS;
    m->incarnation = card->incarnation;
    m->version_min = card->version_min;
    m->version_max = card->version_max;
    m->features = card->features;
    m->is_ghost = card->name[0] == '\0';
    pack(m, card, &last);
}

void member_card(const struct member *m, struct member_card *ret_card)
{
    struct member_addr addrs[MEMBER_USABLE_MAX];
    (void)unpack_addrs(m, addrs);
    *ret_card = (struct member_card){
        .uuid = m->uuid,
        .boot = m->boot,
        .host_tag = m->host_tag,
        .incarnation = m->incarnation,
        .version_min = m->version_min,
        .version_max = m->version_max,
        .features = m->features,
        .addr_count = m->addr_count,
    };
    ret_card->key_count = member_keys(m, ret_card->keys);
    memcpy(ret_card->name, member_name(m), strlen(member_name(m)));
    memcpy(ret_card->enclave, member_enclave(m), strlen(member_enclave(m)));
    memcpy(ret_card->addrs, addrs, m->addr_count * sizeof(addrs[0]));
}

uint8_t member_version(const struct member *m)
{
    const uint8_t highest =
        m->version_max < PROTOCOL_VERSION_MAX ? (uint8_t)m->version_max : PROTOCOL_VERSION_MAX;
    return highest < m->version_min || highest < PROTOCOL_VERSION_MIN ? PROTOCOL_VERSION_MIN
                                                                      : highest;
}

const char *member_name(const struct member *m)
{
    return packed(m);
}

const char *member_enclave(const struct member *m)
{
    return packed(m) + strlen(packed(m)) + 1;
}

uint32_t member_keys(const struct member *m, uint16_t ret_keys[static MEMBER_KEYS_MAX])
{
    const char *enclave = member_enclave(m);
    const size_t texts = (size_t)(enclave - packed(m)) + strlen(enclave) + 1;
    const size_t bytes = m->text_len - texts;
    memcpy(ret_keys, packed(m) + texts, bytes);
    return (uint32_t)(bytes / sizeof(ret_keys[0]));
}

struct addr member_last_addr(const struct member *m)
{
    struct member_addr addrs[MEMBER_USABLE_MAX];
    if (m->last_1 == 0) {
        return (struct addr){.port = 0};
    }
    (void)unpack_addrs(m, addrs);
    return addrs[m->last_1 - 1].addr;
}

void member_set_last_addr(struct member *m, const struct addr *addr)
{
    struct member_card card;
    member_card(m, &card);
    pack(m, &card, addr);
}

struct member_addr member_addr_at(const struct member *m, uint32_t i)
{
    struct member_addr addrs[MEMBER_USABLE_MAX];
    ASSERT(i < m->addr_count);
    (void)unpack_addrs(m, addrs);
    return addrs[i];
}

struct addr member_shown_addr(const struct member *m)
{
    if (m->last_1 != 0 || m->addr_count == 0) {
        return member_last_addr(m);
    }
    for (uint32_t i = 0; i < m->addr_count; i++) {
        const struct addr addr = member_addr_at(m, i).addr;
        if (!addr_is_loopback(&addr)) {
            return addr;
        }
    }
    return member_addr_at(m, 0).addr;
}

static bool is_for(const struct member_addr *a, enum card_audience audience)
{
    return audience == CARD_SAME_HOST ||
           (audience == CARD_OTHER_HOST ? a->scope == SCOPE_GLOBAL : !addr_is_loopback(&a->addr));
}

void member_write_card(struct cursor *c, const struct member *m, enum card_audience audience)
{
    struct member_card card;
    uint32_t kept = 0;
    member_card(m, &card);
    for (uint32_t i = 0; i < card.addr_count; i++) {
        if (is_for(&card.addrs[i], audience)) {
            card.addrs[kept++] = card.addrs[i];
        }
    }
    card.addr_count = kept;
    member_card_write(c, &card);
}

/* ---- Addresses to use ---- */

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
    struct member_addr addrs[MEMBER_USABLE_MAX];
    uint32_t count = 0;
    (void)unpack_addrs(m, addrs);
    if (m->last_1 != 0) {
        add_addr(ret_addrs, &count, &addrs[m->last_1 - 1].addr);
    }
    const bool is_near = m->host_tag == host_tag;
    for (int scope = is_near ? SCOPE_HOST : SCOPE_GLOBAL; scope <= SCOPE_GLOBAL; scope++) {
        for (uint32_t i = 0; i < m->addr_count; i++) {
            const struct member_addr *a = &addrs[i];
            if ((int)a->scope == scope && a->addr.port != 0 && !addr_is_any(&a->addr) &&
                (is_near || !addr_is_loopback(&a->addr))) {
                add_addr(ret_addrs, &count, &a->addr);
            }
        }
    }
    return count;
}
