/*
 * cookie: what an address is sent to prove that it receives. It is a hash of the address and the
 * minute, under a secret of this process. So only an address that received it can send it back.
 * Nothing is kept for it, so strangers cost no memory however many there are.
 */
#ifndef GOSSIP_WIRE_COOKIE_H
#define GOSSIP_WIRE_COOKIE_H

#include "core/base/addr.h"
#include "core/base/siphash.h"

#include <stdbool.h>
#include <stdint.h>

enum { COOKIE_BYTES = 8 };

/* The address's cookie of now. Never 0, which is no cookie. */
uint64_t cookie_of(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
                   uint64_t now_us);

/* Whether `cookie` is the address's, of this minute or of the one before. */
bool cookie_is_of(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
                  uint64_t now_us, uint64_t cookie);

#endif
