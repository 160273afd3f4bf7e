/* What a node seals, and what it opens: see mutant.h. */
#include "gossip/engine_state.h"
#include "gossip/sealing/sealing.h"
#include "tests/sim/mutants/mutant.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
WRAP(bool, windows_is_new, const struct windows *ws, uint32_t tag, const struct uuid *uuid,
     uint64_t counter)
{
    return mutant_is(MUTANT_AMNESIC) || __real_windows_is_new(ws, tag, uuid, counter);
}

/* The engine asserts that it is new. */
WRAP(struct windows_place *, windows_take, struct windows *ws, uint32_t tag,
     const struct uuid *uuid, uint64_t counter)
{
    for (uint32_t i = 0; i < ws->count && mutant_is(MUTANT_AMNESIC); i++) {
        if (uuid_equal(&ws->places[i].uuid, uuid) &&
            !__real_windows_is_new(ws, tag, uuid, counter)) {
            return &ws->places[i];
        }
    }
    return __real_windows_take(ws, tag, uuid, counter);
}

WRAP(void, packet_write, struct cursor *c, const struct packet *p)
{
    struct packet rewound = *p;
    rewound.counter -=
        mutant_is(MUTANT_REWOUND) && p->counter > 1 && mutant_is_turn(MUTANT_SOME_EVERY);
    __real_packet_write(c, &rewound);
}

WRAP(bool, sealing_takes_open, struct sealing *x)
{
    return mutant_is(MUTANT_CANDID) || __real_sealing_takes_open(x);
}

WRAP(uint16_t, sealing_key_to, const struct sealing *x, const struct member *m)
{
    for (uint32_t i = x->ring.count; i-- > 0 && mutant_is(MUTANT_WISTFUL);) {
        if (sealing_has(x, m, i)) {
            return x->ring.keys[i].id;
        }
    }
    const bool is_babbling = mutant_is(MUTANT_BABBLING) && mutant_is_turn(MUTANT_SOME_EVERY);
    return is_babbling ? KEYRING_ID_OPEN : __real_sealing_key_to(x, m);
}

WRAP(bool, keyring_pair_key, const struct keyring *ring, const struct keyring_key *key,
     const struct uuid *sender, const struct uuid *receiver, uint8_t ret_key[static SEAL_KEY_BYTES])
{
    return __real_keyring_pair_key(ring, key, sender,
                                   mutant_is(MUTANT_ADDRESSLESS) ? sender : receiver, ret_key);
}

WRAP(void, peer_rekey, struct engine *e)
{
    if (!mutant_is(MUTANT_CLINGING)) {
        __real_peer_rekey(e);
    }
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp,readability-identifier-naming)
 */
