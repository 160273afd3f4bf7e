#include "gossip/sealing/sealing.h"

#include "core/base/assert.h"
#include "core/base/mem.h"

#include <string.h>

_Static_assert((int)MEMBER_KEYS_MAX == (int)KEYRING_KEYS_MAX, "a card names a whole ring");

const char *sealing_refusal_text(enum sealing_refusal refusal)
{
    static const char *const texts[] = {
#define SEALING_REFUSAL_TEXT(name, text) text,
        SEALING_REFUSALS(SEALING_REFUSAL_TEXT)
#undef SEALING_REFUSAL_TEXT
    };
    ASSERT(refusal < SEALING_REFUSED_KINDS);
    return texts[refusal];
}

/* ---- The ring ---- */

void sealing_init(struct sealing *x, const struct sealing_config *config)
{
    *x = (struct sealing){.ops = config->ops, .self = config->self, .ring = {.count = 1}};
    ASSERT(strlen(config->network) < sizeof(x->network));
    memcpy(x->network, config->network, strlen(config->network));
    x->state = keyring_state(&x->ring);
    windows_init(&x->windows, config->senders_max);
    budget_init(&x->intros, config->seed);
    budget_init(&x->elsewhere, config->seed);
    copies_init(&x->copies, config->seed);
}

void sealing_fini(struct sealing *x)
{
    keyring_fini(&x->ring);
    windows_fini(&x->windows);
}

enum rc sealing_set_keys(struct sealing *x, const struct keyring_items *items)
{
    struct keyring ring;
    struct sealing_use uses[KEYRING_KEYS_MAX] = {{0}};
    const enum rc rc = keyring_init(&ring, x->ops, x->network, items);
    if (rc != RC_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < ring.count; i++) {
        const struct keyring_key *before = keyring_find(&x->ring, ring.keys[i].id);
        if (before != NULL) {
            uses[i] = x->uses[before - x->ring.keys];
        }
    }
    keyring_fini(&x->ring);
    x->ring = ring;
    x->state = keyring_state(&ring);
    memcpy(x->uses, uses, sizeof(uses));
    return RC_OK;
}

void sealing_name_keys(const struct sealing *x, struct member_card *card)
{
    card->key_count = x->state == SEALING_OPEN ? 0 : x->ring.count;
    for (uint32_t i = 0; i < card->key_count; i++) {
        card->keys[i] = x->ring.keys[i].id;
    }
}

size_t sealing_tag_bytes(const struct sealing *x)
{
    return x->state == SEALING_OPEN ? 0 : SEAL_TAG_BYTES;
}

static void note_use(struct sealing *x, const struct keyring_key *key, bool is_sent,
                     uint64_t now_us)
{
    struct sealing_use *use = &x->uses[key - x->ring.keys];
    use->sent += is_sent;
    use->received += !is_sent;
    use->used_us = now_us > 0 ? now_us : 1;
}

/* ---- Which key a member gets ---- */

/* The ids that the member is taken to hold: those of its card. */
static uint32_t keys_of(const struct member *m, uint16_t ret_keys[static MEMBER_KEYS_MAX])
{
    const uint32_t count = member_keys(m, ret_keys);
    if (count == 0) {
        ret_keys[0] = KEYRING_ID_OPEN;
    }
    return count == 0 ? 1 : count;
}

static bool is_among(uint16_t id, const uint16_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == id) {
            return true;
        }
    }
    return false;
}

uint16_t sealing_key_to(const struct sealing *x, const struct member *m)
{
    if (x->state == SEALING_OPEN) {
        return KEYRING_ID_OPEN;
    }
    uint16_t ids[MEMBER_KEYS_MAX];
    const uint32_t count = keys_of(m, ids);
    const struct windows_place *last = windows_find(&x->windows, m->tag, &m->uuid);
    if (last != NULL && last->incarnation == m->incarnation &&
        !is_among(last->key_id, ids, count) && keyring_find(&x->ring, last->key_id) != NULL) {
        return last->key_id;
    }
    for (uint32_t i = 0; i < x->ring.count; i++) {
        if (is_among(x->ring.keys[i].id, ids, count)) {
            return x->ring.keys[i].id;
        }
    }
    return x->ring.keys[0].id; /* its card may be old */
}

