/*
 * value: what a setting's text can mean: hosts, lists of peers, networks, providers, switches.
 *
 * Pure functions from text to value, none of which asks DNS. Every list has a maximum. Nothing
 * contains spaces, so they are refused everywhere.
 */
#ifndef CMD_SETTINGS_VALUE_H
#define CMD_SETTINGS_VALUE_H

#include "core/base/rc.h"
#include "net/access/cors.h" /* origins, which it judges */
#include "net/discovery/node_config.h"
#include "net/out/dns_message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 1 to NAME_SIZE - 1 printable ASCII characters other than space. */
bool value_is_name(const char *text);

/* The name of an application on Flux, which stands in a path as it is: a name of letters and
 * digits, and '-', '_', '.' behind them. */
bool value_is_app(const char *text);

/* An IP address, or a host name as in RFC 1123 section 2.1 (underscores are let through, because
 * container names have them). What looks like a broken IPv4 address is neither. */
bool value_is_host(const char *text);

/* on, off, true, false, yes, no, 1, 0. RC_MALFORMED. */
MUST_USE enum rc value_bool(const char *text, bool *ret_value);

/* `host:port`, `1.2.3.4:port`, `[v6]:port`; without a port only when `default_port` is not 0.
 * RC_MALFORMED, RC_RANGE (the port). */
MUST_USE enum rc value_host_port(const char *text, size_t len, uint16_t default_port,
                                 struct node_peer *ret_peer);

/* A comma list of them; without a port only when `default_port` is not 0. RC_MALFORMED, RC_RANGE,
 * RC_FULL beyond `max`. */
MUST_USE enum rc value_peers(const char *text, uint16_t default_port, struct node_peer *ret_peers,
                             uint32_t max, uint32_t *ret_count);

/* true, false, or a comma list of networks: an address, or address/bits. RC_MALFORMED, RC_RANGE
 * (the bits), RC_FULL beyond `max`. */
MUST_USE enum rc value_trust(const char *text, bool *ret_all, struct node_cidr *ret_list,
                             uint32_t max, uint32_t *ret_count);

/* A comma list of provider names, as a set of enum node_provider. RC_MALFORMED. */
MUST_USE enum rc value_providers(const char *text, uint32_t *ret_set);

struct value_url {
    struct node_peer server;
    bool is_tls;
    const char *path; /* into the text; "" or begins with '/' */
};

/* http://host[:port][/path] or https://...; no user, query or fragment. RC_MALFORMED, RC_RANGE (the
 * port), RC_TOO_LONG (the path, from NODE_TEXT_SIZE on). */
MUST_USE enum rc value_url(const char *text, struct value_url *ret_url);

#endif
