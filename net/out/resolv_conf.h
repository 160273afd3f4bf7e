/*
 * resolv_conf: what resolv.conf says (resolv.conf(5)): the name servers in their order, and the
 * names that a name may stand for, by `search`, `domain` and `ndots`.
 *
 * A name with `ndots` dots or more is first tried as it is, another one last; one that ends with a
 * dot is tried without it and no other way. Without a list the domain of this host's name is one.
 * Other options are not followed: a node has its own times, and asks servers in their order.
 *
 * c-ares reads the file too. But here each server has a channel of its own (net/out/dns_servers),
 * and c-ares' search ends where a server refuses a form of the name.
 */
#ifndef NET_OUT_RESOLV_CONF_H
#define NET_OUT_RESOLV_CONF_H

#include "net/out/dns_message.h"

enum {
    SEARCH_DOMAINS_MAX = 32, /* as clusters have; the C library has had no limit since glibc 2.26 */
    RESOLV_CONF_SERVERS_MAX = 3, /* as in resolv.conf(5) */
};

struct resolv_conf {
    char domains[SEARCH_DOMAINS_MAX][DNS_NAME_SIZE];
    uint32_t count; /* of them */
    uint32_t ndots;
    struct addr servers[RESOLV_CONF_SERVERS_MAX];
    uint32_t server_count;
};

/* Reads the file. Where it is not there or names no server, this host's is asked. A server may have
 * a port, as c-ares lets it: `nameserver 127.0.0.1:5353`, `nameserver [::1]:5353`. */
void resolv_conf_read(struct resolv_conf *r, const char *path);

/* Writes the name's `turn`th form, counted from 0; false when there are no more. One that is too
 * long for a name is empty. */
bool resolv_conf_form(const struct resolv_conf *r, const char *name, uint32_t turn,
                      char ret_form[static DNS_NAME_SIZE]);

#endif
