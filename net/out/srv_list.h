/*
 * srv_list: the services that SRV records name (RFC 2782), and the addresses that came with them.
 *
 * Sorted, services stand by priority, the lowest first, and by weight, the heaviest first: hints,
 * as every node is asked in the end. A target of "." says that there is no service; port 0 is none.
 */
#ifndef NET_OUT_SRV_LIST_H
#define NET_OUT_SRV_LIST_H

#include "net/out/dns_message.h"

enum { SRV_SERVICES_MAX = 1024, SRV_ADDRS_MAX = 1024 }; /* more are left out */

struct srv_service {
    uint16_t priority, weight, port;
    char target[DNS_NAME_SIZE];
};

/* An address of a target, of the additional section; port 0. */
struct srv_addr {
    char target[DNS_NAME_SIZE];
    struct addr addr;
};

struct srv_list {
    struct srv_service *services; /* NULL before the first, like the next */
    struct srv_addr *addrs;
    size_t service_count, addr_count;
    bool is_cut;    /* services were left out */
    uint32_t ttl_s; /* the least of the records; UINT32_MAX before the first */
};

void srv_list_init(struct srv_list *l);
void srv_list_fini(struct srv_list *l);

/* Takes an SRV record of the answers, or an address of the additional section; others are passed
 * over. An address that finds no room is left out, as it can be asked for. */
void srv_list_take(struct srv_list *l, const struct dns_record *record);

void srv_list_sort(struct srv_list *l);

#endif
