/*
 * settings_check: defaults that depend on the machine or on other settings, and pairs that must
 * fit.
 *
 * After it, every setting that a node needs has its effective value, and --print-config shows it.
 */
#ifndef CMD_SETTINGS_SETTINGS_CHECK_H
#define CMD_SETTINGS_SETTINGS_CHECK_H

#include "cmd/settings/settings.h"

struct settings_host {
    uint64_t memory_bytes;
    uint64_t descriptors; /* that one process may have open */
};

/* Fills in the defaults that are made at start. */
void settings_check_derive(struct settings *s, const struct settings_host *host);

/* Adds an error for each pair that does not fit. `is_launch`: NODE_COUNT matters, also to the host.
 */
void settings_check(struct settings *s, const struct settings_host *host, bool is_launch);

/* Whether no other host reaches the port: it is bound to an address of loopback. */
bool settings_check_is_local(const struct settings *s);

/* Whether there are rules for clients while anybody who reaches the port may come as a node: with
 * the rules and the address of `s`, and the keys of `keys`. */
bool settings_check_is_exposed(const struct settings *s, const struct settings *keys);

#endif
