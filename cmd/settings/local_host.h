/*
 * local_host: the address at which this host's own nodes answer: that of REPRAM_BIND, or loopback.
 */
#ifndef CMD_SETTINGS_LOCAL_HOST_H
#define CMD_SETTINGS_LOCAL_HOST_H

#include "cmd/settings/settings.h"
#include "core/base/addr.h"

/* As text without a port. Returns `ret_text`. */
const char *local_host(const struct settings *s, char ret_text[static ADDR_TEXT_SIZE]);

#endif