bool sealing_has(const struct sealing *x, const struct member *m, uint32_t i)
{
    uint16_t ids[MEMBER_KEYS_MAX];
    const uint32_t count = keys_of(m, ids);
    return is_among(x->ring.keys[i].id, ids, count);
}

bool sealing_has_any(const struct sealing *x, const struct member *m)
{
    bool has_any = false;
    for (uint32_t i = 0; i < x->ring.count; i++) {
        has_any = has_any || sealing_has(x, m, i);
    }
    return has_any;
}

bool sealing_has_another(const struct sealing *x, const struct member *m)
{
    uint16_t ids[MEMBER_KEYS_MAX];
    const uint32_t count = keys_of(m, ids);
    bool has_another = false;
    for (uint32_t i = 0; i < count; i++) {
        has_another = has_another || keyring_find(&x->ring, ids[i]) == NULL;
    }
    return has_another;
}

bool sealing_last_was(const struct sealing *x, const struct member *m, uint32_t i)
{
    const struct windows_place *last = windows_find(&x->windows, m->tag, &m->uuid);
    if (last == NULL || last->was_open) {
        return m->is_udp_heard && x->ring.keys[i].id == KEYRING_ID_OPEN;
    }
    return x->ring.keys[i].id == last->key_id;
}

void sealing_note_open(struct sealing *x, const struct member *m, uint64_t now_us)
{
    if (x->state == SEALING_MIXED) {
        note_use(x, keyring_find(&x->ring, KEYRING_ID_OPEN), false, now_us);
        windows_note_open(&x->windows, m->tag, &m->uuid);
    }
}

/* ---- Sealing and opening ---- */

/* False where there is no memory. */
static bool make_key(const struct sealing *x, const struct keyring_key *key, bool is_intro,
                     const struct uuid *sender, const struct uuid *receiver,
                     uint8_t ret_key[static SEAL_KEY_BYTES])
{
    return is_intro ? keyring_intro_key(&x->ring, key, sender, ret_key)
                    : keyring_pair_key(&x->ring, key, sender, receiver, ret_key);
}

size_t sealing_seal(struct sealing *x, const struct uuid *to, uint8_t *data, size_t len,
                    uint64_t now_us)
{
    struct packet_head head;
    const enum rc rc = packet_read_head(data, len, &head);
    ASSERT(rc == RC_OK && head.key_id != KEYRING_ID_OPEN && head.is_intro == (to == NULL));
    ASSERT(len + SEAL_TAG_BYTES <= DATAGRAM_BYTES_MAX);
    const struct keyring_key *key = keyring_find(&x->ring, head.key_id);
    if (key == NULL) {
        return 0;
    }
    uint8_t made[SEAL_KEY_BYTES];
    const bool is_sealed = make_key(x, key, head.is_intro, &x->self, to, made) &&
                           x->ops->seal(x->ops->arg, made, head.counter, data, head.len, len);
    mem_wipe(made, sizeof(made));
    if (!is_sealed) {
        return 0;
    }
    note_use(x, key, true, now_us);
    return len + SEAL_TAG_BYTES;
}

/* Nobody is kept out by who repeats his INTRO from elsewhere faster than he: as many of those whose
 * first came from another address are opened as of others may fail. Nothing else is taken from. */
static enum sealing_refusal judge_intro(struct sealing *x, const struct sealing_from *from,
                                        const uint8_t *data, size_t len, uint64_t now_us)
{
    const enum copies_found found = copies_find(&x->copies, packet_mark(data, len), from->addr);
    if (found == COPIES_SAME) {
        return SEALING_REFUSED_REPLAY;
    }
    if (found == COPIES_ELSEWHERE) {
        if (!budget_has(&x->elsewhere, from->addr, from->is_near, now_us)) {
            return SEALING_REFUSED_REPLAY;
        }
        budget_failed(&x->elsewhere, from->addr, from->is_near);
        return SEALING_OPENED;
    }
    return budget_has(&x->intros, from->addr, from->is_near, now_us) ? SEALING_OPENED
                                                                     : SEALING_REFUSED_BUDGET;
}

