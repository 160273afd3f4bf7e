#include "cmd/launch/formation.h"

#include "core/base/mem.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void formation_init(struct formation *f, size_t count, bool is_counted)
{
    f->is_counted = is_counted;
    f->nodes = mem_new(count, sizeof(*f->nodes));
    f->count = count;
}

void formation_fini(struct formation *f)
{
    free(f->nodes);
    f->nodes = NULL;
}

void formation_forget(struct formation *f, size_t node)
{
    f->nodes[node] = (struct formation_node){.sees_all = false};
}

bool formation_is_known(const struct formation *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->nodes[i].uuid[0] == '\0') {
            return false;
        }
    }
    return true;
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text != NULL ? text : "";
}

enum rc formation_take_health(struct formation *f, size_t node, const uint8_t *json, size_t len)
{
    cJSON *root = cJSON_ParseWithLength((const char *)json, len);
    const char *uuid = text_of(root, "uuid");
    enum rc rc = RC_MALFORMED;
    if (uuid[0] != '\0' && strlen(uuid) < UUID_TEXT_SIZE) {
        (void)snprintf(f->nodes[node].uuid, UUID_TEXT_SIZE, "%s", uuid);
        rc = RC_OK;
    }
    cJSON_Delete(root);
    return rc;
}

static bool is_ours(const struct formation *f, size_t node, const char *uuid)
{
    for (size_t i = 0; i < f->count; i++) {
        if (i != node && strcmp(f->nodes[i].uuid, uuid) == 0) {
            return true;
        }
    }
    return false;
}

enum rc formation_take_peers(struct formation *f, size_t node, const uint8_t *json, size_t len)
{
    cJSON *root = cJSON_ParseWithLength((const char *)json, len);
    const cJSON *peers = cJSON_GetObjectItemCaseSensitive(root, "peers");
    if (!cJSON_IsArray(peers)) {
        cJSON_Delete(root);
        return RC_MALFORMED;
    }
    struct formation_node *judged = &f->nodes[node];
    judged->seen = 0;
    judged->alive = 0;
    const cJSON *peer = NULL;
    cJSON_ArrayForEach(peer, peers)
    {
        if (strcmp(text_of(peer, "state"), "alive") == 0) {
            judged->alive++;
            judged->seen += is_ours(f, node, text_of(peer, "uuid")) ? 1 : 0;
        }
    }
    judged->sees_all = judged->seen + 1 >= f->count;
    cJSON_Delete(root);
    return RC_OK;
}

void formation_take_ready(struct formation *f, size_t node, bool is_ready, const uint8_t *json,
                          size_t len)
{
    cJSON *root = cJSON_ParseWithLength((const char *)json, len);
    const double alive = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(root, "alive"));
    if (alive >= 1 && alive <= UINT32_MAX) {
        f->nodes[node].alive = (uint32_t)alive - 1; /* it counts itself */
    }
    struct formation_node *judged = &f->nodes[node];
    if (f->is_counted) {
        judged->seen = judged->alive < f->count ? judged->alive : (uint32_t)f->count - 1;
        judged->sees_all = judged->seen + 1 >= f->count;
    }
    judged->is_ready = is_ready;
    cJSON_Delete(root);
}

bool formation_is_complete(const struct formation *f)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->nodes[i].uuid[0] == '\0' || !f->nodes[i].sees_all || !f->nodes[i].is_ready) {
            return false;
        }
    }
    return true;
}
