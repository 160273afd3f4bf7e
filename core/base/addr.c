#include "core/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { IP6_NET_BYTES = 8 }; /* of a /64 */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct addr addr_v4(const uint8_t ip[static 4], uint16_t port)
{
    struct addr addr = {.port = port};
    memcpy(addr.ip, mapped_prefix, sizeof(mapped_prefix));
    memcpy(addr.ip + sizeof(mapped_prefix), ip, 4);
    return addr;
}

bool addr_is_v4(const struct addr *addr)
{
    return memcmp(addr->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

bool addr_is_loopback(const struct addr *addr)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};
    return addr_is_v4(addr) ? addr->ip[12] == 127 : memcmp(addr->ip, v6_loopback, 16) == 0;
}

bool addr_is_any(const struct addr *addr)
{
    static const uint8_t any[16] = {0};
    return addr_is_v4(addr) ? memcmp(addr->ip + 12, any, 4) == 0 : memcmp(addr->ip, any, 16) == 0;
}

bool addr_same_ip(const struct addr *a, const struct addr *b)
{
    return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

struct addr addr_net(const struct addr *addr)
{
    struct addr net = {.port = 0};
    memcpy(net.ip, addr->ip, addr_is_v4(addr) ? sizeof(net.ip) : IP6_NET_BYTES);
    return net;
}

bool addr_same_net(const struct addr *a, const struct addr *b)
{
    const struct addr x = addr_net(a), y = addr_net(b);
    return addr_same_ip(&x, &y);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_same_ip(a, b);
}

enum rc addr_parse_ip(const char *text, uint16_t port, struct addr *ret_addr)
{
    char bare[INET6_ADDRSTRLEN];
    size_t len = strlen(text);
    const bool is_bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
    if (is_bracketed) {
        text++;
        len -= 2;
    }
    if (len >= sizeof(bare)) {
        return RC_MALFORMED;
    }
    memcpy(bare, text, len);
    bare[len] = '\0';
    uint8_t ip[16];
    if (!is_bracketed && inet_pton(AF_INET, bare, ip) == 1) {
        *ret_addr = addr_v4(ip, port);
        return RC_OK;
    }
    if (inet_pton(AF_INET6, bare, ip) == 1) {
        memcpy(ret_addr->ip, ip, sizeof(ip));
        ret_addr->port = port;
        return RC_OK;
    }
    return RC_MALFORMED;
}

const char *addr_format_ip(const struct addr *addr, char ret_text[static ADDR_TEXT_SIZE])
{
    const bool is_v4 = addr_is_v4(addr);
    (void)inet_ntop(is_v4 ? AF_INET : AF_INET6, addr->ip + (is_v4 ? 12 : 0), ret_text,
                    ADDR_TEXT_SIZE);
    return ret_text;
}

const char *addr_format(const struct addr *addr, char ret_text[static ADDR_TEXT_SIZE])
{
    char ip[ADDR_TEXT_SIZE];
    addr_format_ip(addr, ip);
    (void)snprintf(ret_text, ADDR_TEXT_SIZE, addr_is_v4(addr) ? "%.46s:%u" : "[%.46s]:%u", ip,
                   addr->port);
    return ret_text;
}

void addr_write(struct cursor *c, const struct addr *addr)
{
    const bool is_v4 = addr_is_v4(addr);
    cursor_put_u8(c, is_v4 ? 4 : 6);
    cursor_put_bytes(c, addr->ip + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
    cursor_put_u16(c, addr->port);
}

struct addr addr_read(struct cursor *c)
{
    struct addr addr = {.port = 0};
    const uint8_t family = cursor_u8(c);
    const uint8_t *ip = family == 4 || family == 6 ? cursor_bytes(c, family == 4 ? 4 : 16) : NULL;
    if (ip == NULL) {
        cursor_fail(c);
        return addr;
    }
    if (family == 4) {
        addr = addr_v4(ip, 0);
    } else {
        memcpy(addr.ip, ip, sizeof(addr.ip));
    }
    addr.port = cursor_u16(c);
    if (addr.port == 0) {
        cursor_fail(c);
    }
    return addr;
}
