#include "cmd/client/client_servers.h"

#include "cmd/base/json_in.h"
#include "cmd/settings/value.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

/* ---- Words ---- */

static enum rc parse_url(const char *word, struct client_server *ret_server)
{
    struct value_url url;
    const enum rc rc = value_url(word, &url);
    if (rc != RC_OK) {
        return rc;
    }
    if (url.path[0] != '\0' && strcmp(url.path, "/") != 0) {
        return RC_MALFORMED;
    }
    *ret_server =
        (struct client_server){.at = url.server, .is_tls = url.is_tls, .has_scheme = true};
    return RC_OK;
}

static enum rc parse_word(const char *word, size_t len, uint16_t base_port,
                          struct client_server *ret_server)
{
    char copy[NODE_TEXT_SIZE + 16];
    struct client_server server = {.is_tls = false};
    if (len >= sizeof(copy)) {
        return RC_MALFORMED;
    }
    memcpy(copy, word, len);
    copy[len] = '\0';
    if (strstr(copy, "://") != NULL) {
        return parse_url(copy, ret_server);
    }
    enum rc rc = value_host_port(copy, len, 0, &server.at);
    if (rc == RC_MALFORMED) {
        rc = value_host_port(copy, len, base_port, &server.at);
        server.has_base_port = true;
    }
    if (rc == RC_OK) {
        *ret_server = server;
    }
    return rc;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

enum rc client_servers_parse(const char *text, uint16_t base_port,
                             struct client_server *ret_servers, size_t max, size_t *count,
                             char ret_word[static CLIENT_SERVERS_WORD_SIZE])
{
    for (;;) {
        const size_t end = strcspn(text, ",");
        size_t len = end;
        const char *word = text;
        while (len > 0 && is_blank(word[len - 1])) {
            len--;
        }
        while (len > 0 && is_blank(*word)) {
            word++;
            len--;
        }
        const enum rc rc =
            *count == max ? RC_FULL : parse_word(word, len, base_port, &ret_servers[*count]);
        if (rc != RC_OK) {
            (void)snprintf(ret_word, CLIENT_SERVERS_WORD_SIZE, "%.*s", (int)(len < 200 ? len : 200),
                           word);
            return rc;
        }
        (*count)++;
        if (text[end] == '\0') {
            return RC_OK;
        }
        text += end + 1;
    }
}

void client_servers_set_base_port(struct client_server *servers, size_t count, uint16_t base_port)
{
    for (size_t i = 0; i < count; i++) {
        servers[i].at.port = servers[i].has_base_port ? base_port : servers[i].at.port;
    }
}

void client_servers_set_tls(struct client_server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        servers[i].is_tls = servers[i].is_tls || !servers[i].has_scheme;
    }
}

/* ---- Nodes of this host ---- */

enum client_kinship client_servers_judge(const void *body, size_t len, const char *network,
                                         const char *enclave, char ret_name[static NAME_SIZE])
{
    cJSON *root = cJSON_ParseWithLength(body, len);
    const char *theirs = "";
    enum client_kinship kinship = KINSHIP_OURS;
    if (json_in_text(root, "uuid", "")[0] == '\0' || json_in_text(root, "network", "")[0] == '\0') {
        kinship = KINSHIP_NOBODY;
    } else if (strcmp(json_in_text(root, "network", ""), network) != 0) {
        kinship = KINSHIP_OTHER_NETWORK;
        theirs = json_in_text(root, "network", "");
    } else if (enclave != NULL && strcmp(json_in_text(root, "enclave", ""), enclave) != 0) {
        kinship = KINSHIP_OTHER_ENCLAVE;
        theirs = json_in_text(root, "enclave", "");
    }
    (void)snprintf(ret_name, NAME_SIZE, "%s", theirs);
    cJSON_Delete(root);
    return kinship;
}
