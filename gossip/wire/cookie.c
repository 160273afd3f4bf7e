#include "gossip/wire/cookie.h"

#define MINUTE_US UINT64_C(60000000)

static uint64_t of_minute(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
                          uint64_t minute)
{
    uint8_t bytes[ADDR_WIRE_MAX + sizeof(minute)];
    struct cursor c = cursor_writer(bytes, sizeof(bytes));
    addr_write(&c, addr);
    cursor_put_u64(&c, minute);
    const uint64_t cookie = siphash(secret, bytes, c.pos);
    return cookie == 0 ? 1 : cookie;
}

uint64_t cookie_of(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
                   uint64_t now_us)
{
    return of_minute(secret, addr, now_us / MINUTE_US);
}

bool cookie_is_of(const uint8_t secret[static SIPHASH_KEY_BYTES], const struct addr *addr,
                  uint64_t now_us, uint64_t cookie)
{
    const uint64_t minute = now_us / MINUTE_US;
    return cookie != 0 && (cookie == of_minute(secret, addr, minute) ||
                           (minute > 0 && cookie == of_minute(secret, addr, minute - 1)));
}
