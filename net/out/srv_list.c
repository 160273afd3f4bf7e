#include "net/out/srv_list.h"

#include "core/base/mem.h"

#include <stdlib.h>
#include <string.h>

void srv_list_init(struct srv_list *l)
{
    *l = (struct srv_list){.ttl_s = UINT32_MAX};
}

void srv_list_fini(struct srv_list *l)
{
    free(l->services);
    free(l->addrs);
}

static void take_service(struct srv_list *l, const struct dns_record *record)
{
    if (record->target[0] == '\0' || record->port == 0) {
        return;
    }
    if (l->services == NULL) {
        l->services = mem_new(SRV_SERVICES_MAX, sizeof(*l->services));
    }
    if (l->service_count == SRV_SERVICES_MAX) {
        l->is_cut = true;
        return;
    }
    struct srv_service *service = &l->services[l->service_count++];
    service->priority = record->priority;
    service->weight = record->weight;
    service->port = record->port;
    memcpy(service->target, record->target, sizeof(service->target));
}

static void take_addr(struct srv_list *l, const struct dns_record *record)
{
    if (l->addrs == NULL) {
        l->addrs = mem_new(SRV_ADDRS_MAX, sizeof(*l->addrs));
    }
    if (l->addr_count < SRV_ADDRS_MAX) {
        struct srv_addr *addr = &l->addrs[l->addr_count++];
        addr->addr = record->addr;
        memcpy(addr->target, record->name, sizeof(addr->target));
    }
}

void srv_list_take(struct srv_list *l, const struct dns_record *record)
{
    const bool is_service = record->type == DNS_TYPE_SRV;
    if (is_service == record->is_additional) {
        return;
    }
    l->ttl_s = record->ttl_s < l->ttl_s ? record->ttl_s : l->ttl_s;
    if (is_service) {
        take_service(l, record);
    } else {
        take_addr(l, record);
    }
}

static int compare(const void *a, const void *b)
{
    const struct srv_service *x = a, *y = b;
    if (x->priority != y->priority) {
        return x->priority < y->priority ? -1 : 1;
    }
    return (x->weight < y->weight) - (x->weight > y->weight);
}

void srv_list_sort(struct srv_list *l)
{
    if (l->service_count > 1) {
        qsort(l->services, l->service_count, sizeof(*l->services), compare);
    }
}
