/*
 * hostinfo: what a node must know of the machine it runs on: its tag and its addresses.
 *
 * The host tag is equal for processes that share a kernel and a network namespace, and for nobody
 * else: only they can reach each other on loopback and interface addresses.
 */
#ifndef NET_SYS_HOSTINFO_H
#define NET_SYS_HOSTINFO_H

#include "gossip/wire/member.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOSTINFO_ADDRS_MAX = 64 };

/* Fills `len` bytes with unpredictable ones. RC_IO when the system has none. */
MUST_USE enum rc hostinfo_random(void *ret_bytes, size_t len);

/* XXH3 of the kernel's boot id and the network namespace's inode; a random value when the system
 * does not tell them, so that strangers are never taken for neighbours. */
uint64_t hostinfo_tag(void);

/* The addresses of the interfaces that are up, port 0, loopback included, link-local left out; at
 * most HOSTINFO_ADDRS_MAX. Returns their number. */
size_t hostinfo_addrs(struct addr ret_addrs[static HOSTINFO_ADDRS_MAX]);

/* Where this host's programs reach each other: 127.0.0.1, or ::1 where only that is there. Port 0.
 */
struct addr hostinfo_loopback(void);

/* True for loopback and for addresses of this host's interfaces; ports are ignored. */
bool hostinfo_is_own(const struct addr *addr);

/*
 * How others may reach a node on `port`: on this host the loopback address and the first other
 * interface address (or only `bind` when it names one), and from anywhere `advertise`, when its ip
 * is not any. `own` are the interface addresses. Returns their number, at most MEMBER_ADDRS_MAX.
 */
uint32_t hostinfo_card_addrs(const struct addr *bind, const struct addr *advertise, uint16_t port,
                             const struct addr *own, size_t own_count,
                             struct member_addr ret_addrs[static MEMBER_ADDRS_MAX]);

#endif
