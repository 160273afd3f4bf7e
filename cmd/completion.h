/*
 * completion: scripts that complete the words of a command line, for bash, zsh and fish.
 *
 * They are made from the tables that parse: the options of each command as it hands them over
 * (options_listen()), and the settings. What an option does is what its help says.
 */
#ifndef CMD_COMPLETION_H
#define CMD_COMPLETION_H

#include "cmd/base/command.h"
#include "core/base/rc.h"

#include <stdio.h>

/* Writes the script for a shell. RC_NOT_FOUND when it is none of the three. */
MUST_USE enum rc completion_print(FILE *out, const char *shell, const struct command *commands,
                                  size_t count);

#endif
