#include "net/discovery/flux.h"

#include "core/base/parse.h"

#include <cjson/cJSON.h>
#include <string.h>

enum { INSTANCE_TEXT_MAX = 64 }; /* the longest "[v6]:port" has 47 characters */

/* 224.0.0.0/4, 240.0.0.0/4 with broadcast, ff00::/8, and the unspecified ones name no host. */
static bool is_host(const struct addr *addr)
{
    if (addr_is_any(addr)) {
        return false;
    }
    return addr_is_v4(addr) ? addr->ip[12] < 224 && addr->ip[12] != 0 : addr->ip[0] != 0xff;
}

/* "a.b.c.d", "v6", or either with ":port" after it (then the v6 in brackets); the port is the
 * host's API, not ours. */
static enum rc parse_instance(const char *text, struct addr *ret_addr)
{
    char bare[INSTANCE_TEXT_MAX];
    const size_t len = strnlen(text, sizeof(bare));
    if (len == sizeof(bare)) {
        return RC_MALFORMED;
    }
    memcpy(bare, text, len + 1);
    if (addr_parse_ip(bare, 0, ret_addr) == RC_OK) {
        return RC_OK;
    }
    char *colon = strrchr(bare, ':');
    uint64_t port = 0;
    if (colon == NULL || parse_u64(colon + 1, strlen(colon + 1), UINT16_MAX, &port) != RC_OK) {
        return RC_MALFORMED;
    }
    *colon = '\0';
    return addr_parse_ip(bare, 0, ret_addr);
}

static void collect(const cJSON *data, struct addr *ret_addrs, size_t *ret_count)
{
    size_t count = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, data)
    {
        const cJSON *ip = cJSON_GetObjectItemCaseSensitive(item, "ip");
        struct addr addr;
        if (!cJSON_IsString(ip) || parse_instance(ip->valuestring, &addr) != RC_OK ||
            !is_host(&addr)) {
            continue;
        }
        bool is_new = count < FLUX_INSTANCES_MAX;
        for (size_t i = 0; i < count && is_new; i++) {
            is_new = !addr_same_ip(&ret_addrs[i], &addr);
        }
        if (is_new) {
            ret_addrs[count++] = addr;
        }
    }
    *ret_count = count;
}

enum rc flux_parse_locations(const void *body, size_t len,
                             struct addr ret_addrs[static FLUX_INSTANCES_MAX], size_t *ret_count)
{
    if (len > FLUX_BODY_BYTES_MAX) {
        return RC_TOO_LONG;
    }
    cJSON *json = cJSON_ParseWithLengthOpts(body, len, NULL, false);
    if (json == NULL) {
        return RC_MALFORMED;
    }
    enum rc rc = RC_OK;
    const cJSON *status = cJSON_GetObjectItemCaseSensitive(json, "status");
    const cJSON *data = cJSON_GetObjectItemCaseSensitive(json, "data");
    if (!cJSON_IsObject(json) || !cJSON_IsString(status)) {
        rc = RC_MALFORMED;
    } else if (strcmp(status->valuestring, "success") != 0) {
        rc = RC_REFUSED;
    } else if (!cJSON_IsArray(data)) {
        rc = RC_MALFORMED;
    } else {
        collect(data, ret_addrs, ret_count);
        rc = *ret_count == 0 && cJSON_GetArraySize(data) > 0 ? RC_MALFORMED : RC_OK;
    }
    cJSON_Delete(json);
    return rc;
}
