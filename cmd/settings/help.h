/*
 * help: the texts of `repram help` and of every command's --help.
 */
#ifndef CMD_SETTINGS_HELP_H
#define CMD_SETTINGS_HELP_H

#include "core/base/rc.h"

#include <stdio.h>

/* The commands and one line each. A terminal gets this, and what follows, in its own width. */
void help_overview(FILE *out);

/* A command's usage, options and examples. RC_NOT_FOUND when there is no such command. */
MUST_USE enum rc help_command(FILE *out, const char *command);

/* The same texts, static; NULL when there is no such command. */
const char *help_overview_text(void);
const char *help_command_text(const char *command);

/* Every setting with its flag, default and meaning, made from the table in cmd/settings. */
void help_settings(FILE *out);

#endif
