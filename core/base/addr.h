/*
 * addr: an IP address and a port as one comparable value, without sockets.
 *
 * IPv4 is kept in its mapped form (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that what a
 * dual-stack socket reports and what a configuration says are the same 18 bytes.
 */
#ifndef CORE_BASE_ADDR_H
#define CORE_BASE_ADDR_H

#include "core/base/cursor.h"
#include "core/base/rc.h"

#include <stdbool.h>
#include <stdint.h>

enum { ADDR_TEXT_SIZE = 56, ADDR_WIRE_MAX = 1 + 16 + 2 };

struct addr {
    uint8_t ip[16];
    uint16_t port;
};

/* From four bytes in network order. */
struct addr addr_v4(const uint8_t ip[static 4], uint16_t port);

bool addr_is_v4(const struct addr *addr);

/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct addr *addr);

/* 0.0.0.0 or ::, whatever the port. */
bool addr_is_any(const struct addr *addr);

bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_same_ip(const struct addr *a, const struct addr *b);

/* The net that counts as one host, port 0: the IPv4 address, or the IPv6 /64, which is all one
 * customer's. */
struct addr addr_net(const struct addr *addr);

/* Whether both are of one such net. */
bool addr_same_net(const struct addr *a, const struct addr *b);

/* Parses an IP address without a port, "10.0.0.1", "::1" or "[::1]". RC_MALFORMED. */
MUST_USE enum rc addr_parse_ip(const char *text, uint16_t port, struct addr *ret_addr);

/* Writes "a.b.c.d:port" or "[v6]:port"; returns `ret_text`. */
const char *addr_format(const struct addr *addr, char ret_text[static ADDR_TEXT_SIZE]);

/* Writes the address without the port and without brackets; returns `ret_text`. */
const char *addr_format_ip(const struct addr *addr, char ret_text[static ADDR_TEXT_SIZE]);

/*
 * On the wire: family (1 byte, 4 or 6), 4 or 16 address bytes, port (2 bytes).
 * addr_read() fails the cursor on another family and on port 0.
 */
void addr_write(struct cursor *c, const struct addr *addr);
struct addr addr_read(struct cursor *c);

#endif
