/*
 * manual: the pages of the manual, as man(7) has them: repram(1), one for each command, and
 * repram.conf(5).
 *
 * They are made from the texts of --help, from the tables that parse (options_listen()), and from
 * that of the settings.
 */
#ifndef CMD_MANUAL_H
#define CMD_MANUAL_H

#include "cmd/base/command.h"
#include "core/base/rc.h"

#include <stdio.h>

/* Writes the page of a command; NULL: repram(1); "settings": repram.conf(5). RC_NOT_FOUND. */
MUST_USE enum rc manual_print(FILE *out, const char *topic, const struct command *commands,
                              size_t count);

#endif
