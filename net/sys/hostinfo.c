#include "net/sys/hostinfo.h"

#include "core/base/assert.h"
#include "net/sys/hostclock.h"
#include "net/sys/sockaddr.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum rc hostinfo_random(void *ret_bytes, size_t len)
{
    /* Up to 256 bytes come whole once the system's generator is seeded (getrandom(2)). */
    ASSERT(len <= 256);
    return getrandom(ret_bytes, len, 0) == (ssize_t)len ? RC_OK : RC_IO;
}

/* The kernel's boot id is 36 characters; returns 0 when it cannot be read. */
static size_t read_boot_id(char *ret_text, size_t size)
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    const ssize_t len = read(fd, ret_text, size);
    (void)close(fd);
    return len > 0 ? (size_t)len : 0;
}

uint64_t hostinfo_tag(void)
{
    struct {
        char boot_id[64];
        uint64_t netns;
    } seen;
    memset(&seen, 0, sizeof(seen));
    struct stat st;
    uint64_t tag = 0;
    if (read_boot_id(seen.boot_id, sizeof(seen.boot_id)) > 0 &&
        stat("/proc/self/ns/net", &st) == 0) {
        seen.netns = (uint64_t)st.st_ino;
        tag = XXH3_64bits(&seen, sizeof(seen));
    } else if (hostinfo_random(&tag, sizeof(tag)) != RC_OK) {
        tag = hostclock_boot_us() ^ (uint64_t)getpid();
    }
    return tag;
}

/* 169.254.0.0/16 and fe80::/10 need a scope, which an address on the wire does not carry. */
static bool is_link_local(const struct addr *addr)
{
    if (addr_is_v4(addr)) {
        return addr->ip[12] == 169 && addr->ip[13] == 254;
    }
    return addr->ip[0] == 0xfe && (addr->ip[1] & 0xc0) == 0x80;
}

size_t hostinfo_addrs(struct addr ret_addrs[static HOSTINFO_ADDRS_MAX])
{
    struct ifaddrs *list = NULL;
    size_t count = 0;
    if (getifaddrs(&list) != 0) {
        return 0;
    }
    for (const struct ifaddrs *i = list; i != NULL && count < HOSTINFO_ADDRS_MAX; i = i->ifa_next) {
        if (i->ifa_addr == NULL || (i->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        const size_t len = i->ifa_addr->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
                           : i->ifa_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                : 0;
        struct addr addr;
        if (sockaddr_to(i->ifa_addr, len, &addr) == RC_OK && !is_link_local(&addr)) {
            addr.port = 0;
            ret_addrs[count++] = addr;
        }
    }
    freeifaddrs(list);
    return count;
}

static struct addr loopback_of(const struct addr *own, size_t own_count)
{
    const struct addr v4 = addr_v4((const uint8_t[]){127, 0, 0, 1}, 0);
    const struct addr *v6 = NULL;
    for (size_t i = 0; i < own_count; i++) {
        if (addr_is_loopback(&own[i]) && addr_is_v4(&own[i])) {
            return v4;
        }
        v6 = addr_is_loopback(&own[i]) ? &own[i] : v6;
    }
    return v6 != NULL ? *v6 : v4;
}

struct addr hostinfo_loopback(void)
{
    struct addr own[HOSTINFO_ADDRS_MAX];
    const size_t count = hostinfo_addrs(own);
    return loopback_of(own, count);
}

bool hostinfo_is_own(const struct addr *addr)
{
    if (addr_is_loopback(addr)) {
        return true;
    }
    struct addr own[HOSTINFO_ADDRS_MAX];
    const size_t count = hostinfo_addrs(own);
    for (size_t i = 0; i < count; i++) {
        if (addr_same_ip(&own[i], addr)) {
            return true;
        }
    }
    return false;
}

/* The first address that is not loopback, IPv4 before IPv6; NULL when there is none. */
static const struct addr *first_interface(const struct addr *own, size_t own_count)
{
    const struct addr *found = NULL;
    for (size_t i = 0; i < own_count; i++) {
        if (addr_is_loopback(&own[i])) {
            continue;
        }
        if (addr_is_v4(&own[i])) {
            return &own[i];
        }
        found = found == NULL ? &own[i] : found;
    }
    return found;
}

static void add(struct member_addr *addrs, uint32_t *count, enum addr_scope scope,
                const struct addr *addr, uint16_t port)
{
    ASSERT(*count < MEMBER_ADDRS_MAX);
    struct member_addr *entry = &addrs[(*count)++];
    entry->scope = scope;
    entry->addr = *addr;
    entry->addr.port = port;
}

uint32_t hostinfo_card_addrs(const struct addr *bind, const struct addr *advertise, uint16_t port,
                             const struct addr *own, size_t own_count,
                             struct member_addr ret_addrs[static MEMBER_ADDRS_MAX])
{
    uint32_t count = 0;
    if (addr_is_any(bind)) {
        const struct addr loopback = loopback_of(own, own_count);
        add(ret_addrs, &count, SCOPE_HOST, &loopback, port);
        const struct addr *interface = first_interface(own, own_count);
        if (interface != NULL) {
            add(ret_addrs, &count, SCOPE_HOST, interface, port);
        }
    } else {
        add(ret_addrs, &count, SCOPE_HOST, bind, port);
    }
    if (!addr_is_any(advertise)) {
        add(ret_addrs, &count, SCOPE_GLOBAL, advertise, port);
    }
    return count;
}
