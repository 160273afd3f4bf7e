/* What `repram peers` and `repram status` share: a node's answer as JSON, and its values as cells.
 */
#include "cmd/client/client.h"

#include <string.h>

char *client_cell(const cJSON *value)
{
    const char *text = cJSON_GetStringValue(value);
    if (text != NULL) {
        return strdup(text);
    }
    if (value == NULL || cJSON_IsNull(value)) {
        return strdup("");
    }
    return cJSON_PrintUnformatted(value);
}

cJSON *client_get_json(struct client *c, const char *target, const struct client_server *server,
                       struct client_answer *ret_answer, struct client_server *ret_server)
{
    const struct client_request request = {.method = "GET", .target = target};
    if (server == NULL) {
        client_ask_any(c, &request, ret_answer, ret_server);
    } else {
        client_ask(c, server, &request, c->timeout_ms, ret_answer);
        if (ret_answer->rc != RC_OK) {
            client_say(c, "the node stopped answering: %s", ret_answer->error);
        }
    }
    if (ret_answer->rc != RC_OK) {
        return NULL;
    }
    if (ret_answer->status != 200) {
        client_complain(c, ret_answer);
        return NULL;
    }
    cJSON *root = cJSON_ParseWithLength((const char *)ret_answer->body, ret_answer->body_len);
    if (!cJSON_IsObject(root)) {
        client_say(c, "the answer is not JSON");
        cJSON_Delete(root);
        return NULL;
    }
    return root;
}
