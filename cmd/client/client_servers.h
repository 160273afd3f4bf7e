/*
 * client_servers: the servers that client commands ask: from the words of --server and
 * REPRAM_SERVER, and whether what answers on a port of this host is a node of the cluster meant.
 *
 * Pure functions. Left out: asking (cmd/client/client_any).
 */
#ifndef CMD_CLIENT_CLIENT_SERVERS_H
#define CMD_CLIENT_CLIENT_SERVERS_H

#include "core/base/rc.h"
#include "net/discovery/node_config.h"

#include <stdbool.h>
#include <stddef.h>

enum { CLIENT_SERVERS_WORD_SIZE = 96 };

/* Who a node of this host is, by what it says of itself. */
enum client_kinship {
    KINSHIP_OURS,
    KINSHIP_NOBODY, /* silent, or another program */
    KINSHIP_OTHER_NETWORK,
    KINSHIP_OTHER_ENCLAVE,
};

struct client_server {
    struct node_peer at;
    bool is_tls;
    bool has_scheme;    /* it was named as http:// or https:// */
    bool has_base_port; /* it was named without a port, and without a scheme that implies one */
};

/*
 * Reads every server of a comma list and appends it: host, host:port, [v6]:port or a URL without a
 * path; blanks around the commas are skipped. A server without a port gets `base_port`. RC_FULL,
 * RC_MALFORMED, RC_RANGE (the port); then ret_word is the word that is wrong, cut to fit.
 */
MUST_USE enum rc client_servers_parse(const char *text, uint16_t base_port,
                                      struct client_server *ret_servers, size_t max, size_t *count,
                                      char ret_word[static CLIENT_SERVERS_WORD_SIZE]);

/* Gives the servers that were named without a port this one. */
void client_servers_set_base_port(struct client_server *servers, size_t count, uint16_t base_port);

/* Those that were named without a scheme are asked by https. */
void client_servers_set_tls(struct client_server *servers, size_t count);

/*
 * Judges the body of an answer to /health. `enclave` is NULL where any enclave will do. Of a node
 * of another network or enclave, ret_name is that one's name; else "".
 */
enum client_kinship client_servers_judge(const void *body, size_t len, const char *network,
                                         const char *enclave, char ret_name[static NAME_SIZE]);

#endif