/* What can be told without cryptography; SEALING_OPENED when nothing is against it. */
static enum sealing_refusal judge(struct sealing *x, const struct packet_head *head,
                                  const struct sealing_from *from, const uint8_t *data, size_t len,
                                  uint64_t now_us)
{
    if (keyring_find(&x->ring, head->key_id) == NULL) {
        return SEALING_REFUSED_KEY;
    }
    if (from->sender == NULL) {
        return SEALING_REFUSED_SENDER;
    }
    if (len < head->len + SEAL_TAG_BYTES) {
        return SEALING_REFUSED_FORGED;
    }
    if (head->is_intro) {
        return judge_intro(x, from, data, len, now_us);
    }
    return windows_is_new(&x->windows, head->tag, from->sender, head->counter)
               ? SEALING_OPENED
               : SEALING_REFUSED_REPLAY;
}

static bool unseal(const struct sealing *x, const struct packet_head *head,
                   const struct uuid *sender, const uint8_t *data, size_t len, uint8_t *ret_data)
{
    uint8_t made[SEAL_KEY_BYTES];
    const struct keyring_key *key = keyring_find(&x->ring, head->key_id);
    memcpy(ret_data, data, head->len);
    const bool is_opened =
        make_key(x, key, head->is_intro, sender, &x->self, made) &&
        x->ops->open(x->ops->arg, made, head->counter, data, head->len, len, ret_data + head->len);
    mem_wipe(made, sizeof(made));
    return is_opened;
}

/* What was verified is remembered: an INTRO only as what has been opened, as nothing in it is
 * believed. */
static void remember(struct sealing *x, const struct packet_head *head,
                     const struct sealing_from *from, uint32_t mark, uint64_t now_us)
{
    note_use(x, keyring_find(&x->ring, head->key_id), false, now_us);
    if (head->is_intro) {
        if (copies_find(&x->copies, mark, from->addr) == COPIES_NONE) {
            budget_opened(&x->intros, from->addr, from->is_near);
            copies_add(&x->copies, mark, from->addr);
        }
    } else {
        struct windows_place *place =
            windows_take(&x->windows, head->tag, from->sender, head->counter);
        place->key_id = head->key_id;
        place->was_open = false;
        place->incarnation = from->incarnation;
    }
}

enum sealing_refusal sealing_open(struct sealing *x, const struct packet_head *head,
                                  const struct sealing_from *from, const uint8_t *data, size_t len,
                                  uint64_t now_us, uint8_t ret_data[static DATAGRAM_BYTES_MAX])
{
    ASSERT(head->key_id != KEYRING_ID_OPEN && len <= DATAGRAM_BYTES_MAX);
    enum sealing_refusal refusal = judge(x, head, from, data, len, now_us);
    if (refusal == SEALING_OPENED && !unseal(x, head, from->sender, data, len, ret_data)) {
        refusal = SEALING_REFUSED_FORGED;
        if (head->is_intro) {
            budget_failed(&x->intros, from->addr, from->is_near);
        }
    }
    if (refusal == SEALING_OPENED) {
        remember(x, head, from, packet_mark(data, len), now_us);
    } else {
        x->refused[refusal]++;
    }
    return refusal;
}

bool sealing_takes_open(struct sealing *x)
{
    const bool is_taken = x->state != SEALING_SEALED;
    x->refused[SEALING_REFUSED_OPEN] += !is_taken;
    return is_taken;
}

void sealing_check(const struct sealing *x)
{
    ASSERT(x->ring.count >= 1 && x->state == keyring_state(&x->ring));
    ASSERT(x->state == SEALING_OPEN || x->ops != NULL);
    windows_check(&x->windows);
}
